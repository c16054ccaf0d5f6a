"""The clock's words: what is said, when, and how often."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from producers.clock.closing import Closing, closed_event
from producers.clock.deadlines import Deadline
from producers.publication import BrokerAwayError, Position, Record
from schemas.events import CampaignClosed, Decoding
from schemas.topics import LOG

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILM = Deadline("film", NOON - timedelta(hours=1))
BOOK = Deadline("book", NOON - timedelta(hours=2))


class FakeDeadlines:
    """Deadlines in memory, in pages of one."""

    def __init__(self, *deadlines: Deadline) -> None:
        self.deadlines = list(deadlines)

    def passed(self, now: datetime) -> Iterator[list[Deadline]]:
        yield from ([deadline] for deadline in self.deadlines if deadline.closes_at <= now)


class FakeLog:
    """A log in memory, which can be away."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = False

    def publish_and_wait(self, records: Sequence[Record]) -> list[Position]:
        if self.away:
            raise BrokerAwayError("no broker is connected")
        self.records += records
        return [Position(0, len(self.records)) for _ in records]

    def events(self) -> list[CampaignClosed]:
        events = [Decoding.log.decode(record.value) for record in self.records]
        return [event for event in events if isinstance(event, CampaignClosed)]


class Hands:
    """A clock's hands, moved by the test."""

    def __init__(self) -> None:
        self.now = NOON
        self.pages = 0

    def note_page(self) -> None:
        """Count a page of deadlines."""
        self.pages += 1

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def hands() -> Hands:
    return Hands()


def a_clock(deadlines: FakeDeadlines, log: FakeLog, hands: Hands) -> Closing:
    return Closing(deadlines, log, republish_after=timedelta(minutes=1), now=hands, on_page=hands.note_page)


def test_a_close_is_a_record_of_the_log_keyed_by_its_campaign(log: FakeLog, hands: Hands) -> None:
    """The record carries the campaign's key, the event type's content type, source `clock` and the time it was said."""
    a_clock(FakeDeadlines(FILM), log, hands).look()
    [record] = log.records
    assert (record.topic, record.key) == (LOG.name, b"film")
    assert record.headers == (("content-type", b"application/cloudevents+json"),)
    [event] = log.events()
    assert (event.source, event.time) == ("clock", NOON)
    assert (event.data.campaign_id, event.data.closes_at) == ("film", FILM.closes_at)


def test_every_campaign_that_is_due_is_closed_once(log: FakeLog, hands: Hands) -> None:
    """Further looks say nothing new while the outcome is on its way to the database."""
    clock = a_clock(FakeDeadlines(FILM, BOOK), log, hands)
    assert [clock.look(), clock.look()] == [2, 0]
    assert clock.due == 2
    assert hands.pages == 4, "each page is a sign of life: two of them, at both looks"
    assert {event.data.campaign_id for event in log.events()} == {"film", "book"}


def test_a_close_without_an_outcome_is_said_again_after_the_named_time(log: FakeLog, hands: Hands) -> None:
    """Not a moment before it."""
    clock = a_clock(FakeDeadlines(FILM), log, hands)
    clock.look()
    hands.now += timedelta(seconds=59)
    assert clock.look() == 0
    hands.now += timedelta(seconds=1)
    assert clock.look() == 1


def test_a_campaign_that_got_another_deadline_is_closed_for_that_one_too(log: FakeLog, hands: Hands) -> None:
    """What was said of the old deadline does not stand in the way of the new one."""
    deadlines = FakeDeadlines(FILM)
    clock = a_clock(deadlines, log, hands)
    clock.look()
    deadlines.deadlines = [FILM._replace(closes_at=NOON)]
    assert clock.look() == 1
    assert len({event.id for event in log.events()}) == 2


def test_two_clocks_say_the_same_event(log: FakeLog, hands: Hands) -> None:
    """The id follows from campaign and deadline, so that the fold and any reader of the log see one close."""
    for _ in range(2):
        a_clock(FakeDeadlines(FILM), log, hands).look()
        hands.now += timedelta(seconds=3)
    first, second = log.events()
    assert first.id == second.id
    assert first.data == second.data


def test_what_the_broker_did_not_take_is_said_at_the_next_look(log: FakeLog, hands: Hands) -> None:
    """A failed look remembers nothing as said."""
    clock = a_clock(FakeDeadlines(FILM), log, hands)
    log.away = True
    with pytest.raises(BrokerAwayError):
        clock.look()
    log.away = False
    assert clock.look() == 1


def test_what_is_no_longer_due_is_forgotten(log: FakeLog, hands: Hands) -> None:
    """The memory is never larger than what is due: a campaign whose outcome is stored costs nothing any more."""
    deadlines = FakeDeadlines(FILM)
    clock = a_clock(deadlines, log, hands)
    clock.look()
    deadlines.deadlines = []
    clock.look()
    assert clock.due == 0
    deadlines.deadlines = [FILM]
    assert clock.look() == 1


def test_the_longest_campaign_id_still_makes_a_valid_event() -> None:
    """The id is a digest: it fits whatever the campaign is called."""
    event = closed_event(Deadline("c" * 255, NOON), NOON)
    assert len(event.id) < 64
