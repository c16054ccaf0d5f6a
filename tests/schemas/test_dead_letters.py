"""A dead letter is the original record, whole, with headers that say why it stands there."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import DETAIL_LENGTH_MAX, VALUE_BYTES_MAX, DeadLetter, Origin, from_record, to_record

LETTER = DeadLetter(
    reason="currency_mismatch",
    detail="the campaign is in EUR, not USD",
    key=b"les-anges-anonymes",
    value=b'{"specversion":"1.0"}',
    headers=(("content-type", b"application/cloudevents+json"),),
    origin=Origin("cercles.campaign-events", 3, 118),
    campaign_id="les-anges-anonymes",
    event_id="evt-001",
)

words = st.text(max_size=30)
headers = st.lists(
    st.tuples(words.filter(lambda name: not name.startswith("cercles-")), st.binary(max_size=30)), max_size=4
)
letters = st.builds(
    DeadLetter,
    reason=words,
    detail=words,
    key=st.none() | st.binary(max_size=30),
    value=st.none() | st.binary(max_size=60),
    headers=headers.map(tuple),
    origin=st.none() | st.builds(Origin, words, st.integers(0, 100), st.integers(0, 2**63 - 1)),
    campaign_id=st.none() | words,
    event_id=st.none() | words,
    value_sha256=st.none() | words,
)


@given(letters)
def test_a_dead_letter_survives_the_round_trip(letter: DeadLetter) -> None:
    """Key, value, headers in their order, reason, origin: whatever bytes they are."""
    assert from_record(*to_record(letter)) == letter


def test_the_record_keeps_key_value_and_headers_as_they_were() -> None:
    """So that it can be sent again; ours come after them and begin with `cercles-`."""
    key, value, sent = to_record(LETTER)
    assert (key, value, sent[0]) == (LETTER.key, LETTER.value, LETTER.headers[0])
    assert dict(sent[1:]) == {
        "cercles-reason": b"currency_mismatch",
        "cercles-detail": b"the campaign is in EUR, not USD",
        "cercles-campaign-id": b"les-anges-anonymes",
        "cercles-event-id": b"evt-001",
        "cercles-topic": b"cercles.campaign-events",
        "cercles-partition": b"3",
        "cercles-offset": b"118",
    }


def test_what_a_gateway_could_not_map_has_no_origin() -> None:
    """It never stood on the log."""
    letter = msgspec.structs.replace(LETTER, origin=None, campaign_id=None, event_id=None)
    _, _, sent = to_record(letter)
    assert [name for name, _ in sent] == ["content-type", "cercles-reason", "cercles-detail"]
    assert from_record(*to_record(letter)) == letter


def test_a_value_of_the_largest_size_is_kept_whole() -> None:
    """To the byte."""
    value = b"x" * VALUE_BYTES_MAX
    assert from_record(*to_record(msgspec.structs.replace(LETTER, value=value))).value == value


def test_of_a_larger_value_the_hash_stays() -> None:
    """Its SHA-256, so that the original can be recognized where it is."""
    value = b"x" * (VALUE_BYTES_MAX + 1)
    letter = from_record(*to_record(msgspec.structs.replace(LETTER, value=value)))
    assert letter.value is None
    assert letter.value_sha256 == hashlib.sha256(value).hexdigest()
    # Told again, the hash is kept.
    assert from_record(*to_record(letter)) == letter


def test_a_long_detail_is_cut() -> None:
    """Headers stay small whatever was sent."""
    letter = from_record(*to_record(msgspec.structs.replace(LETTER, detail="é" * 10_000)))
    assert letter.detail == "é" * DETAIL_LENGTH_MAX


def test_headers_of_an_earlier_dead_letter_are_replaced() -> None:
    """A dead letter that was sent again and refused again names the last refusal only."""
    _, _, sent = to_record(msgspec.structs.replace(LETTER, reason="campaign_unknown"))
    again = from_record(*to_record(msgspec.structs.replace(LETTER, headers=tuple(sent))))
    assert again == LETTER


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("cercles-reason", b"campaign_unknown")],
        [("cercles-detail", b"unknown")],
        [("cercles-reason", b"\xff"), ("cercles-detail", b"x")],
        [("cercles-reason", b"r"), ("cercles-detail", b"d"), ("cercles-topic", b"t")],
        [
            ("cercles-reason", b"r"),
            ("cercles-detail", b"d"),
            ("cercles-topic", b"t"),
            ("cercles-partition", b"one"),
            ("cercles-offset", b"1"),
        ],
    ],
)
def test_a_record_that_is_no_dead_letter_is_an_error(sent: list[tuple[str, bytes]]) -> None:
    """KeyError or ValueError, as promised."""
    with pytest.raises((KeyError, ValueError)):
        from_record(None, None, sent)
