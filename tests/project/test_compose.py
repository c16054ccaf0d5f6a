"""docker-compose.yml is valid, and everything it names exists. No engine is needed to know that."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import typer.main
import yaml

from cercles.commands import app
from tests.project.documents import ROOT, setting_variables

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = sorted(name for name, service in SERVICES.items() if "build" in service)
PROCESSES: Final = ("clock", "exporter", "gateway", "reader", "resolver", "sink", "worker")
ONE_SHOTS: Final = ("db", "topics")
INTERPOLATION: Final = re.compile(r"\$\{(?P<name>\w+)(?P<rest>:[?-][^}]*)?\}")


def exists(command: list[str]) -> bool:
    """Whether `cercles` has that command, and that one has the next word as its own, and so on."""
    commands: Any = typer.main.get_command(app)
    for word in command:
        commands = getattr(commands, "commands", {}).get(word)
    return commands is not None and not hasattr(commands, "commands")


def texts(node: Any) -> Iterator[str]:
    """Return every text within a part of the file."""
    if isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    else:
        yield str(node)


def test_file_follows_the_compose_specification() -> None:
    """The published JSON Schema of the specification takes the file."""
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []


def test_every_process_and_one_shot_is_there() -> None:
    """Kafka, PostgreSQL, every process of ours, and who watches them."""
    assert sorted([*PROCESSES, *ONE_SHOTS]) == OURS
    assert SERVICES.keys() == {*OURS, "kafka", "database", "prometheus", "grafana"}
    assert SERVICES["database"]["image"].startswith("postgres:18.")


def test_broker_is_the_version_that_the_tests_run_on() -> None:
    """The embedded broker and the container are of one release, so that what is tested is what runs."""
    locked = (ROOT / "cercles" / "embedded" / "kafka_jars.lock").read_text(encoding="utf-8")
    version = re.search(r"^org\.apache\.kafka:kafka_2\.13:(\S+)", locked, re.MULTILINE)
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"


@pytest.mark.parametrize("name", OURS)
def test_command_exists(name: str) -> None:
    """A service runs the command of its name, and that is a whole command."""
    assert SERVICES[name]["command"][0] == name
    assert exists(SERVICES[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_variables_exist(name: str) -> None:
    """Every variable of a service is a setting: a misspelt one would silently do nothing."""
    assert set(SERVICES[name]["environment"]) - setting_variables() == set()


@pytest.mark.parametrize("name", OURS)
def test_secrets_come_from_outside(name: str) -> None:
    """No secret stands in the file, and one that is missing is asked for in words."""
    for variable, value in SERVICES[name]["environment"].items():
        if re.search(r"KEY|SECRET|PASSWORD|SOURCES|ACCOUNTS|URL", variable) is None:
            continue
        found = INTERPOLATION.search(str(value))
        assert found is not None, f"{variable} is not taken from the environment"
        assert found["rest"] is not None
        if variable != "CERCLES_GATEWAY_STRIPE_ACCOUNTS":  # most have none
            assert re.fullmatch(r":\?set \w+, .+ in \.env", found["rest"]), f"{variable} does not say what to set"


def test_example_env_names_what_is_asked_for() -> None:
    """ops/example.env has every variable that the file takes from outside, and no other."""
    example = (ROOT / "ops" / "example.env").read_text(encoding="utf-8")
    named = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert named == {found["name"] for text in texts(COMPOSE) for found in INTERPOLATION.finditer(text)}
    assert re.findall(r"^\w+=.+", example, re.MULTILINE) == [], "an example of a secret would be somebody's secret"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_published_on_loopback_only(name: str) -> None:
    """What is reached from the machine is not reached from the network, unless somebody decides so."""
    for port in SERVICES[name].get("ports", []):
        address, _, target = port.split(":")
        assert address == "127.0.0.1"
        if name not in OURS:
            continue
        assert target == SERVICES[name]["environment"][f"CERCLES_{name.upper()}_PORT"]
        assert SERVICES[name]["environment"][f"CERCLES_{name.upper()}_HOST"] == "0.0.0.0"  # noqa: S104 - in its container


@pytest.mark.parametrize("name", PROCESSES)
def test_processes_are_watched_by_their_readiness(name: str) -> None:
    """A process counts as up when it says so itself, on its operations address."""
    check = " ".join(SERVICES[name]["healthcheck"]["test"])
    port = SERVICES[name]["environment"]["CERCLES_OPERATIONS_PORT"]
    assert f"http://127.0.0.1:{port}/readyz" in check


def test_addresses_of_one_another_exist() -> None:
    """The broker and the database are where the others look for them."""
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert environment.get("CERCLES_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092") == "kafka:9092"
        assert "@database:5432/cercles" in environment.get("CERCLES_DATABASE_URL", "@database:5432/cercles")
    assert SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://kafka:9092"
    assert SERVICES["database"]["environment"]["POSTGRES_DB"] == "cercles"


@pytest.mark.parametrize("name", OURS)
def test_who_uses_a_server_waits_for_it(name: str) -> None:
    """A process starts once the topics and tables it uses are there."""
    environment, awaited = SERVICES[name]["environment"], SERVICES[name]["depends_on"]
    if name in PROCESSES:
        wanted = {
            one_shot
            for one_shot, variable in (("topics", "CERCLES_KAFKA_BOOTSTRAP_SERVERS"), ("db", "CERCLES_DATABASE_URL"))
            if variable in environment
        }
        assert awaited == {one_shot: {"condition": "service_completed_successfully"} for one_shot in wanted}
    else:
        assert awaited == {{"db": "database", "topics": "kafka"}[name]: {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", ["resolver", "worker", "sink"])
def test_resolver_worker_and_sink_can_be_scaled(name: str) -> None:
    """`--scale` needs a service without a name or a port of its own."""
    assert not {"container_name", "ports"} & SERVICES[name].keys()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_of_one_version(name: str) -> None:
    """What runs tomorrow is what ran today."""
    assert re.fullmatch(r"\S+:v?\d+\.\d+\S*", SERVICES[name]["image"])


def test_files_that_are_put_into_containers_exist_and_are_used() -> None:
    """Prometheus and Grafana find their files, and no file is forgotten."""
    files = {name: ROOT / config["file"] for name, config in COMPOSE["configs"].items()}
    assert [name for name, path in files.items() if not path.is_file()] == []
    used = [config["source"] for service in SERVICES.values() for config in service.get("configs", [])]
    assert sorted(used) == sorted(files)
    wanted = [
        *ROOT.glob("ops/prometheus/*.yml"),
        *ROOT.glob("ops/prometheus/rules/*"),
        *ROOT.glob("ops/grafana/**/*.*"),
    ]
    assert sorted(files.values()) == sorted(wanted)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_volumes_are_declared(name: str) -> None:
    """Data is kept in volumes with names; nothing of the machine is mounted."""
    for volume in SERVICES[name].get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]


def test_dockerfile_copies_what_exists() -> None:
    """Every source of a COPY is in the project, and let through to the engine."""
    let_through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    copied = set()
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            copied |= set(shlex.split(line)[1:-1])
    assert copied == let_through
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_dockerfile_installs_the_lock_and_ends_as_the_command() -> None:
    """The image has what the lock names, checked by hash, and runs as nobody in particular."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes -r /src/requirements.lock" in dockerfile
    assert dockerfile.rstrip().endswith('ENTRYPOINT ["cercles"]')
    user = re.search(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    assert user is not None
    assert {SERVICES[name]["user"] for name in OURS} == {user[1]}
    bases = set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.13\.\d+-slim-\w+", bases.pop())


def test_every_package_is_in_the_image() -> None:
    """What pyproject.toml calls a package of ours is copied."""
    packages = re.search(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert packages is not None
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for package in re.findall(r'"(\w+)"', packages[1]):
        assert f"COPY {package} /src/{package}" in dockerfile
