"""A newer schema takes every document that an older one took: the log is kept forever."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from schemas import export
from schemas.compatibility import incompatibilities
from schemas.events import EVENT_TYPES
from schemas.payments import PAYMENT_TYPES

RELEASED: Final = sorted((export.DIRECTORY / "released").glob("*/*" + export.SUFFIX))
CAPTURED: Final = "cercles.pledge.captured"

Schema = dict[str, Any]
Change = Callable[[Schema], object]


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_valid_in_a_release_is_valid_now(path: Path) -> None:
    """Each released schema is compatible with the one of today."""
    name = path.name.removesuffix(export.SUFFIX)
    old = json.loads(path.read_text(encoding="utf-8"))
    if name not in EVENT_TYPES and name not in PAYMENT_TYPES:
        old = _as_written_by_us_alone(old)
    assert incompatibilities(old, export.schema(name)) == []


def _as_written_by_us_alone(node: Any) -> Any:
    """Return the schema without properties and places of others: nobody but the worker ever wrote an update."""
    if isinstance(node, list):
        return [_as_written_by_us_alone(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {"additionalProperties": False} if "properties" in node else {}
    if "prefixItems" in node:
        closed["items"] = False
    return closed | {key: _as_written_by_us_alone(value) for key, value in node.items()}


def test_the_first_release_has_every_type() -> None:
    """The baseline of the types that the log began with is there."""
    assert {path.name for path in RELEASED if path.parent.name == "1"} <= {path.name for path in export.files()}
    assert len([path for path in RELEASED if path.parent.name == "1"]) == 14


def _data(schema: Schema) -> Schema:
    data: Schema = schema["$defs"]["PledgeCapturedData"]
    return data


def _field(schema: Schema, name: str) -> Schema:
    field: Schema = _data(schema)["properties"][name]
    return field


INCOMPATIBLE: Final[dict[str, tuple[Change, str]]] = {
    "a field removed where others are forbidden": (
        lambda s: _data(s)["properties"].pop("reward_id"),
        "/data/reward_id: the property is no longer allowed",
    ),
    "a new required field": (
        lambda s: (
            _data(s)["properties"].update(fee_minor={"type": "integer"}),
            _data(s)["required"].append("fee_minor"),
        ),
        "/data: now requires 'fee_minor'",
    ),
    "an optional field made required": (
        lambda s: _data(s)["required"].append("backer_id"),
        "/data: now requires 'backer_id'",
    ),
    "a lower maximum": (
        lambda s: _field(s, "amount_minor").update(maximum=10**9),
        "/data/amount_minor: maximum went from 1000000000000 to 1000000000",
    ),
    "a higher minimum": (
        lambda s: _field(s, "amount_minor").update(exclusiveMinimum=99),
        "/data/amount_minor: exclusiveMinimum went from 0 to 99",
    ),
    "a new bound": (
        lambda s: s["properties"]["dataschema"]["anyOf"][0].update(maxLength=255),
        "/dataschema: is now bound by maxLength 255",
    ),
    "a shorter text": (
        lambda s: _field(s, "pledge_id").update(maxLength=64),
        "/data/pledge_id: maxLength went from 255 to 64",
    ),
    "another pattern": (
        lambda s: _field(s, "pledge_id").update(pattern="^[a-z]+$"),
        "/data/pledge_id: pattern is new or changed",
    ),
    "a new pattern": (
        lambda s: s["properties"]["id"].update(pattern="^[a-z]+$"),
        "/id: pattern is new or changed",
    ),
    "a new format": (
        lambda s: s["properties"]["id"].update(format="uuid"),
        "/id: format is new or changed",
    ),
    "another type": (
        lambda s: _field(s, "final").update(type="string"),
        "/data/final: no longer takes the type 'boolean'",
    ),
    "null no longer allowed": (
        lambda s: _data(s)["properties"].update(backer_id=_field(s, "backer_id")["anyOf"][0]),
        "/data/backer_id: no longer takes the type 'null'",
    ),
    "any value narrowed to some": (
        lambda s: _field(s, "currency").update(enum=["EUR"]),
        "/data/currency: any value was allowed, now only ['EUR']",
    ),
    "another constant": (
        lambda s: s["properties"]["specversion"].update(const="2.0"),
        "/specversion: no longer takes the value '1.0'",
    ),
    "extension attributes forbidden": (
        lambda s: s.update(additionalProperties=False),
        "/: no longer takes every additional property",
    ),
    "extension attributes bound": (
        lambda s: s.update(additionalProperties={"type": "string"}),
        "/: no longer takes every additional property",
    ),
    "an attribute that was free": (
        lambda s: s["properties"].update(traceparent={"type": "string"}),
        "/traceparent: the property was free and is now bound",
    ),
    "a new rule between fields": (
        lambda s: _data(s).update({"not": {"required": ["backer_id"]}}),
        "/data: not is new or changed",
    ),
    "a rule of alternatives": (
        lambda s: _data(s).update(anyOf=[{"required": ["backer_id"]}]),
        "/data: anyOf is new or changed",
    ),
}


@pytest.mark.parametrize("kind", INCOMPATIBLE)
def test_an_incompatible_change_is_caught(kind: str) -> None:
    """The change is reported once, with its place."""
    change, reason = INCOMPATIBLE[kind]
    new = export.schema(CAPTURED)
    change(new)
    assert incompatibilities(export.schema(CAPTURED), new) == [reason]


COMPATIBLE: Final[dict[str, Change]] = {
    "a new optional field": lambda s: _data(s)["properties"].update(fee_minor={"type": "integer"}),
    "a required field made optional": lambda s: _data(s)["required"].remove("currency"),
    "a higher maximum": lambda s: _field(s, "amount_minor").update(maximum=10**15),
    "a lower minimum": lambda s: _field(s, "amount_minor").update(exclusiveMinimum=-1),
    "a bound gone": lambda s: _field(s, "amount_minor").pop("maximum"),
    "a pattern gone": lambda s: _field(s, "pledge_id").pop("pattern"),
    "null allowed": lambda s: _data(s)["properties"].update(
        capture_id={"anyOf": [_field(s, "capture_id"), {"type": "null"}]}
    ),
    "another type beside": lambda s: _field(s, "final").update(type=["boolean", "string"]),
    "numbers for integers": lambda s: _field(s, "amount_minor").update(type="number"),
    "a constant among others": lambda s: s["properties"].update(specversion={"enum": ["1.0", "1.1"]}),
    "any text for a constant": lambda s: s["properties"].update(specversion={"type": "string"}),
    "other fields allowed": lambda s: _data(s).pop("additionalProperties"),
    "an attribute no longer bound": lambda s: s["properties"].pop("subject"),
    "other words": lambda s: _data(s).update(description="Money taken from the backer."),
}


@pytest.mark.parametrize("kind", COMPATIBLE)
def test_a_compatible_change_is_not_reported(kind: str) -> None:
    """Whatever the old schema took the new one takes."""
    new = export.schema(CAPTURED)
    COMPATIBLE[kind](new)
    assert incompatibilities(export.schema(CAPTURED), new) == []


def test_a_narrowed_enumeration_is_caught() -> None:
    """A status that the log may hold must stay."""
    old, new = (export.schema("cercles.pledge.refunded") for _ in range(2))
    new["$defs"]["PledgeRefundedData"]["properties"]["status"]["enum"].remove("canceled")
    assert incompatibilities(old, new) == ["/data/status: no longer takes the value 'canceled'"]
    assert incompatibilities(new, old) == []


def test_items_are_compared() -> None:
    """A list's items, their number, and a list that takes no repeated item."""
    old, new = (export.schema("cercles.campaign.launched") for _ in range(2))
    launched = new["$defs"]["CampaignLaunchedData"]["properties"]
    launched["milestone_steps"]["items"]["exclusiveMaximum"] = 50
    launched["sources"] |= {"maxItems": 10, "uniqueItems": True}
    new["$defs"]["StretchGoal"]["required"].append("picture")
    assert incompatibilities(old, new) == [
        "/data/milestone_steps/[]: exclusiveMaximum went from 100 to 50",
        "/data/sources: maxItems went from 50 to 10",
        "/data/sources: uniqueItems is new or changed",
        "/data/stretch_goals/[]: now requires 'picture'",
    ]


def test_items_by_place_are_compared() -> None:
    """A position is a pair: neither part may be narrowed, nor a third be asked for."""
    old, new = (export.schema("cercles.update") for _ in range(2))
    new["$defs"]["Position"]["prefixItems"][0]["minimum"] = 0
    new["$defs"]["Position"]["prefixItems"].append({"type": "integer"})
    new["$defs"]["Position"]["minItems"] = 3
    found = incompatibilities(old, new)
    assert {reason for reason in found if reason.startswith("/before")} == {
        "/before: minItems went from 2 to 3",
        "/before/[0]: is now bound by minimum 0",
        "/before/[2]: any type was allowed, now only ['integer']",
    }


def test_a_row_may_get_a_further_place_and_none_may_be_moved_or_taken_out() -> None:
    """Of those that only we have written; their names are all that tells two amounts apart."""
    old = _as_written_by_us_alone(export.schema("cercles.update"))
    new = export.schema("cercles.update")
    places = new["$defs"]["Entry"]["prefixItems"]
    places.append({"type": "integer", "default": 0, "title": "fee_minor"})
    assert incompatibilities(old, new) == []
    places[8], places[9] = places[9], places[8]
    assert incompatibilities(old, new) == [
        "/entries/[]/[8]: was 'pledged_minor', and is not any more",
        "/entries/[]/[9]: was 'collected_minor', and is not any more",
    ]
    new = export.schema("cercles.update")
    new["$defs"]["Pledge"]["prefixItems"].pop()
    assert incompatibilities(old, new) == ["/pledges/[]/[11]: was 'reward_id', and is not any more"]


def test_values_of_a_map_are_compared() -> None:
    """`unattributed` maps reasons to counts."""
    old, new = (export.schema("cercles.update") for _ in range(2))
    new["$defs"]["Totals"]["properties"]["unattributed"]["additionalProperties"] = {"type": "string"}
    assert incompatibilities(old, new) == ["/totals/unattributed/*: no longer takes the type 'integer'"]


def test_a_removed_field_is_held_to_what_other_fields_may_be() -> None:
    """Where additional properties are bound, a removed field must fit that bound."""
    old = {"properties": {"amount": {"type": "integer"}}, "additionalProperties": {"type": "string"}}
    assert incompatibilities(old, {"additionalProperties": {"type": "string"}}) == [
        "/amount: no longer takes the type 'integer'"
    ]


def test_a_schema_that_contains_itself_is_compared_to_its_end() -> None:
    """A tree's nodes are trees."""
    tree: Schema = {
        "$ref": "#/$defs/Tree",
        "$defs": {"Tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Tree"}}}},
    }
    narrower = copy.deepcopy(tree)
    assert incompatibilities(tree, narrower) == []
    narrower["$defs"]["Tree"]["required"] = ["child"]
    assert incompatibilities(tree, narrower) == ["/: now requires 'child'"]


def test_rules_under_a_condition_that_is_gone_say_nothing() -> None:
    """Without `if`, `then` and `else` are ignored (core, section 10.2.2)."""
    rules: Schema = {"if": {"required": ["a"]}, "then": {"required": ["b"]}}
    assert incompatibilities(rules, {"then": {"required": ["b"]}, "else": {"required": ["c"]}}) == []
    assert incompatibilities({}, rules) == ["/: if is new or changed", "/: then is new or changed"]


@pytest.mark.parametrize("reference", ["https://example.org/schema.json", "#/properties/a"])
def test_a_reference_that_cannot_be_followed_is_an_error(reference: str) -> None:
    """What cannot be compared is never taken for compatible."""
    with pytest.raises(ValueError, match="cannot follow"):
        incompatibilities({"$ref": reference}, {"type": "string"})
