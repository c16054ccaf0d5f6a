"""The soak: what it sends, how it finds its rate, how it compares, and that each of its conditions can fail."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice, repeat
from typing import Final

import pytest

from benchmarks.soak.audit import Difference, Row
from benchmarks.soak.calibration import highest_rate
from benchmarks.soak.naive import NaiveTotals
from benchmarks.soak.report import Outcome, as_json, show
from benchmarks.soak.traffic import Traffic
from benchmarks.soak.verdict import Audited, Sample, Seen, Standing, judge, memories
from schemas.events import Decoding
from stream_processors.ledger.fold import apply
from stream_processors.ledger.state import Campaign, PartitionState
from tests.ledger.naive import NaiveLedger

MB: Final = 2**20
MINUTES: Final = 30
RATE: Final = 1_000
GOOD: Final = Audited(log_events=10, entries=10, missing=0, unwanted=0, wrong_campaigns=0, campaigns=3, lost_events=0)


def sample(seconds: float, *, worker_mb: float = 200.0, worker_lag: int = 300, sink_lag: int = 100) -> Sample:
    """Return a look at a pipeline of which nothing grows but the log."""
    return Sample(
        seconds=seconds,
        resident_bytes={"worker": int(worker_mb * MB), "Kafka": int((300 + seconds) * MB)},
        worker_lag_events=worker_lag,
        sink_lag_records=sink_lag,
        unseen_events=worker_lag + sink_lag,
        log_end=int(seconds * RATE),
        updates_end=int(seconds * RATE / 2),
        disk_waited_seconds=seconds / 4,
    )


def seen(make: Callable[[float], Sample] = sample, stall_seconds: float = 0.4, audited: Audited = GOOD) -> Seen:
    """Return half an hour of looks, of which the servers' memory is not judged."""
    samples = [make(float(seconds)) for seconds in range(MINUTES * 60)]
    return Seen(samples, {"worker": stall_seconds, "sink": 0.1}, audited, ["worker"])


def failing(of: Seen) -> list[str]:
    """Return the conditions that do not hold."""
    return [one.name for one in judge(of) if not one.holds]


def test_a_soak_in_which_nothing_grows_stalls_or_differs_holds() -> None:
    """Whatever the servers' memory does: they keep what they are given."""
    assert failing(seen()) == []


def test_memory_that_grows_by_a_few_bytes_an_event_is_a_leak() -> None:
    """13 MB in the 25 minutes after it had settled: 9 bytes for each of 1,500,000 events."""
    found = seen(lambda seconds: sample(seconds, worker_mb=200 + seconds * 0.009))
    assert failing(found) == ["flat memory"]
    (worker,) = [one for one in memories(found.samples) if one.process == "worker"]
    assert worker.bytes_per_hour == pytest.approx(0.009 * 3600 * MB, rel=0.01)
    assert worker.settled_bytes == pytest.approx((200 + 0.009 * 375) * MB, rel=0.001)


def test_memory_that_grows_only_until_it_has_settled_is_flat() -> None:
    """The first five minutes fill caches and the database's first pages."""
    assert failing(seen(lambda seconds: sample(seconds, worker_mb=200 + min(seconds, 280)))) == []


def test_a_peak_at_the_last_look_is_no_growth() -> None:
    """A checkpoint is being written; the median of the last minutes knows better."""
    assert failing(seen(lambda seconds: sample(seconds, worker_mb=300 if seconds > 1790 else 200))) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda seconds: sample(seconds, worker_lag=int(seconds * 2)),
        lambda seconds: sample(seconds, sink_lag=int(seconds * 2)),
    ],
    ids=["worker", "sink"],
)
def test_lag_that_grows_by_more_than_a_second_of_the_rate_fails(make: Callable[[float], Sample]) -> None:
    """Two more of each thousand wait, all the time."""
    assert failing(seen(make)) == ["no lag growth"]


def test_a_lag_that_stays_is_no_growth() -> None:
    """However long it is: how soon totals show is another benchmark's question."""
    assert failing(seen(lambda seconds: sample(seconds, worker_lag=5_000))) == []


def test_one_stall_over_a_second_fails() -> None:
    """In any process; a second is not yet over a second."""
    assert failing(seen(stall_seconds=1.0)) == []
    assert failing(seen(stall_seconds=1.01)) == ["no stall over 1 s"]


@pytest.mark.parametrize(
    ("audited", "condition"),
    [
        (replace(GOOD, wrong_campaigns=1), "totals equal to the naive fold"),
        (replace(GOOD, missing=1), "every entry and milestone once"),
        (replace(GOOD, unwanted=1), "every entry and milestone once"),
        (replace(GOOD, lost_events=1), "everything accepted is on the log"),
        (replace(GOOD, complaints=["1 events were refused"]), "no other complaint"),
    ],
)
def test_one_wrong_row_total_or_event_fails(audited: Audited, condition: str) -> None:
    """However many are right."""
    assert failing(seen(audited=audited)) == [condition]


def looked(positions: list[tuple[float, int, bool]]) -> float:
    """Return the longest stall of these looks."""
    standing = Standing()
    for at_seconds, position, waits in positions:
        standing.look(at_seconds, position, waits=waits)
    return standing.seconds_max


def test_standing_still_counts_only_while_work_waits() -> None:
    """From the first look that saw both to the last."""
    assert looked([(0, 5, True), (1, 5, True), (3, 5, True), (3.2, 6, True)]) == 3
    assert looked([(0, 5, False), (1, 5, False), (2, 5, True), (3, 6, True)]) == 0
    assert looked([(0, 5, True), (1, 5, True), (2, 5, False), (3, 5, True), (3.5, 5, True)]) == 1
    assert looked([(0, 5, True), (1, 6, True), (2, 7, True)]) == 0


@pytest.mark.parametrize("limit", [600, 1_000, 4_271, 20_000])
def test_the_highest_rate_is_found_within_an_eighth(limit: int) -> None:
    """And never above what holds."""
    found = highest_rate(lambda rate: rate <= limit)
    assert limit * 7 / 8 <= found <= limit


def test_no_rate_that_holds_is_an_error() -> None:
    """Not a soak at rate 0."""
    with pytest.raises(RuntimeError, match="500 events/s"):
        highest_rate(lambda rate: rate < 500)


@pytest.mark.parametrize(
    ("stored", "missing", "unwanted"),
    [
        ([(1, 0, "a"), (1, 1, "b"), (4, 0, "c")], 0, 0),
        ([(1, 0, "a"), (4, 0, "c")], 1, 0),
        ([(1, 1, "b"), (4, 0, "c")], 1, 0),
        ([(1, 0, "a"), (1, 1, "b")], 1, 0),
        ([(1, 0, "a"), (1, 1, "b"), (2, 0, "x"), (4, 0, "c")], 0, 1),
        ([(1, 0, "a"), (1, 1, "b"), (4, 0, "c"), (5, 0, "x")], 0, 1),
        ([(1, 0, "a"), (1, 1, "other"), (4, 0, "c")], 1, 1),
        ([], 3, 0),
    ],
)
def test_rows_are_compared_one_by_one(stored: list[Row], missing: int, unwanted: int) -> None:
    """A row with other contents is one missing and one unwanted."""
    difference = Difference()
    difference.compare([(1, 0, "a"), (1, 1, "b"), (4, 0, "c")], stored)
    assert (difference.missing, difference.unwanted) == (missing, unwanted)
    assert difference.same == 3 - missing


def traffic() -> Traffic:
    """Return a small soak's."""
    return Traffic(campaigns=4, pledges=20, seed=1, began_at=datetime(2026, 1, 5, 12, tzinfo=UTC))


def told(traffic: Traffic, steady: int) -> Iterator[bytes]:
    """Yield the values of a whole soak."""
    yield from (record.value for record in traffic.openings())
    yield from traffic.population()
    yield from islice(traffic.steady(), steady)


def test_the_same_seed_tells_the_same() -> None:
    """Byte for byte, so that a soak can be repeated."""
    assert list(told(traffic(), 500)) == list(told(traffic(), 500))


def kept_by(campaign: Campaign) -> int:
    """Return how many things a campaign keeps."""
    facts = len(campaign.authorizations) + len(campaign.captures) + len(campaign.refunds)
    links = sum(1 + len(share.visits) for share in campaign.shares.values())
    return len(campaign.pledges) + facts + links + len(campaign.day_totals)


def test_steady_events_change_totals_and_leave_the_state_as_large_as_it_is() -> None:
    """Once every link has been visited: so a worker whose memory still grows leaks."""
    state, sizes, entries = PartitionState(), [], 0
    for number, value in enumerate(told(traffic(), 6_000)):
        outcome = apply(state, Decoding.log.decode(value), number)
        assert outcome.refusal is None
        entries += len(outcome.entries)
        if number in {3_000, 6_000}:
            sizes.append((entries, sum(map(kept_by, state.campaigns.values()))))
    (entries_before, facts_before), (entries_after, facts_after) = sizes
    assert facts_before == facts_after
    assert entries_after - entries_before > 1_000


def test_the_two_naive_folds_agree() -> None:
    """On every circle's money and backers, with captures, refunds, raised authorizations and repetitions."""
    ours, theirs = dict[str, NaiveTotals](), NaiveLedger()
    for number, value in enumerate(told(traffic(), 500)):
        event = Decoding.log.decode(value)
        ours.setdefault(event.data.campaign_id, NaiveTotals()).hear(event)
        assert theirs.hear(event, number) is None
    assert len(ours) == 4
    for campaign_id, naive in ours.items():
        totals, wanted = naive.totals(), theirs.campaigns[campaign_id].totals()
        assert totals[None] == (wanted.pledged_minor, wanted.collected_minor, wanted.backers)
        for circle in wanted.circles:
            assert totals[circle.circle] == (circle.pledged_minor, circle.collected_minor, circle.backers)


def test_a_soak_is_shown_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """What fails is said in words, and in what is kept."""
    whole = seen(stall_seconds=2.5)
    outcome = Outcome(
        seen=whole,
        findings=judge(whole),
        seconds=MINUTES * 60,
        highest_events_per_second=1_429,
        events_per_second=1_000,
        cpu_shares=dict(zip(("worker", "Kafka", "load"), repeat(0.25), strict=False)),
        p50_ms=10,
        p99_ms_max=50,
        behind_seconds=0.1,
        refused_posts=0,
        stalled_at_seconds={"worker": 70.0, "sink": 80.0},
        partition_waits={"worker": 0.6, "sink": 0.8},
        watch_late_seconds=0.01,
    )
    show(outcome)
    shown = capsys.readouterr().out
    assert "worker: 2.50 s" in shown
    kept = as_json(outcome)
    assert (kept["holds"], kept["findings"]["no stall over 1 s"]["holds"]) == (False, False)
    assert kept["lag_seconds"]["worker, events"] == [0.3, 0.3]
    assert set(kept["memory_over_time_mb"]["worker"]) == {200.0}
    assert kept["disk_share_max"] == 0.25
