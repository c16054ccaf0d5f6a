"""The page of the events: every type of record, field by field, from the schemas that are made of the structs."""

import inspect
from collections.abc import Iterator
from typing import Any, Final

from cercles.reference.forms import table
from schemas.events import EVENT_TYPES
from schemas.export import RECORD_TYPES, SUFFIX, schema

HEAD: Final = """\
# Events

What stands on the topics, field by field. This page is written by `python -m cercles.reference` from the structs in
[schemas/events.py](../../schemas/events.py) and [schemas/updates.py](../../schemas/updates.py); a check keeps it so.
Which topic holds what is on the page of the [topics](topics.md); what an event does to the totals is in the
[ledger's rules](../ledger.md).

Amounts (`…_minor`) are whole numbers of minor units of the currency. In `data` a field that is not known is refused.
A field that may be absent may also be `null`.
"""
ENVELOPE: Final = """\
## The envelope

Every event is a CloudEvent 1.0 in structured JSON. Attributes that are not known are left out of account. `id` serves
tracing only: facts are known by their own ids.
"""


def page() -> str:
    """Return the whole page, as Markdown."""
    lines = [HEAD, ENVELOPE, *_envelope(), ""]
    for record in EVENT_TYPES:
        lines += [*_heading(record), *_structs(record, schema(record)["$defs"])]
    for record in (name for name in RECORD_TYPES if name not in EVENT_TYPES):
        lines += [*_heading(record), *table(schema(record), _link(record)), ""]
        lines += _structs(record, schema(record)["$defs"])
    return "\n".join(lines).rstrip() + "\n"


def _heading(record: str) -> Iterator[str]:
    struct = RECORD_TYPES[record]
    about = struct.__annotations__.get("data", struct) if record in EVENT_TYPES else struct
    yield f"## {record}"
    yield ""
    yield " ".join(inspect.cleandoc(about.__doc__ or "").split())
    yield ""
    yield f"Schema: [{record}{SUFFIX}](../../schemas/json/{record}{SUFFIX})."
    yield ""


def _envelope() -> Iterator[str]:
    first, *others = EVENT_TYPES
    envelope = schema(first)
    fields = envelope["properties"] | {
        "type": {"enum": [first, *others]},
        "data": {"type": "object"},
    }
    yield from table(envelope | {"properties": fields}, _link(first))


def _structs(record: str, structs: dict[str, Any]) -> Iterator[str]:
    """Yield the tables of what a record is made of: an event's own data without a heading, everything else with one."""
    for name, struct in structs.items():
        own = record in EVENT_TYPES and name == RECORD_TYPES[record].__name__ + "Data"
        if not own:
            yield from (f"### {_title(record, name)}", "", struct.get("description", ""), "")
        if "properties" in struct:
            yield from table(struct, _link(record))
        else:
            yield from (
                "An array of these in this order, of which the last may be missing if they are not needed:",
                "",
            )
            yield from table(_by_name(struct), _link(record))
        yield ""


def _by_name(row: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an array as that of an object with as many fields."""
    places = row["prefixItems"]
    names = [place["title"] for place in places]
    return {"properties": dict(zip(names, places, strict=True)), "required": names[: row["minItems"]]}


def _title(record: str, name: str) -> str:
    return f"{name} of {record}"


def _link(record: str) -> Any:
    def link(name: str) -> str:
        anchor = _title(record, name).lower().replace(".", "").replace(" ", "-")
        return f"[{name}](#{anchor})"

    return link
