"""Several clocks beside the real pipeline, killed at will, while deadlines pass and some are extended at the last."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine

from schemas.events import CampaignClosed, Decoding
from schemas.failure_points import FailurePoint
from tests.faults.processes import Running
from tests.pipeline.expectation import Expectation, LogLine
from tests.pipeline.test_kill import log_lines, wait_until_applied
from tests.pipeline.whole import Pipeline, count_open, pipeline, refused, said, sleep_until

SEED: Final = 20_260_329
CAMPAIGNS: Final = 12
FIRST_DEADLINE: Final = timedelta(seconds=6)
BETWEEN_DEADLINES: Final = timedelta(seconds=0.5)
AT_THE_LAST: Final = timedelta(seconds=0.2)
"""How long before a deadline, at most, it is extended."""

EXTENSION: Final = timedelta(seconds=8)
WAIT_SECONDS_MAX: Final = 60.0
KILL_CODE: Final = -9
DOOMED: Final[tuple[FailurePoint, ...]] = ("clock.before_publish", "clock.acknowledged")
"""Where a clock dies: with a close that nobody has heard, and with one that it will not remember to have said."""

SETTINGS: Final = {
    "CERCLES_CLOCK_INTERVAL_SECONDS": "0.3",
    "CERCLES_CLOCK_REPUBLISH_AFTER_SECONDS": "1",
    "CERCLES_SINK_LAG_SECONDS": "0.5",
}


def has_ended(clock: Running) -> bool:
    return clock.exit_code() is not None


def kill_at_each_point(running: Pipeline) -> None:
    """Let one clock after the other find a campaign to close, and die over it."""
    running.launch("over", opens_at="2026-03-01T00:00:00Z", settle_hours=1, closes_at="2026-03-29T02:30:00+01:00")
    for point in DOOMED:
        clock = running.fleet.add("clock", points={point: 1})
        running.fleet.wait_until(partial(has_ended, clock), f"one has died at {point}", WAIT_SECONDS_MAX)
        assert clock.exit_code() == KILL_CODE


def tell(running: Pipeline, chance: random.Random) -> None:
    """Launch campaigns whose deadlines pass one after the other, extend every second one, and kill clocks meanwhile."""
    others = [running.fleet.add("clock") for _ in range(2)]
    running.fleet.start(["clock"])
    begins = datetime.now(UTC) + FIRST_DEADLINE
    running.launch("settling", settle_hours=1, closes_at=begins.isoformat())
    deadlines = {f"campaign-{number}": begins + number * BETWEEN_DEADLINES for number in range(CAMPAIGNS)}
    for campaign_id, closes_at in deadlines.items():
        running.launch(campaign_id, goal_minor=1_000, settle_hours=0, closes_at=closes_at.isoformat())
        running.pledge(campaign_id, 1, amount_minor=999, made_at=(closes_at - timedelta(microseconds=1)).isoformat())
        running.pledge(campaign_id, 2, amount_minor=1, made_at=closes_at.isoformat())
    for number, (campaign_id, closes_at) in enumerate(deadlines.items()):
        sleep_until(closes_at - chance.random() * AT_THE_LAST)
        if number % 2:
            running.amend(campaign_id, 1, closes_at=(closes_at + EXTENSION).isoformat())
        if chance.random() < 1 / 2:
            running.fleet["clock"].kill()
        if number == CAMPAIGNS // 2:
            others[0].kill()
        running.fleet.tend()


def check_closes(log: Iterable[LogLine]) -> None:
    """No close is said before its time, and all that close one deadline are one event."""
    ids: dict[tuple[str, datetime], set[str]] = defaultdict(set)
    for _, _, value in log:
        event = Decoding.log.decode(value or b"")
        if isinstance(event, CampaignClosed):
            assert event.time >= event.data.closes_at
            ids[event.data.campaign_id, event.data.closes_at].add(event.id)
    assert {len(names) for names in ids.values()} == {1}
    assert {campaign_id for campaign_id, _ in ids} == {"over", *(f"campaign-{number}" for number in range(CAMPAIGNS))}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_each_campaign_is_closed_once_for_the_deadline_that_stands(
    topics: str, migrated_url: str, engine: Engine, tmp_path: Path
) -> None:
    """However many clocks say so, wherever they die, and whichever of close and extension the log has first."""
    with pipeline(topics, migrated_url, tmp_path, **SETTINGS) as running:
        kill_at_each_point(running)
        tell(running, random.Random(SEED))
        running.fleet.wait_until(
            lambda: count_open(engine) == 1, "all are closed but the one that settles", WAIT_SECONDS_MAX
        )
        running.fleet.settle()
        running.fleet["clock"].stop()
        wait_until_applied(topics, engine, WAIT_SECONDS_MAX)
    check_closes(log_lines(topics))
    expected = Expectation.of(log_lines(topics))
    expected.check(engine)
    naive = {name: campaign for ledger in expected.naive.values() for name, campaign in ledger.campaigns.items()}
    for number in range(CAMPAIGNS):
        campaign_id = f"campaign-{number}"
        extended = naive[campaign_id].term("closes_at") != naive[campaign_id].launch.closes_at
        # The pledge made at the first deadline counts only where that was extended, and makes the goal.
        outcome = "campaign.succeeded" if extended else "campaign.failed"
        assert [one for one in said(engine, campaign_id) if one[0].startswith("campaign.")] == [(outcome, None)]
        assert refused(engine, campaign_id) == (["campaign_closed"] if number % 2 and not extended else [])
    assert [said(engine, campaign_id) for campaign_id in ("over", "settling")] == [[("campaign.failed", None)], []]
