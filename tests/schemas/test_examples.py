"""Every kind of record has examples: valid ones that must stay valid, invalid ones that must stay refused."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from schemas import updates
from schemas.events import EVENT_TYPES, Decoding, Event, LogEvent, encode, type_name
from schemas.export import RECORD_TYPES
from schemas.payments import PAYMENT_TYPES, PaymentDecoding, PaymentEvent
from schemas.strictness import first_fault
from tests.schemas.json_schemas import is_valid

EXAMPLES: Final = Path(__file__).parents[2] / "schemas" / "examples"
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
VALID: Final = sorted(EXAMPLES.glob("*/valid-*.json"))
INVALID: Final = sorted(EXAMPLES.glob("*/invalid-*.json"))

BEYOND_JSON_SCHEMA: Final = {
    # JSON Schema counts 5000.0 as an integer (validation, section 6.1.1); the decoder does not.
    "invalid-amount_minor-whole-float",
    "invalid-goal_minor-whole-float",
    # A calendar, or the present time, is needed.
    "invalid-time-not-a-day",
    "invalid-time-before-2009",
    "invalid-made_at-before-2009",
    # Two fields, or parts of two items, are compared.
    "invalid-closes_at-before-opens_at",
    "invalid-lost_minor-over-amount",
    "invalid-stretch_goals-repeated",
    "invalid-rewards-repeated",
    # The list of zones grows with every release of the database.
    "invalid-timezone-unknown",
    "invalid-timezone-path",
    # Of a pledge the pattern is enough: the campaign's currency is a known one, and any other is refused.
    "invalid-currency-unknown",
    "invalid-currency-withdrawn",
    # In Python `$` also matches before a newline that ends the text; in JSON Schema (ECMA-262) it does not.
    "invalid-campaign_id-with-newline-last",
    "invalid-pledge_id-with-newline-last",
}
"""Faults that the decoder or `schemas.strictness` must find, since a JSON Schema cannot say them."""

IMPORTANT: Final = [
    (type_name, fault)
    for type_name in (
        "cercles.pledge.authorized",
        "cercles.pledge.captured",
        "cercles.pledge.refunded",
        "cercles.payment.refunded",
    )
    for fault in (
        "amount_minor-float",
        "amount_minor-zero",
        "amount_minor-negative",
        "amount_minor-bool",
        "amount_minor-string",
        "amount_minor-over-maximum",
        "amount_minor-missing",
        "currency-unknown",
        "currency-missing",
    )
]


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def decode(path: Path) -> LogEvent | PaymentEvent | updates.UpdateRecord:
    record: LogEvent | PaymentEvent | updates.UpdateRecord = decoder_of(path).decode(path.read_bytes())
    return record


def decoder_of(path: Path) -> Any:
    if path.parent.name in EVENT_TYPES:
        return Decoding.log
    return PaymentDecoding.log if path.parent.name in PAYMENT_TYPES else updates.decoder


def written(record: LogEvent | PaymentEvent | updates.UpdateRecord) -> bytes:
    return encode(record) if isinstance(record, Event) else updates.encoder.encode(record)


def refusal(path: Path) -> str | None:
    """Return why the example is refused at our doors, or None if it is not."""
    try:
        record = decode(path)
    except msgspec.ValidationError as error:
        return str(error)
    fault = first_fault(record, NOW) if isinstance(record, Event) else None
    return None if fault is None else str(fault)


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_example_is_taken(path: Path) -> None:
    """A valid example decodes to its type, passes our doors, and is valid under the JSON Schema."""
    record = decode(path)
    assert refusal(path) is None
    assert is_valid(path.parent.name, json.loads(path.read_bytes()))
    assert record.__struct_config__.tag == path.parent.name


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_example_survives_the_round_trip(path: Path) -> None:
    """What was decoded is written, still valid, and decodes to the same."""
    record = decode(path)
    again = written(record)
    assert is_valid(path.parent.name, json.loads(again))
    assert decoder_of(path).decode(again) == record
    if isinstance(record, Event) and path.parent.name in EVENT_TYPES:
        assert type_name(record) == path.parent.name


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_example_is_refused(path: Path) -> None:
    """The decoder or our doors refuse it."""
    assert refusal(path) is not None


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_the_json_schema_refuses_what_it_can_say(path: Path) -> None:
    """An invalid example is invalid under the JSON Schema as well, but for faults that a JSON Schema cannot say."""
    valid = is_valid(path.parent.name, json.loads(path.read_bytes()))
    assert valid == (path.stem in BEYOND_JSON_SCHEMA and not _said_of_a_launch(path))


def test_every_exemption_from_the_json_schema_is_needed() -> None:
    """A name that no example bears any more must go."""
    assert {path.stem for path in INVALID} >= BEYOND_JSON_SCHEMA


def _said_of_a_launch(path: Path) -> bool:
    """Of a launch the JSON Schema lists every currency."""
    return path.parent.name == "cercles.campaign.launched" and path.stem.startswith("invalid-currency")


@pytest.mark.parametrize("type_name", RECORD_TYPES)
def test_every_type_has_examples_of_both_kinds(type_name: str) -> None:
    """A new type is not finished without a valid and an invalid example."""
    kinds = {path.stem.partition("-")[0] for path in (EXAMPLES / type_name).iterdir()}
    assert kinds == {"valid", "invalid"}


def test_every_folder_of_examples_is_a_type() -> None:
    """No example stands where no test would read it."""
    assert {path.name for path in EXAMPLES.iterdir()} == set(RECORD_TYPES)
    assert set(EXAMPLES.glob("*/*")) == {*VALID, *INVALID}


@pytest.mark.parametrize(("type_name", "fault"), IMPORTANT)
def test_the_faults_that_cost_money_have_an_example(type_name: str, fault: str) -> None:
    """For each type that carries money each way to get an amount wrong is tried."""
    assert (EXAMPLES / type_name / f"invalid-{fault}.json").exists()


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_example_names_its_fault(path: Path) -> None:
    """The file name begins with the field or attribute at fault, or with what is unknown or missing."""
    subject = path.stem.removeprefix("invalid-").partition("-")[0]
    known = {"unknown", "no", "only", "all_or_nothing", "unattributed", "position", "milestone", "day", "stretch_goals"}
    text = json.dumps(_fields(RECORD_TYPES[path.parent.name]))
    assert subject in known or f'"{subject}"' in text


def _fields(struct: type[msgspec.Struct]) -> Any:
    _, components = msgspec.json.schema_components([struct])
    return components
