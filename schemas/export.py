"""Write the JSON Schema files: `python -m schemas.export`, or with `--check` say what would change.

One self-contained file (draft 2020-12) for each type of the two logs and each kind of record on the updates topic. They
are made from the structs, as strict as the decoder and the patterns of `schemas.fields`; what a struct checks in
`__post_init__` is added here where JSON Schema has words for it. Not sayable: that `closes_at` comes after `opens_at`,
that a stretch goal's id is not repeated, that a time zone exists, that `lost_minor` is at most `amount_minor`.
"""

import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from schemas.events import MILESTONE_STEPS_DEFAULT
from schemas.generated import settle
from schemas.money import EXPONENTS
from schemas.topics import RECORDS
from schemas.updates import Entry, Pledge, Position, UnattributedReason

DIRECTORY: Final = Path(__file__).parent / "json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SUFFIX: Final = ".schema.json"

RFC3339_PATTERN: Final = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""A date and time with its offset (RFC 3339, section 5.6). `format` alone is only an annotation to most validators."""

DATE_PATTERN: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
"""A day (RFC 3339, `full-date`)."""

_FORMATS: Final = {"date-time": RFC3339_PATTERN, "date": DATE_PATTERN}

RECORD_TYPES: Final = {name: struct for types in RECORDS.values() for name, struct in types.items()}
"""Every struct that has a file, by its `type` on the wire. Derived types are parts of an update, not records."""


def _not_null(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


_CROSS_FIELD: Final[dict[str, dict[str, Any]]] = {
    "CampaignLaunchedData": {
        # The defaults are all_or_nothing and pledged.
        "if": {"properties": {"goal_basis": {"const": "collected"}}, "required": ["goal_basis"]},
        "then": {"properties": {"funding_model": {"const": "keep_it_all"}}, "required": ["funding_model"]},
    },
    "CampaignAmendedData": {
        "anyOf": [_not_null(name) for name in ("title", "goal_minor", "stretch_goals", "closes_at")],
    },
    "SharePostedData": {
        "not": {"allOf": [_not_null("parent_token"), _not_null("circle")]},
    },
}
"""What `__post_init__` checks, by the struct's name."""

_FIELDS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("CampaignLaunchedData", "currency"): {"enum": sorted(EXPONENTS)},
    ("CampaignLaunchedData", "milestone_steps"): {"uniqueItems": True, "default": MILESTONE_STEPS_DEFAULT},
    ("Totals", "unattributed"): {"propertyNames": {"enum": list(get_args(UnattributedReason))}},
}
"""The same for one field, by the struct's and the field's name."""

_ROWS: Final = (Position, Entry, Pledge)
"""Structs that are arrays on the wire: each place in them has its field's name for a title."""


def schema(type_name: str) -> dict[str, Any]:
    """Return the JSON Schema of the records of that type, such as `cercles.pledge.captured`.

    Raises KeyError for a type that is no record of ours.
    """
    struct = RECORD_TYPES[type_name]
    named = components([struct], "#/$defs/{name}")
    root = named.pop(struct.__name__)
    return {"$schema": DIALECT, "$id": f"urn:cercles:schema:{type_name}", **root, "$defs": named}


def components(structs: Sequence[type[msgspec.Struct]], ref_template: str) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every struct that these are made of, by its name.

    They refer to each other by `ref_template`, in which `{name}` stands for a struct's name.
    """
    _, made = msgspec.json.schema_components(structs, ref_template=ref_template)
    named: dict[str, dict[str, Any]] = {name: _tidied(component) for name, component in made.items()}
    for name, rules in _CROSS_FIELD.items():
        if name in named:
            named[name] |= rules
    for (name, field), rules in _FIELDS.items():
        if name in named:
            named[name]["properties"][field] |= rules
    for row in _ROWS:
        if row.__name__ in named:
            for field, place in zip(row.__struct_fields__, named[row.__name__]["prefixItems"], strict=True):
                place["title"] = field
    return named


def _tidied(node: Any) -> Any:
    """Return the node with constants as `const`, times with their pattern and descriptions without indentation."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidied(value) for key, value in node.items()}
    if isinstance(tidy.get("enum"), list) and len(tidy["enum"]) == 1:
        tidy["const"] = tidy.pop("enum")[0]
    if tidy.get("format") in _FORMATS:
        tidy["pattern"] = _FORMATS[tidy["format"]]
    if isinstance(tidy.get("description"), str):
        tidy["description"] = " ".join(inspect.cleandoc(tidy["description"]).split())
    return tidy


def files(directory: Path = DIRECTORY) -> dict[Path, str]:
    """Return the text of every schema file by its path."""
    return {
        directory / (type_name + SUFFIX): json.dumps(schema(type_name), indent=2, ensure_ascii=False) + "\n"
        for type_name in RECORD_TYPES
    }


def main(arguments: Sequence[str] | None = None, directory: Path = DIRECTORY) -> int:
    """Write or check the files; return 1 when the check finds a difference. A type that is released never goes."""
    return settle(files(directory), "python -m schemas.export", arguments)


if __name__ == "__main__":
    sys.exit(main())
