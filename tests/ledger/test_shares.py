"""docs/ledger.md, Shares: what an update carries of the links that were posted."""

from datetime import date, timedelta

import pytest

from schemas.events import LogEvent, encode
from schemas.updates import Entry, Share, ShareVisits
from stream_processors.ledger import batch
from stream_processors.ledger.snapshot import save
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import Record, batch_of, fold, updates_of
from tests.ledger.events import CAMPAIGN, NOON, capture, launch, share, visit
from tests.ledger.log import Log

HOUR = timedelta(hours=1)
TODAY = date(2026, 3, 10)


def shares_of(*events: LogEvent, state: PartitionState | None = None) -> list[Share]:
    """Fold one batch and return the links that its updates show."""
    told = PartitionState() if state is None else state
    return [one for update in updates_of(fold(told, *events)) for one in update.shares]


def test_a_posted_link_is_shown_with_its_facts() -> None:
    """One of the owner's has the circle that it was minted for, another one its parent."""
    assert shares_of(launch(), share("t"), share("u", parent="t", network="web"), share("v", circle="public")) == [
        Share(share_token="t", network="mail", posted_at=NOON, day=TODAY, circle="friends"),
        Share(share_token="u", network="web", posted_at=NOON, day=TODAY, parent_token="t"),
        Share(share_token="v", network="mail", posted_at=NOON, day=TODAY, circle="public"),
    ]


def test_its_day_is_the_campaigns() -> None:
    """Eleven in the evening in Lisbon is tomorrow in Paris."""
    late = NOON.replace(hour=23, minute=30)
    (shown,) = shares_of(launch(), share("t", at=late))
    assert (shown.posted_at, shown.day) == (late, TODAY + timedelta(days=1))


@pytest.mark.parametrize("times", [(0, -1), (-1, 0), (0, 1, -1, 0)])
def test_a_link_was_posted_at_the_least_time_that_it_is_told_with(times: tuple[int, ...]) -> None:
    """In whatever order the events come; only one that makes it earlier changes anything."""
    log = Log(launch())
    earliest = 2
    for hours in times:
        entries = log.append(share("t", at=NOON + hours * HOUR)).entries
        assert len(entries) == (hours < earliest)
        earliest = min(earliest, hours)
    assert log.campaign.share("t").posted_at == NOON - HOUR


def test_an_earlier_time_is_an_entry_of_nothing() -> None:
    """No pledge is looked at again."""
    log = Log(launch(), share("t"), capture("p", 5, share_token="t"))
    event = share("t", at=NOON - HOUR)
    assert log.append(event).entries == [
        Entry(offset=3, number=0, event_id=event.id, event_type="cercles.share.posted", occurred_at=event.time)
    ]


def test_only_links_that_changed_are_shown() -> None:
    """Neither those that are known, nor one that only a pledge or a child names, nor the links below."""
    state = PartitionState()
    posted = shares_of(launch(), share("u", parent="t"), share("w"), state=state)
    assert [one.share_token for one in posted] == ["u", "w"]
    told = (share("w"), share("t"), capture("p", 5, share_token="x"), visit("w", 1))
    assert [one.share_token for one in shares_of(*told, state=state)] == ["t"]


def test_a_link_that_was_not_posted_has_no_facts() -> None:
    """Though a pledge names it."""
    log = Log(launch(), capture("p", 5, share_token="x"))
    assert log.campaign.posted_shares() == []
    with pytest.raises(KeyError):
        log.campaign.share("x")


def test_a_link_stands_in_the_part_of_its_events_first_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the pledges that follow it are cut: a part without an entry would be applied by nobody."""
    monkeypatch.setattr(batch, "PART_BYTES", 0)
    state = PartitionState()
    fold(state, launch(), *(capture(f"p{number}", 5, share_token="t") for number in range(3)))
    parts = updates_of(fold(state, share("t"), share("u")))
    assert [[one.share_token for one in update.shares] for update in parts] == [["t"], [], [], ["u"]]
    assert all(update.entries for update in parts)


def test_visits_are_shown_by_link_and_origin() -> None:
    """The sums over the counters; only those that changed, also of links that are not posted."""
    state = PartitionState()
    fold(state, launch(), share("t"), visit("t", 5, origin="x"), visit("t", 1, origin="direct"))
    told = (visit("t", 3, origin="x", counter="app", bots=2), visit("t", 4, origin="x"), visit("u", 0, prefetches=1))
    (update,) = updates_of(fold(state, *told))
    assert update.visits == [
        ShareVisits(share_token="t", origin="x", visits=8, bots=2),
        ShareVisits(share_token="u", origin="unknown", prefetches=1),
    ]
    assert update.shares == []


def test_of_each_number_the_greatest_counts() -> None:
    """Told in whatever order: an older word with one greater number is an event, one without has no effect."""
    log = Log(launch(), visit("t", 5, bots=1))
    assert log.append(visit("t", 4, bots=1)).entries == []
    assert len(log.append(visit("t", 4, bots=2, prefetches=7)).entries) == 1
    assert log.append(visit("t", 5, bots=2, prefetches=7)).entries == []
    assert log.campaign.visits() == [ShareVisits(share_token="t", origin="unknown", visits=5, bots=2, prefetches=7)]


def test_a_silent_batch_shows_no_link() -> None:
    """Nor its visits; and comes to the same state."""
    events: list[LogEvent] = [launch(), share("t"), share("t", at=NOON - HOUR), visit("t", 2, bots=1)]
    said, unsaid = PartitionState(), PartitionState()
    fold(said, *events)
    silent = batch_of(unsaid)
    silent.silent = True
    assert silent.fold([Record(number, encode(event)) for number, event in enumerate(events)]).updates == []
    assert save(unsaid.campaigns[CAMPAIGN]) == save(said.campaigns[CAMPAIGN])
