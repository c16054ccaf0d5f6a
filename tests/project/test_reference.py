"""docs/reference is what the code says: every event, topic, setting, metric, request and command is in it."""

from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from prometheus_client import CollectorRegistry, generate_latest

from cercles.commands import app
from cercles.process import Process
from cercles.processes import DESCRIPTIONS, ProcessName
from cercles.processes import make as make_process
from cercles.reference import commands, events, forms, http, metrics, topics
from cercles.reference.__main__ import PAGES, main
from schemas.events import EVENT_TYPES
from schemas.export import RECORD_TYPES, schema
from schemas.topics import RECORDS, TOPICS, Topic

NEEDED: Final = {
    "CERCLES_GATEWAY_ADMIN_KEY": "an-admin-key-of-tests",
    "CERCLES_PSEUDONYM_KEY": "a-pseudonym-key-of-tests",
}


def test_pages_are_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Run `python -m cercles.reference` after a change of an event, a setting, a metric, a route or a command."""
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_differences_are_shown_and_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing page and an edited one are found, the words say what to run, and writing settles the matter."""
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(PAGES)
    page = tmp_path / "topics.md"
    page.write_text(page.read_text(encoding="utf-8").replace("| key | campaign id |", "| key | pledge id |", 1))
    (tmp_path / "metrics.md").unlink()
    capsys.readouterr()
    assert main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "-| key | pledge id |" in said
    assert "not what the code says: metrics.md, topics.md. Run python -m cercles.reference" in said
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_has_an_owner_and_its_records_have_examples(topic: Topic) -> None:
    """A topic that is declared is on the page, whole."""
    section = topics.page().partition(f"## {topic.name}\n")[2].partition("\n## ")[0]
    for fact in ("holds", "key", "owner", "producers", "consumers", "configuration"):
        assert f"| {fact} | " in section
    for record in RECORDS[topic.name]:
        (row,) = [line for line in section.splitlines() if line.startswith(f"| [{record}]")]
        assert "/valid-" in row


@pytest.mark.parametrize("record", RECORD_TYPES)
def test_every_field_of_a_record_is_on_the_page(record: str) -> None:
    """Those of the structs within it, too."""
    section = events.page().partition(f"## {record}\n")[2].partition("\n## ")[0]
    structs = dict(schema(record)["$defs"])
    if record not in EVENT_TYPES:  # an event's envelope is described once, at the beginning
        structs[record] = schema(record)
    fields = [name for struct in structs.values() for name in struct.get("properties", {})]
    fields += [place["title"] for struct in structs.values() for place in struct.get("prefixItems", ())]
    assert fields
    assert [name for name in fields if f"| `{name}` | " not in section] == []


def test_every_process_has_its_metrics() -> None:
    """No process without a table, and none of them empty."""
    held = metrics.process_metrics()
    assert set(held) == set(DESCRIPTIONS)
    assert all(held.values())


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_metrics_of_a_process_are_those_that_it_registers(
    name: ProcessName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them, in the registry that the process itself makes, and no other."""
    for variable, value in NEEDED.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("CERCLES_DATABASE_URL", f"sqlite:///{tmp_path}/cercles.db")
    process: Process = make_process(name)
    registered = {family.name for family in process.registry.collect()}
    assert registered == {family.name for metric in metrics.process_metrics()[name] for family in metric.describe()}


def test_metrics_of_campaigns_are_all_there_without_a_campaign() -> None:
    """As Prometheus gets them from an empty database: every family is named, with its labels on the page."""

    class Held:
        def collect(self) -> Any:
            return metrics.campaign_metrics()

    registry = CollectorRegistry()
    registry.register(Held())
    names = {line.split()[2] for line in generate_latest(registry).decode().splitlines() if line.startswith("# TYPE")}
    page = metrics.page()
    assert "cercles_newest_entry_age_seconds" in names
    assert [name for name in names if f"| `{name}` | " not in page] == []
    assert "| `cercles_campaign_pledged_minor` | gauge | `campaign_id`, `circle`, `currency` | " in page


def test_every_route_is_on_the_page_with_its_answers() -> None:
    """As the gateway and the reader describe themselves."""
    page = http.page()
    for application in (http.gateway(), http.reader()):
        for path, item in http.document(application)["paths"].items():
            for method, operation in item.items():
                section = page.partition(f"### `{method.upper()} {path}`\n")[2].partition("\n### ")[0]
                assert all(f"| {status} | " in section for status in operation["responses"]), path


def test_every_command_and_option_is_on_the_page() -> None:
    """Those of the commands within commands, too."""
    page = commands.page()
    group: Any = typer.main.get_command(app)

    def check(command: Any, name: str) -> None:
        section = page.partition(f"# `{name}`\n")[2].partition("\n#")[0]
        options = [option for one in command.params if one.opts[0].startswith("-") for option in one.opts]
        assert [option for option in options if f"* `{option}" not in section] == [], name
        for within in getattr(command, "commands", {}).values():
            check(within, f"{name} {within.name}")

    check(group, "cercles")


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"const": "1.0"}, "`1.0`"),
        ({"enum": ["a", None]}, "`a` or `null`"),
        ({"enum": [str(number) for number in range(13)]}, "one of 13 values, such as `0`"),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 100}, "whole number, 1 to 99"),
        ({"type": "integer", "minimum": 3}, "whole number, at least 3"),
        ({"type": "number", "maximum": 3}, "number, at most 3"),
        ({"type": "string", "minLength": 3, "maxLength": 3, "pattern": "^A"}, "text of 3 characters, `^A`"),
        ({"type": "string", "format": "date-time", "pattern": "x"}, "time with its offset (RFC 3339)"),
        ({"type": ["string", "null"]}, "text or `null`"),
        ({"anyOf": [{"$ref": "#/$defs/Terms"}, {"type": "null"}]}, "<Terms> or `null`"),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 5}, "list of `true` or `false`; at most 5"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "mapping of text to whole number"),
        ({"type": "object"}, "object"),
        ({}, "any value"),
    ],
)
def test_schemas_in_words(described: dict[str, Any], words: str) -> None:
    """For somebody who does not read JSON Schema."""
    assert forms.form(described, lambda name: f"<{name}>") == words
