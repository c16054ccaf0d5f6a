"""Is every document that was valid under an old JSON Schema valid under a new one?

Compares the keywords that `schemas.export` writes, side by side. What it cannot compare it reports, so that silence
means compatible; a false alarm costs a look, a missed one a log that can no longer be read. The schemas of each release
stand in `json/released/N/` and are never edited: the log still holds what they allowed. (Until the first version is
released an update's may be, which stands on no log: docs/adr/0013.)
"""

from collections.abc import Mapping
from typing import Any, Final

Node = Mapping[str, Any]

_ANNOTATIONS: Final = frozenset(
    {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated"}
)
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_COMPARED: Final = frozenset(
    {"$ref", "type", "properties", "required", "additionalProperties", "items", "prefixItems", "enum", "const"}
) | {*_UPPER, *_LOWER}
_JSON_TYPES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
    (type(None), "null"),
)


def incompatibilities(old: Node, new: Node) -> list[str]:
    """Return, each with its place, the reasons why a document valid under `old` may be invalid under `new`."""
    return _Comparison(old, new).compare(old, new, "")


class _Comparison:
    """One comparison: the two whole schemas, for their `$ref`, and what is being compared, for recursive ones."""

    def __init__(self, old: Node, new: Node) -> None:
        self._old_root = old
        self._new_root = new
        self._under_way: set[tuple[str, str]] = set()

    def compare(self, old: Node, new: Node, place: str) -> list[str]:
        if not new:
            return []  # takes everything
        references = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if "" not in references:
            if references in self._under_way:
                return []
            self._under_way.add(references)
        found = self._compare_resolved(_resolved(old, self._old_root), _resolved(new, self._new_root), place or "/")
        self._under_way.discard(references)
        return found

    def _compare_resolved(self, old: Node, new: Node, place: str) -> list[str]:
        branches, candidates = _branches(old), _branches(new)
        if len(branches) > 1 or len(candidates) > 1:
            return self._compare_branches(branches, candidates, place)
        values = _values(old)
        if values is not None:
            return self._compare_values(values, new, place)
        found = _types(old, new, place)
        if found:
            return found  # the rest is about another type
        for check in (_bounds, _values_narrowed, _equal_or_gone):
            found += check(old, new, place)
        for inner in (self._properties, self._additional, self._items):
            found += inner(old, new, place)
        return found

    def _compare_branches(self, old: list[Node], new: list[Node], place: str) -> list[str]:
        """Each old branch must fit into one new branch."""
        found: list[str] = []
        for branch in old:
            reasons = [self.compare(branch, candidate, place) for candidate in new]
            if all(reasons):
                fewest: list[str] = min(reasons, key=len)
                found += fewest
        return found

    def _compare_values(self, values: list[Any], new: Node, place: str) -> list[str]:
        """An enumeration is compatible with what takes each of its values."""
        allowed = _values(new)
        if allowed is not None:
            gone = [value for value in values if value not in allowed]
            return [f"{place}: no longer takes the value {value!r}" for value in gone]
        return [
            reason for value in values for reason in self._compare_resolved({"type": _json_type(value)}, new, place)
        ]

    def _properties(self, old: Node, new: Node, place: str) -> list[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        found: list[str] = []
        for name in sorted({*before, *after}):
            inside = f"{place.rstrip('/')}/{name}"
            if name in before and name in after:
                found += self.compare(before[name], after[name], inside)
            elif name in before:
                rest = new.get("additionalProperties", True)
                if rest is False:
                    found.append(f"{inside}: the property is no longer allowed")
                elif isinstance(rest, Mapping):
                    found += self.compare(before[name], rest, inside)
            elif old.get("additionalProperties", True) is not False and after[name] not in ({}, True):
                found.append(f"{inside}: the property was free and is now bound")
        needed = set(new.get("required", [])) - set(old.get("required", []))
        return found + [f"{place}: now requires {name!r}" for name in sorted(needed)]

    def _additional(self, old: Node, new: Node, place: str) -> list[str]:
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if before is False or after is True:
            return []
        if before is True or after is False:
            return [f"{place}: no longer takes every additional property"]
        return self.compare(before, after, f"{place.rstrip('/')}/*")

    def _items(self, old: Node, new: Node, place: str) -> list[str]:
        found: list[str] = []
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        rest_before, rest_after = old.get("items", {}), new.get("items", {})
        for index in range(max(len(before), len(after))):
            inside = f"{place.rstrip('/')}/[{index}]"
            was = before[index] if index < len(before) else rest_before
            now = after[index] if index < len(after) else rest_after
            if was is not False:
                # A row's places are known by their number alone: none may become another, or go.
                if was.get("title") not in {None, now.get("title")}:
                    found.append(f"{inside}: was {was['title']!r}, and is not any more")
                found += self.compare(was, now, inside)
        if rest_before is False:
            return found
        return found + self.compare(rest_before, rest_after, f"{place.rstrip('/')}/[]")


def _resolved(node: Node, root: Node) -> Node:
    """Return the node with its `$ref` followed. Raises ValueError for one that leads out of the document or nowhere."""
    seen = set()
    while "$ref" in node:
        reference = str(node["$ref"])
        if reference in seen or not reference.startswith("#/$defs/"):
            raise ValueError(f"cannot follow $ref {reference!r}")
        seen.add(reference)
        node = root["$defs"][reference.removeprefix("#/$defs/")]
    return node


def _branches(node: Node) -> list[Node]:
    """Return the alternatives that the schema consists of; with other keywords beside it `anyOf` is only a rule."""
    if any(key not in _ANNOTATIONS and key != "anyOf" for key in node):
        return [node]
    return list(node.get("anyOf", [node]))


def _values(node: Node) -> list[Any] | None:
    if "const" in node:
        return [node["const"]]
    values: list[Any] | None = node.get("enum")
    return values


def _json_type(value: Any) -> str:
    return next(name for kind, name in _JSON_TYPES if isinstance(value, kind))


def _type_names(node: Node) -> set[str] | None:
    kind = node.get("type")
    if kind is None:
        return None
    return {kind} if isinstance(kind, str) else set(kind)


def _types(old: Node, new: Node, place: str) -> list[str]:
    before, after = _type_names(old), _type_names(new)
    if after is None:
        return []
    if before is None:
        return [f"{place}: any type was allowed, now only {sorted(after)}"]
    if "number" in after:
        after = after | {"integer"}
    return [f"{place}: no longer takes the type {name!r}" for name in sorted(before - after)]


def _bounds(old: Node, new: Node, place: str) -> list[str]:
    found = []
    for keyword in (*_UPPER, *_LOWER):
        if keyword not in new:
            continue
        if keyword not in old:
            found.append(f"{place}: is now bound by {keyword} {new[keyword]}")
        elif (new[keyword] < old[keyword]) if keyword in _UPPER else (new[keyword] > old[keyword]):
            found.append(f"{place}: {keyword} went from {old[keyword]} to {new[keyword]}")
    return found


def _values_narrowed(old: Node, new: Node, place: str) -> list[str]:
    allowed = _values(new)
    if allowed is None or _values(old) is not None:
        return []
    return [f"{place}: any value was allowed, now only {allowed}"]


def _equal_or_gone(old: Node, new: Node, place: str) -> list[str]:
    """Every other keyword (`pattern`, `format`, `not`, `if`, …) may stay as it is or go, nothing else."""
    found = []
    for keyword in new:
        if keyword in _ANNOTATIONS or keyword in _COMPARED or old.get(keyword) == new[keyword]:
            continue
        if keyword in {"then", "else"} and "if" not in new:
            continue  # without `if` they say nothing
        found.append(f"{place}: {keyword} is new or changed")
    return found
