"""Ours beside other stream engines at similar work, on events of the same content.

The peers stand in a folder of their own (`--set directory=PATH`, or `../shared/peers` beside this
clone), whose README says what each of them does. They need Java's compiler and Maven on the path; their Python
packages go into an environment of their own. All that is made for them is kept in `build/peers/`.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from benchmarks.events import SOURCE, START, Record, openings
from benchmarks.harness import Benchmark, Measurement, Row, Sizes
from benchmarks.log import fill_log
from benchmarks.servers import make_topics, running_kafka
from benchmarks.worker import measure_worker
from schemas.events import PledgeCaptured, PledgeCapturedData, encode

ROOT: Final = Path(__file__).parent.parent
DIRECTORY_DEFAULT: Final = ROOT.parent / "shared" / "peers"
BUILD: Final = ROOT / "build" / "peers"

EVENTS_DEFAULT: Final = 1_000_000
EVENTS_FAUST: Final = 40_000
"""Plain Faust folds 800 events a second: its own README measures it with these."""

CAMPAIGNS: Final = 1_000
PARTITIONS: Final = 4
LIMIT_SECONDS: Final = 900

PEERS: Final[dict[str, str]] = {
    "ks-1-eos-memory": "≥ 1.5",
    "ks-1-alos-memory": "≥ 1",
    "ks-2-eos-memory": "≥ 1.5",
    "ks-2-alos-memory": "≥ 1",
    "bytewax": "≥ 2.5",
    "quix-alos": "≥ 6",
    "faust": "≥ 60",
}
"""The best configuration of each with one process and one thread, of Kafka Streams with two threads as well, and what
as many workers of ours are to reach beside it."""

_THREADS: Final = re.compile(r"ks-(\d+)-")


def same_content(count: int) -> Iterator[Record]:
    """Yield captures with the campaigns, backers and amounts of the peers' own topic (their gen.py, seed 1)."""
    randomness = random.Random(1)
    for number in range(count):
        campaign = randomness.randrange(CAMPAIGNS)
        backer = randomness.randrange(100_000)
        circle = randomness.randrange(3)
        campaign_id = f"campaign-{campaign:07}"
        data = PledgeCapturedData(
            campaign_id=campaign_id,
            pledge_id=f"p{number}",
            capture_id=f"e{number}",
            amount_minor=randomness.randrange(100, 20_000),
            currency="EUR",
            backer_id=f"b{backer}",
            # The links of each campaign: every third is the first of its line, the next ones one circle wider each.
            share_token=f"{campaign_id}.s{circle:02}",
        )
        event = PledgeCaptured(
            specversion="1.0", id=f"e{number}", source=SOURCE, time=START + timedelta(days=1), data=data
        )
        yield Record(campaign_id.encode(), encode(event))


def _workers(name: str) -> int:
    """Return how many workers stand beside a peer."""
    threads = _THREADS.match(name)
    return int(threads[1]) if threads else 1


def _runner(directory: Path, environment: Mapping[str, str], name: str) -> Callable[[], Measurement]:
    def run() -> Measurement:
        done = subprocess.run(
            [environment["PY"], str(directory / "bench.py"), name, "1"],
            env=os.environ | dict(environment),
            stdout=subprocess.PIPE,
            check=True,
            cwd=BUILD,
        )
        said = json.loads(done.stdout.splitlines()[-1])
        if "error" in said or not said.get("totals_ok", True):
            raise RuntimeError(f"{name} did not give the right totals: {said}")
        # Of folding, the second half, as ours leaves out its first fifth: a virtual machine warms up in the first.
        half = said.get("second_half_s")
        seconds, count = (half, said["N"] / 2) if half else (said["done_s"], said["n"])
        return Measurement(count / seconds, said["cpu_s"] / said["n"] * 1e6)

    return run


def _prepared(directory: Path, bootstrap: str, broker_pid: int) -> dict[str, str] | None:
    """Make what the peers need; return their environment, or None with the reason on standard error."""
    for tool in ("java", "javac", "mvn"):
        if shutil.which(tool) is None:
            sys.stderr.write(f"peers: {tool} is not on the path\n")
            return None
    BUILD.mkdir(parents=True, exist_ok=True)
    libraries, python = BUILD / "libs", BUILD / "venv" / "bin" / "python"
    if not libraries.exists():
        pom = directory / "broker" / "pom.xml"
        command = ["mvn", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={libraries}"]
        subprocess.run(command, check=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(BUILD / "venv")], check=True)
        requirements = str(directory / "requirements.txt")
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", requirements], check=True)
    (BUILD / "broker.pid").write_text(str(broker_pid), encoding="utf-8")
    # Results of another broker's topic must not pass for this one's: the reference is made anew.
    shutil.rmtree(BUILD / "tmp", ignore_errors=True)
    return {
        "BS": bootstrap,
        "PARTS": str(PARTITIONS),
        "PY": str(python),
        "KAFKA_LIBS": str(libraries),
        "PEERS_TMP": str(BUILD / "tmp"),
        "RESULTS": str(BUILD / "results.jsonl"),
        "BROKER_PID_FILE": str(BUILD / "broker.pid"),
        "TIMEOUT_S": str(LIMIT_SECONDS),
    }


def _topic(directory: Path, environment: dict[str, str], events: int) -> dict[str, str]:
    """Make the peers' topic with that many events; return the environment of a peer that reads it."""
    topic = f"peers-{events}"
    command = [environment["PY"], str(directory / "gen.py"), environment["BS"], topic, str(events), str(PARTITIONS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return environment | {"TOPIC": topic, "N": str(events), "GOAL": str(max(1, events * 5 // 2))}


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    directory = Path(sizes.options.get("directory", DIRECTORY_DEFAULT))
    if not (directory / "bench.py").exists():
        sys.stderr.write(f"peers: there are none in {directory}; name their folder with --set directory=PATH\n")
        yield []
        return
    wanted = [name for name in sizes.options.get("only", ",".join(PEERS)).split(",") if name]
    events = sizes.events_or(EVENTS_DEFAULT)
    with running_kafka() as kafka:
        bootstrap = kafka.bootstrap_servers
        environment = _prepared(directory, bootstrap, kafka.pid)
        if environment is None:
            yield []
            return
        make_topics(bootstrap, PARTITIONS)
        total = fill_log(bootstrap, chain(openings(CAMPAIGNS), same_content(events)))
        many = _topic(directory, environment, events)
        few = _topic(directory, environment, min(events, EVENTS_FAUST)) if "faust" in wanted else many
        rows = [
            Row(
                f"beside {name}, {events:,} events",
                "events/s",
                partial(measure_worker, bootstrap, total, _workers(name)),
                _runner(directory, few if name == "faust" else many, name),
                PEERS.get(name, ""),
                warm_up=False,
            )
            for name in wanted
            if not name.startswith("ks-recover")
        ]
        rows += [
            Row(f"{name} alone", "records/s", _runner(directory, many, name), warm_up=False)
            for name in wanted
            if name.startswith("ks-recover")
        ]
        yield rows


PEERS_BENCHMARK: Final = Benchmark("peers", "a worker beside other stream engines at similar work", _prepare)
