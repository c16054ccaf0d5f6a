"""Records that hold no event of a payment, or not under its key, are dead letters; known ones are left alone."""

import pytest

from schemas.events import encode
from tests.resolver.events import PAYMENT, Partition, Record, fold, link, refund, said_of

MISSING = b'{"specversion":"1.0","type":"cercles.payment.refunded","id":"e","source":"s","time":"2026-03-02T12:00:00Z"}'


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "the record has no value"),
        (b"", "Input data was truncated"),
        (b"\xff", "JSON is malformed"),
        (b"[" * 100_000, ""),
        (MISSING, "`data`"),
        (encode(refund()).replace(b"payment.refunded", b"pledge.refunded"), "cercles.pledge.refunded"),
        (encode(refund()).replace(b"refund-stripe:re_1", b"a\\u0000b"), "NUL"),
        (encode(refund()).replace(b'"type":"cercles', b'"type":"\\n'), "?"),
    ],
)
def test_what_is_no_event_of_a_payment(value: bytes | None, words: str) -> None:
    """It is kept whole, and what comes after it is folded."""
    partition = Partition()
    assert partition.put(value) == []
    [letter] = partition.dead_letters
    assert (letter.reason, letter.value, letter.event_id, letter.campaign_id) == ("invalid_event", value, None, None)
    assert words in letter.detail
    assert letter.detail.isprintable()
    assert len(partition.append(link(), refund())) == 1


def test_a_text_that_only_looks_like_nul_is_an_event() -> None:
    """A backslash and four digits are five characters that every database keeps."""
    partition = Partition()
    escaped = encode(refund()).replace(b"refund-stripe:re_1", b"a\\\\u0000b")
    partition.append(link())
    assert len(partition.put(escaped)) == 1
    assert partition.dead_letters == []


@pytest.mark.parametrize("key", [None, b"", b"another"])
def test_another_key_than_the_payments(key: bytes | None) -> None:
    """Its payment's story is told elsewhere."""
    partition = Partition()
    partition.put(encode(link()), key)
    [letter] = partition.dead_letters
    assert (letter.reason, letter.key, letter.event_id) == ("misrouted", key, f"link-{PAYMENT}")
    assert letter.detail == "the record's key is not the id of the event's payment"
    assert partition.append(refund()) == []


def test_what_was_folded_before_is_known() -> None:
    """Offsets may have gaps, where the log holds control records."""
    first, second = Record(3, encode(link())), Record(7, encode(refund()))
    partition = Partition()
    assert len(said_of(fold(partition.state, first, second))) == 1
    assert partition.state.next_offset == 8
    again = fold(partition.state, first, second)
    assert (again.events, again.resolved, again.dead_letters) == (0, [], [])
    assert fold(partition.state, Record(8, encode(refund()))).events == 1


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "the record has no value"),
        (encode(refund()).replace(b"refund-stripe:re_1", b"a\\u0000b"), "a text holds the character NUL"),
        (
            encode(refund()).replace(b'"type":"cercles', b'"type":"\\n'),
            "Invalid value '?.payment.refunded' - at `$.type`",
        ),
    ],
)
def test_the_words_of_a_refusal(value: bytes | None, detail: str) -> None:
    """They stand in the dead letter, printable."""
    partition = Partition()
    partition.put(value)
    assert partition.dead_letters[0].detail == detail


def test_every_record_of_a_batch_is_counted() -> None:
    """The refused ones too."""
    assert fold(Partition().state, Record(0, encode(link())), Record(1, b"{"), Record(2, encode(refund()))).events == 3


def test_headers_stay_with_a_dead_letter() -> None:
    """It can be sent again as it was."""
    record = Record(0, b"no event", headers=[("content-type", b"x")])
    [letter] = fold(Partition().state, record).dead_letters
    assert letter.headers == (("content-type", b"x"),)
