"""What our own doors ask of an event beyond decoding, and where they say a fault is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from schemas.events import EVENT_TYPES, Decoding, Event, LogEvent
from schemas.fields import IDENTIFIER_PATTERN
from schemas.payments import PAYMENT_TYPES
from schemas.strictness import DEADLINE_AHEAD_MAX, Fault, escape, fault_of, first_fault, pointer_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def event(kind: str = "pledge.captured", *, envelope: dict[str, Any] | None = None, **data: Any) -> Event:
    """Return an event of the log, valid but for what is given."""
    valid: dict[str, dict[str, Any]] = {
        "pledge.captured": {"pledge_id": "p", "capture_id": "c", "amount_minor": 1, "currency": "EUR"},
        "pledge.failed": {"pledge_id": "p", "attempt_id": "a", "reason": "card_declined"},
        "share.posted": {"share_token": "t", "sharer_id": "s", "network": "n"},
        "campaign.launched": {
            "title": "Film",
            "owner_id": "o",
            "currency": "EUR",
            "goal_minor": 1,
            "opens_at": "2026-05-01T00:00:00Z",
            "closes_at": "2026-07-01T00:00:00Z",
            "timezone": "Europe/Paris",
            "sources": ["sources/shop"],
            "stretch_goals": [{"stretch_goal_id": "g", "title": "More", "amount_minor": 2}],
        },
    }
    document = {
        "specversion": "1.0",
        "type": f"cercles.{kind}",
        "id": "e",
        "source": "sources/shop",
        "time": "2026-06-01T12:00:00Z",
        "data": {"campaign_id": "campaign", **valid[kind], **data},
    } | (envelope or {})
    decoded: LogEvent = Decoding.log.decode(msgspec.json.encode(document))
    return decoded


def pointer(made: Event, **options: Any) -> str | None:
    fault = first_fault(made, NOW, **options)
    return None if fault is None else fault.pointer


@pytest.mark.parametrize("kind", ["pledge.captured", "pledge.failed", "share.posted", "campaign.launched"])
def test_a_valid_event_has_no_fault(kind: str) -> None:
    """The events of these tests are valid."""
    assert first_fault(event(kind), NOW) is None


@pytest.mark.parametrize("value", ["a b", "a/b", "é", "a\n", "\na", "a\u0000", "\u200b", "x" * 65])
def test_ids_are_plain_and_short(value: str) -> None:
    """Also an id whose only fault is a newline at its end, which `$` would let pass."""
    assert pointer(event(pledge_id=value)) == "/data/pledge_id"


def test_gateways_may_use_longer_ids() -> None:
    """The bound is the caller's."""
    made = event(pledge_id="x" * 255)
    assert pointer(made) == "/data/pledge_id"
    assert pointer(made, identifier_length_max=255) is None


def test_absent_ids_are_no_fault() -> None:
    """Only what is there is looked at."""
    assert first_fault(event(backer_id=None), NOW) is None


@pytest.mark.parametrize("currency", ["eur", "XXX", "XAU", "EU\n"])
def test_currencies_are_active_codes(currency: str) -> None:
    """As `schemas.money` has them."""
    assert pointer(event(currency=currency)) == "/data/currency"


@pytest.mark.parametrize("field", ["id", "subject", "dataschema"])
@pytest.mark.parametrize("value", ["a\u0000", "\n", "\u0085", "\u001f", "a\u009fb"])
def test_texts_of_the_envelope_have_no_control_characters(field: str, value: str) -> None:
    """NUL and line ends among them."""
    assert pointer(event(envelope={field: value})) == f"/{field}"


@pytest.mark.parametrize("value", ["", "zwölf € – «ok»", "line\u2028separator", "a b"])
def test_other_characters_may_stand_in_texts(value: str) -> None:
    """What is no control character is allowed, printable or not."""
    assert pointer(event(envelope={"subject": value})) is None


@pytest.mark.parametrize("source", ["a b", "a\n", "http://x?y"])
def test_sources_have_a_pattern_of_their_own(source: str) -> None:
    """Slashes are allowed in them."""
    assert pointer(event(envelope={"source": source})) == "/source"


@pytest.mark.parametrize(
    ("time", "fault"),
    [
        ("2009-01-01T00:00:00Z", False),
        ("2008-12-31T23:59:59Z", True),
        ("2009-01-01T00:00:00+01:00", True),
        ("2026-06-02T12:00:00Z", False),
        ("2026-06-02T12:00:01Z", True),
        ("2026-06-02T14:00:00+02:00", False),
        ("0001-01-01T00:00:00+14:00", True),
        ("9999-12-31T23:59:59-12:00", True),
    ],
)
def test_times_are_between_2009_and_tomorrow(time: str, fault: bool) -> None:  # noqa: FBT001 - a column of the table
    """Compared as moments, whatever their offset, to the ends of what a datetime holds."""
    assert (pointer(event(envelope={"time": time})) == "/time") is fault
    assert (pointer(event(made_at=time)) == "/data/made_at") is fault


def test_deadlines_may_be_far_ahead_but_not_without_end() -> None:
    """A campaign tells of the future by its nature."""
    last = (NOW + DEADLINE_AHEAD_MAX).isoformat()
    beyond = (NOW + DEADLINE_AHEAD_MAX + timedelta(seconds=1)).isoformat()
    assert pointer(event("campaign.launched", closes_at=last)) is None
    assert pointer(event("campaign.launched", closes_at=beyond)) == "/data/closes_at"
    assert pointer(event("campaign.launched", opens_at="2008-01-01T00:00:00Z")) == "/data/opens_at"


def test_lists_are_looked_through() -> None:
    """The pointer has the index."""
    goal = {"stretch_goal_id": "g", "title": "a\u0000", "amount_minor": 1}
    assert pointer(event("campaign.launched", sources=["ok", "a b"])) == "/data/sources/1"
    assert pointer(event("campaign.launched", stretch_goals=[goal])) == "/data/stretch_goals/0/title"


def test_every_id_of_every_event_is_checked() -> None:
    """A field that is added later with the pattern of ids is checked without another word."""
    checked = 0
    for struct in (*EVENT_TYPES.values(), *PAYMENT_TYPES.values()):
        kind = inspect.type_info(struct)
        assert isinstance(kind, inspect.StructType)
        (data,) = (field.type for field in kind.fields if field.name == "data")
        assert isinstance(data, inspect.StructType)
        for field in data.fields:
            if IDENTIFIER_PATTERN in repr(field.type) and "ListType" not in repr(field.type):
                bad = struct(
                    specversion="1.0", id="e", source="s", time=NOW, data=_Anything(data.cls, **{field.name: "a b"})
                )
                assert first_fault(bad, NOW) == Fault(
                    f"/data/{field.name}", "an id is made of letters, digits and . _ : - only"
                )
                checked += 1
    assert checked > 20


class _Anything:
    """Data with one field set, of whatever struct."""

    def __init__(self, struct: type, **fields: Any) -> None:
        self._fields = fields
        self._names = struct.__struct_fields__  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            return self._fields.get(name)
        raise AttributeError(name)


def error_of(document: Any, kind: Any = LogEvent) -> msgspec.ValidationError:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode(document), type=kind)
    return caught.value


class TestPointers:
    """From msgspec's words to RFC 6901."""

    def document(self, **data: Any) -> dict[str, Any]:
        """Return a valid capture as plain values, with other data."""
        captured: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event()))
        return captured | {"data": captured["data"] | data}

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ({"amount_minor": 0}, "/data/amount_minor"),
            ({"amount_minor": "1"}, "/data/amount_minor"),
            ({"amount": 1}, "/data/amount"),
            ({"a/b": 1}, "/data/a~1b"),
            ({"a~b": 1}, "/data/a~0b"),
            ({"": 1}, "/data/"),
            ({"` - at `$.id`": 1}, "/data/` - at `$.id`"),
            ({"x\ny": 1}, "/data/x\ny"),
        ],
    )
    def test_fields(self, data: dict[str, Any], expected: str) -> None:
        """Also of unknown fields, whatever their name."""
        assert pointer_of(error_of(self.document(**data))) == expected

    def test_a_missing_field_is_a_fault_of_its_object(self) -> None:
        """A pointer points at something that is there."""
        document = self.document()
        del document["data"]["amount_minor"]
        fault = fault_of(error_of(document))
        assert fault.pointer == "/data"
        assert "amount_minor" in fault.detail

    @pytest.mark.parametrize("document", [[], None, 5, {}])
    def test_the_whole_document(self, document: Any) -> None:
        """Its pointer is empty."""
        assert pointer_of(error_of(document)) == ""

    def test_indices(self) -> None:
        """Of arrays, at the root too."""
        documents = [self.document(), self.document(amount_minor=-1)]
        assert pointer_of(error_of(documents, list[LogEvent])) == "/1/data/amount_minor"

    def test_the_words_leave_the_place_to_the_pointer(self) -> None:
        """Nobody needs msgspec's path beside it."""
        assert fault_of(error_of(self.document(amount_minor=0))) == Fault("/data/amount_minor", "Expected `int` >= 1")

    def test_escapes(self) -> None:
        """RFC 6901, section 3: the tilde first."""
        assert escape("~1/") == "~01~1"
