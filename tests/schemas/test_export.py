"""The JSON Schema files are those of the structs."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from schemas import export, updates
from schemas.events import EVENT_TYPES
from schemas.payments import PAYMENT_TYPES
from schemas.updates import MilestoneType


def test_the_files_are_those_of_the_structs() -> None:
    """A struct that changed without its file fails here: run `python -m schemas.export`."""
    assert export.main(["--check"]) == 0


def test_every_type_of_the_log_and_of_the_updates_has_a_file() -> None:
    """Derived types have none: they are parts of an update, not records."""
    names = {path.name.removesuffix(export.SUFFIX) for path in export.DIRECTORY.glob("*" + export.SUFFIX)}
    assert names == {*EVENT_TYPES, *PAYMENT_TYPES, "cercles.update", "cercles.progress"}
    assert names.isdisjoint(get_args(MilestoneType))


def test_the_same_structs_give_the_same_bytes() -> None:
    """The files do not depend on when or in which order they are made."""
    assert export.files() == export.files()


@pytest.mark.parametrize("type_name", export.RECORD_TYPES)
def test_a_file_is_a_json_schema_of_its_own(type_name: str) -> None:
    """It names its dialect, conforms to it, and refers to nothing outside itself."""
    schema = export.schema(type_name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    references = set(_every(schema, "$ref"))
    assert all(reference.startswith("#/$defs/") for reference in references)
    assert {reference.removeprefix("#/$defs/") for reference in references} == set(schema["$defs"])


@pytest.mark.parametrize("type_name", [*EVENT_TYPES, *PAYMENT_TYPES])
def test_an_event_is_bound_as_the_struct_binds_it(type_name: str) -> None:
    """`type` and `specversion` are constants and `data` takes no other field."""
    schema = export.schema(type_name)
    assert schema["properties"]["type"] == {"const": type_name}
    assert schema["properties"]["specversion"] == {"const": "1.0"}
    assert {"type", "specversion", "id", "source", "time", "data"} <= set(schema["required"])
    data = schema["$defs"][schema["properties"]["data"]["$ref"].removeprefix("#/$defs/")]
    assert data["additionalProperties"] is False
    assert ("campaign_id" if type_name in EVENT_TYPES else "payment_id") in data["required"]


@pytest.mark.parametrize("type_name", export.RECORD_TYPES)
def test_every_time_has_its_pattern(type_name: str) -> None:
    """`format` is only an annotation to most validators, so the offset is asked for by a pattern."""
    schema = export.schema(type_name)
    times = [node for node in _nodes(schema) if node.get("format") == "date-time"]
    assert all(node["pattern"] == export.RFC3339_PATTERN for node in times)


@pytest.mark.parametrize("type_name", [*EVENT_TYPES, *PAYMENT_TYPES])
def test_every_amount_is_a_bound_integer(type_name: str) -> None:
    """No amount of an event can be a float, 0, or over 10^12 minor units."""
    amounts = [
        node
        for struct in export.schema(type_name)["$defs"].values()
        for name, field in struct["properties"].items()
        if name.endswith("_minor")
        for node in field.get("anyOf", [field])
        if node != {"type": "null"}
    ]
    bound = {"type": "integer", "exclusiveMinimum": 0, "maximum": 10**12}
    assert all(amount == bound for amount in amounts)


def test_every_place_of_a_row_has_its_fields_name() -> None:
    """Whoever reads an update finds out what stands where; no struct that is an array is forgotten."""
    parts = export.schema("cercles.update")["$defs"]
    rows = {name for name, part in parts.items() if "prefixItems" in part}
    assert rows == {"Position", "Entry", "Pledge"}
    for name in rows:
        titles = [place["title"] for place in parts[name]["prefixItems"]]
        assert titles == list(getattr(updates, name).__struct_fields__)


def test_check_is_silent_on_what_was_just_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Writing and checking at once finds nothing."""
    assert export.main([], tmp_path) == 0
    assert export.main(["--check"], tmp_path) == 0
    assert capsys.readouterr().err == ""


def test_check_prints_the_difference_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed and a missing file are each shown, and nothing is written."""
    assert export.main([], tmp_path) == 0
    changed = tmp_path / "cercles.pledge.captured.schema.json"
    changed.write_text(changed.read_text(encoding="utf-8").replace('"maxLength": 255', '"maxLength": 256', 1))
    (tmp_path / "cercles.progress.schema.json").unlink()
    assert export.main(["--check"], tmp_path) == 1
    printed = capsys.readouterr().err
    assert '-      "maxLength": 256' in printed
    assert '+      "maxLength": 255' in printed
    assert "+++ made/cercles.progress.schema.json" in printed
    assert "Run python -m schemas.export" in printed
    assert "256" in changed.read_text(encoding="utf-8")


def test_an_unknown_type_has_no_schema() -> None:
    """Derived types are not records."""
    with pytest.raises(KeyError):
        export.schema("cercles.goal.reached")


def test_the_written_text_is_json() -> None:
    """Each file parses to its schema."""
    assert {path.name: json.loads(text) for path, text in export.files().items()} == {
        name + export.SUFFIX: export.schema(name) for name in export.RECORD_TYPES
    }


def _nodes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in _nodes(item)]
    if not isinstance(node, dict):
        return []
    return [node, *(found for value in node.values() for found in _nodes(value))]


def _every(node: Any, keyword: str) -> list[Any]:
    return [found[keyword] for found in _nodes(node) if keyword in found]
