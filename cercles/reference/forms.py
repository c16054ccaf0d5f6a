"""JSON Schema in words, and as tables of fields."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from schemas.export import DATE_PATTERN, RFC3339_PATTERN

NAMED_MAX: Final = 12
"""Most values that are listed by name."""

Link = Callable[[str], str]
"""Gives the Markdown link for the name of a schema."""


def table(schema: Mapping[str, Any], link: Link) -> Iterator[str]:
    """Yield the lines of the table of an object's fields."""
    yield "| field | form | without it |"
    yield "|---|---|---|"
    for name, field in schema.get("properties", {}).items():
        yield f"| `{name}` | {cell(form(field, link))} | {cell(_absent(schema, name, field))} |"


def cell(text: str) -> str:
    """Return the text as it may stand in a cell of a table."""
    return " ".join(text.replace("|", r"\|").split())


def form(schema: Mapping[str, Any], link: Link) -> str:
    """Return what a value must be, in words."""
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(form(one, link) for one in schema[choice])
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return _one_of(schema["enum"])
    return _of_type(schema, link)


def _one_of(values: list[Any]) -> str:
    if len(values) > NAMED_MAX:
        return f"one of {len(values)} values, such as {_value(values[0])}"
    return " or ".join(map(_value, values))


def _value(value: Any) -> str:
    """Return a value as it stands in JSON; a text without its quotation marks."""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _of_type(schema: Mapping[str, Any], link: Link) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_of_type(dict(schema) | {"type": one}, link) for one in kind)
    if kind in _NUMBERS:
        return _within(_NUMBERS[kind], *_range(schema))
    if kind == "string":
        return _text(schema)
    if kind == "array":
        return _list(schema, link)
    values = schema.get("additionalProperties")
    if kind == "object" and isinstance(values, dict) and values:
        return f"mapping of text to {form(values, link)}"
    return _OTHERS.get(str(kind), "any value")


_NUMBERS: Final = {"integer": "whole number", "number": "number"}
_OTHERS: Final = {"boolean": "`true` or `false`", "null": "`null`", "object": "object"}


def _text(schema: Mapping[str, Any]) -> str:
    match schema.get("format"):
        case "date-time":
            return "time with its offset (RFC 3339)"
        case "date":
            return "day (RFC 3339)"
    words = _within("text", schema.get("minLength"), schema.get("maxLength"))
    if "minLength" in schema or "maxLength" in schema:
        words += " characters"
    pattern = schema.get("pattern")
    return words if pattern in (None, RFC3339_PATTERN, DATE_PATTERN) else f"{words}, `{pattern}`"


def _list(schema: Mapping[str, Any], link: Link) -> str:
    parts = schema.get("prefixItems")
    if parts:
        return f"list of {len(parts)}: " + ", ".join(form(part, link) for part in parts)
    words = f"list of {form(schema.get('items', {}), link)}"
    return words if schema.get("maxItems") is None else f"{words}; at most {schema['maxItems']}"


def _range(schema: Mapping[str, Any]) -> tuple[Any, Any]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + 1
    if "exclusiveMaximum" in schema:
        most = schema["exclusiveMaximum"] - 1
    return least, most


def _within(words: str, least: Any, most: Any) -> str:
    match least, most:
        case None, None:
            return words
        case None, _:
            return f"{words}, at most {most}"
        case _, None:
            return f"{words}, at least {least}"
        case _ if least == most:
            return f"{words} of {least}"
    return f"{words}, {least} to {most}"


def _absent(schema: Mapping[str, Any], name: str, field: Mapping[str, Any]) -> str:
    if name in schema.get("required", ()):
        return "needed"
    default = field.get("default")
    if default is None or default in ([], {}):
        return "absent"
    return _value(default)
