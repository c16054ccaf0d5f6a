"""Visits are counted in memory and told cumulatively: nothing twice, and in bounded memory."""

import asyncio
import math
from datetime import UTC, datetime

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import LogCapture

from producers.gateway import visit_counts
from producers.gateway.posting import Posting
from producers.gateway.share_links import ShareLink
from producers.gateway.visit_counts import EVENTS_MAX, TELL_SECONDS, WAIT_SECONDS_MAX, VisitCounts, VisitTelling
from producers.metrics import GatewayMetrics
from producers.publication import BrokerAwayError
from schemas.events import Decoding, ShareVisited, ShareVisitedData
from schemas.strictness import first_fault
from tests.conftest import wait_until
from tests.gateway.fake_log import FakeLog

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
LINK, OTHER = ShareLink("film", "token-1"), ShareLink("film", "token-2")
HOUR_TURNS = 3600 // int(TELL_SECONDS)


class Gateway:
    """Counts and their telling, with a log in memory."""

    def __init__(self, counts_max: int = 100) -> None:
        self.registry, self.log = CollectorRegistry(), FakeLog()
        metrics = GatewayMetrics(self.registry)
        self.seconds = 1_000_000.0
        self.counts = VisitCounts(metrics, counts_max)
        self.telling = VisitTelling(self.counts, Posting(self.log, metrics), lambda: NOW, lambda: self.seconds)

    def told(self) -> list[ShareVisitedData]:
        """Tell, and return what was written by that."""
        before = len(self.log.records)
        asyncio.run(self.telling.tell())
        return self.told_so_far()[before:]

    def told_so_far(self) -> list[ShareVisitedData]:
        """Return everything that was written."""
        events = [Decoding.log.decode(record.value) for record in self.log.records]
        return [event.data for event in events if isinstance(event, ShareVisited)]

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0


def numbers(data: ShareVisitedData) -> tuple[str, str, int, int, int]:
    return data.share_token, data.origin, data.visits, data.bots, data.prefetches


def test_counts_are_told_by_link_and_origin() -> None:
    """People, programs and looks ahead apart; all by one counter, which no other gateway has."""
    gateway = Gateway()
    for kind in ("visit", "visit", "bot", "prefetch"):
        gateway.counts.add(LINK, "x", kind)
    gateway.counts.add(LINK, "direct", "visit")
    gateway.counts.add(OTHER, "x", "bot")
    told = gateway.told()
    assert [numbers(one) for one in told] == [
        ("token-1", "x", 2, 1, 1),
        ("token-1", "direct", 1, 0, 0),
        ("token-2", "x", 0, 1, 0),
    ]
    assert len({one.counter_id for one in told}) == 1
    another = Gateway()
    another.counts.add(LINK, "x", "visit")
    assert another.told()[0].counter_id != told[0].counter_id
    assert gateway.counted("cercles_gateway_visits_total", kind="visit") == 3


def test_only_what_has_grown_is_told_again_and_whole() -> None:
    """Cumulative: who misses a word loses nothing, who hears it twice counts it once."""
    gateway = Gateway()
    gateway.counts.add(LINK, "x", "visit")
    gateway.counts.add(OTHER, "x", "visit")
    first = gateway.told()
    assert gateway.told() == []
    gateway.counts.add(LINK, "x", "visit")
    (second,) = gateway.told()
    assert numbers(second) == ("token-1", "x", 2, 0, 0)
    assert second.counter_id == first[0].counter_id


def test_what_could_not_be_told_is_told_later() -> None:
    """With what has come meanwhile."""
    gateway = Gateway()
    gateway.counts.add(LINK, "x", "visit")
    gateway.log.away = True
    assert gateway.told() == []
    gateway.counts.add(LINK, "x", "visit")
    gateway.log.away = False
    assert [numbers(one) for one in gateway.told()] == [("token-1", "x", 2, 0, 0)]


def test_a_visit_while_the_broker_is_asked_is_not_lost() -> None:
    """It is told with the next turn."""
    gateway = Gateway()

    async def scene() -> None:
        gateway.counts.add(LINK, "x", "visit")
        gateway.log.held.clear()
        telling = asyncio.create_task(gateway.telling.tell())
        await asyncio.sleep(0)
        gateway.counts.add(LINK, "x", "visit")
        gateway.log.held.set()
        await telling

    asyncio.run(scene())
    assert [numbers(one) for one in gateway.told()] == [("token-1", "x", 2, 0, 0)]


def test_events_are_such_as_every_door_takes() -> None:
    """In bounded numbers at a time, by the gateway itself."""
    gateway = Gateway(counts_max=5_000)
    for number in range(EVENTS_MAX + 1):
        gateway.counts.add(ShareLink("film", f"token-{number}"), "x", "visit")
    assert len(gateway.told()) == EVENTS_MAX + 1
    event = Decoding.log.decode(gateway.log.records[0].value)
    assert first_fault(event, NOW) is None
    assert (event.source, gateway.log.records[0].key) == ("admin", b"film")
    assert gateway.counted("cercles_gateway_batch_events_count") == 2


def test_beyond_the_room_nothing_is_counted_and_that_is_said() -> None:
    """Links that have a place go on."""
    gateway = Gateway(counts_max=2)
    for number in range(5):
        gateway.counts.add(ShareLink("film", f"token-{number}"), "x", "visit")
    gateway.counts.add(ShareLink("film", "token-0"), "x", "visit")
    assert gateway.counted("cercles_gateway_visits_uncounted_total") == 3
    assert gateway.counted("cercles_gateway_visit_counts") == 2
    assert [one.visits for one in gateway.told()] == [2, 1]


def test_room_is_made_of_what_is_told() -> None:
    """A link that comes again is counted from nothing, by another counter: the sum stays right."""
    gateway = Gateway(counts_max=2)
    sums: dict[tuple[str, str], int] = {}
    for _ in range(4):
        for number in range(2):
            gateway.counts.add(ShareLink("film", f"token-{number}"), "x", "visit")
        for one in gateway.told():
            sums[one.share_token, one.counter_id] = max(sums.get((one.share_token, one.counter_id), 0), one.visits)
    assert sum(sums.values()) == 8
    assert len(sums) == 8
    assert gateway.counted("cercles_gateway_visits_uncounted_total") == 0
    assert gateway.counted("cercles_gateway_visit_counts") == 0


def test_a_link_that_is_visited_for_ever_is_told_ever_more_seldom() -> None:
    """By each origin some 90 records in the first day, and one an hour from then on: a stranger can't fill the log.

    It is visited each second, and no visit is lost.
    """
    gateway, days, told = Gateway(), 3, list[int]()
    turns = days * 24 * HOUR_TURNS

    async def scene() -> None:
        for turn in range(turns):
            for _ in range(int(TELL_SECONDS)):
                gateway.counts.add(LINK, "x", "visit")
            gateway.seconds += TELL_SECONDS
            before = len(gateway.log.records)
            await gateway.telling.tell()
            told.extend([turn] * (len(gateway.log.records) - before))
        await gateway.telling.tell(math.inf)

    asyncio.run(scene())
    by_day = [sum(turn // (24 * HOUR_TURNS) == day for turn in told) for day in range(days)]
    assert sum(turn < HOUR_TURNS for turn in told) <= 50
    assert 80 <= by_day[0] <= 90
    assert by_day[1:] == [24, 24]
    assert told[:5] == [0, 1, 2, 3, 4]
    assert gateway.told_so_far()[-1].visits == turns * TELL_SECONDS


def test_what_waits_is_told_at_the_end() -> None:
    """The last word is said of everything, due or not."""
    gateway = Gateway()
    gateway.counts.add(LINK, "x", "visit")
    gateway.told()
    gateway.seconds += WAIT_SECONDS_MAX
    gateway.counts.add(LINK, "x", "visit")
    gateway.told()
    gateway.counts.add(LINK, "x", "visit")
    assert gateway.told() == []

    async def scene() -> None:
        gateway.telling.stop()
        await gateway.telling.run()

    asyncio.run(scene())
    assert gateway.told_so_far()[-1].visits == 3


def test_what_waits_keeps_its_age_when_room_is_made() -> None:
    """Others that fill the room do not let a link begin anew, by another counter, at ten seconds."""
    gateway = Gateway(counts_max=6)
    for _ in range(2):
        gateway.counts.add(LINK, "x", "visit")
        gateway.told()
        gateway.seconds += WAIT_SECONDS_MAX
    gateway.counts.add(LINK, "x", "visit")
    (before,) = gateway.told()
    gateway.counts.add(LINK, "x", "visit")
    for token in ("token-2", "token-3"):
        gateway.counts.add(ShareLink("film", token), "x", "visit")
        assert [one.share_token for one in gateway.told()] == [token]
    assert gateway.counted("cercles_gateway_visit_counts") == 1
    gateway.seconds += WAIT_SECONDS_MAX
    (after,) = gateway.told()
    assert (after.visits, after.counter_id) == (4, before.counter_id)


def test_others_that_come_do_not_make_a_link_young_again() -> None:
    """Room is made of those that came once; a link that is visited all the time keeps its counter and its age."""
    gateway = Gateway(counts_max=100)
    links = [ShareLink("film", f"token-{number}") for number in range(20)]
    turns = 6 * 3600 // int(TELL_SECONDS)
    for turn in range(turns):
        for link in (*links, ShareLink("film", f"once-{turn}")):
            gateway.counts.add(link, "x", "visit")
        gateway.seconds += TELL_SECONDS
        asyncio.run(gateway.telling.tell())
    told = [one for one in gateway.told_so_far() if one.share_token.startswith("token-")]
    assert len({(one.share_token, one.counter_id) for one in told}) == len(links)
    assert len(told) <= 80 * len(links)
    assert len(gateway.told_so_far()) - len(told) == turns


def test_room_is_made_of_what_was_told_longest_ago() -> None:
    """A link that was told just now keeps its counter: others that fill the room do not let it begin anew."""
    gateway = Gateway(counts_max=8)
    for number in range(3):
        gateway.counts.add(ShareLink("film", f"other-{number}"), "x", "visit")
        gateway.told()
        gateway.seconds += TELL_SECONDS
    gateway.counts.add(LINK, "x", "visit")
    (before,) = gateway.told()
    assert gateway.counted("cercles_gateway_visit_counts") == 2
    for token in ("token-1", "other-2", "other-1"):
        gateway.counts.add(ShareLink("film", token), "x", "visit")
    gateway.seconds += TELL_SECONDS
    after, kept, begun = gateway.told()
    assert (after.visits, after.counter_id) == (2, before.counter_id)
    assert (kept.visits, kept.counter_id) == (2, before.counter_id)
    assert begun.visits == 1
    assert begun.counter_id != before.counter_id


@pytest.mark.parametrize("pause_turns", [0, HOUR_TURNS])
def test_a_link_is_not_forgotten_within_an_hour(pause_turns: int) -> None:
    """Room is made all day long for others, fewer than a quarter of it in two hours; so the link never begins anew."""
    visit_turns = 30
    gateway = Gateway(counts_max=4 * (2 * HOUR_TURNS + 2))

    async def scene() -> None:
        for turn in range(24 * HOUR_TURNS):
            gateway.counts.add(ShareLink("film", f"other-{turn}"), "x", "visit")
            if turn % (visit_turns + pause_turns) < visit_turns:
                gateway.counts.add(LINK, "x", "visit")
            gateway.seconds += TELL_SECONDS
            await gateway.telling.tell()

    asyncio.run(scene())
    told = gateway.told_so_far()
    assert 5 < len({one.counter_id for one in told}) <= 12
    of_link = [one for one in told if one.share_token == LINK.share_token]
    assert len({one.counter_id for one in of_link}) == 1
    assert len(of_link) <= 90


def test_what_waits_is_told_when_it_takes_half_the_room() -> None:
    """Rather than that others are not counted."""
    gateway = Gateway(counts_max=4)
    links = [ShareLink("film", f"token-{number}") for number in range(3)]
    gateway.counts.add(links[0], "x", "visit")
    gateway.told()
    gateway.seconds += WAIT_SECONDS_MAX
    gateway.counts.add(links[0], "x", "visit")
    gateway.told()
    gateway.counts.add(links[0], "x", "visit")
    assert gateway.told() == []
    gateway.counts.add(links[1], "x", "visit")
    assert [one.share_token for one in gateway.told()] == ["token-0", "token-1"]


def test_it_tells_in_turns_and_once_more_at_the_end() -> None:
    """A turn that fails is followed by the next."""
    gateway = Gateway()

    async def scene() -> None:
        running = asyncio.create_task(gateway.telling.run(0.01))
        gateway.counts.add(LINK, "x", "visit")
        gateway.log.fault = RuntimeError("a defect")
        await asyncio.sleep(0.05)
        gateway.log.fault = None
        await asyncio.to_thread(wait_until, lambda: len(gateway.log.records) == 1, "the visit is told")
        gateway.counts.add(LINK, "x", "visit")
        gateway.telling.stop()
        await running

    asyncio.run(asyncio.wait_for(scene(), 20))
    assert [one.visits for one in gateway.told_so_far()] == [1, 2]


def test_the_last_word_is_of_all_however_many() -> None:
    """In as many posts as it takes."""
    gateway = Gateway(counts_max=10_000)
    for number in range(3 * EVENTS_MAX):
        gateway.counts.add(ShareLink("film", f"token-{number}"), "x", "visit")

    async def scene() -> None:
        gateway.telling.stop()
        await gateway.telling.run()

    asyncio.run(scene())
    assert len(gateway.told_so_far()) == 3 * EVENTS_MAX


@pytest.mark.parametrize("fault", [None, BrokerAwayError("away"), RuntimeError("a defect")])
def test_the_last_word_ends_in_time(fault: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while no broker is there: a stopping gateway has seconds. What is lost by that is said."""
    said = LogCapture()
    monkeypatch.setattr(visit_counts, "log", structlog.wrap_logger(None, processors=[said]))
    gateway = Gateway()
    gateway.log.fault = fault

    async def scene() -> None:
        running = asyncio.create_task(gateway.telling.run(3600))
        gateway.counts.add(LINK, "x", "visit")
        await asyncio.sleep(0)
        gateway.telling.stop()
        await running

    asyncio.run(asyncio.wait_for(scene(), 20))
    assert len(gateway.log.records) == (fault is None)
    assert [one for one in said.entries if one["event"] == "visits_lost"] == (
        [] if fault is None else [{"event": "visits_lost", "log_level": "error", "links": 1, "visits": 1}]
    )


def test_what_comes_during_the_telling_that_the_stop_meets_is_told() -> None:
    """The last word is said after it."""
    gateway = Gateway()

    async def scene() -> None:
        gateway.counts.add(LINK, "x", "visit")
        gateway.log.held.clear()
        running = asyncio.create_task(gateway.telling.run(0))
        await asyncio.sleep(0.05)
        gateway.counts.add(LINK, "x", "visit")
        gateway.telling.stop()
        gateway.log.held.set()
        await running

    asyncio.run(asyncio.wait_for(scene(), 20))
    assert gateway.told_so_far()[-1].visits == 2


def test_the_stop_does_not_wait_for_a_telling_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the broker does, the stop takes as long as the last word may."""
    monkeypatch.setattr(visit_counts, "LAST_SECONDS_MAX", 0.05)
    gateway = Gateway()

    async def scene() -> None:
        gateway.counts.add(LINK, "x", "visit")
        gateway.log.held.clear()
        running = asyncio.create_task(gateway.telling.run(0))
        await asyncio.sleep(0.05)
        gateway.telling.stop()
        try:
            await asyncio.wait_for(running, 5)
        finally:
            gateway.log.held.set()

    asyncio.run(scene())
