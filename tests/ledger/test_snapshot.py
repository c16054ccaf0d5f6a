"""A checkpoint only saves time: whatever is saved and restored goes on as if nothing had happened."""

from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from schemas.events import CircleThresholds, LogEvent
from stream_processors.ledger.snapshot import FORM as FORM_NUMBER
from stream_processors.ledger.snapshot import restore, save
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import fold
from tests.ledger.comparison import view
from tests.ledger.events import (
    CAMPAIGN,
    CLOSES,
    NOON,
    OPENS,
    SETTLED,
    amend,
    authorize,
    cancel,
    capture,
    close,
    dispute,
    fail,
    launch,
    promise,
    refund,
    renamed,
    reward,
    share,
    stretch_goal,
    visit,
)
from tests.ledger.log import Log

HOUR: Final = timedelta(hours=1)
NEW_DEADLINE: Final = CLOSES - 100 * HOUR
THRESHOLDS: Final = CircleThresholds(friends=30, friends_of_friends=100)

STORY: Final[list[LogEvent]] = [
    launch(
        goal_minor=1000,
        milestone_steps=[40, 60],
        overfunding_step=50,
        stretch_goals=[stretch_goal("score", 1100)],
        circle_thresholds=THRESHOLDS,
        rewards=[reward("poster", 1), reward("credit")],
    ),
    amend(2, title="Les Anges", goal_minor=2000),
    share("child", parent="root", sharer="backer-01"),
    authorize("p", 300, authorization="a1", share_token="child", backer_id="backer-02", reward_id="poster"),
    authorize("p", 100, authorization="a2", at=NOON + HOUR),
    share("root", circle="friends"),
    visit("child", 7),
    visit("child", 2, counter="app"),
    visit("child", 2, counter="app", origin="x", bots=1, prefetches=3),
    cancel("p", "a2"),
    cancel("p", "a3"),
    capture("q", 500, capture_id="c1", share_token="child", backer_id="backer-01", final=False, reward_id="poster"),
    capture("r", 150, at=NOON - 24 * HOUR, backer_id="backer-02", share_token="root", reward_id="credit"),
    amend(1, title="Anges", goal_minor=500, stretch_goals=[stretch_goal("score", 900), stretch_goal("titles", 950)]),
    fail("p", attempt="f1"),
    refund("q", 50, "pending", refund_id="r1"),
    dispute("q", 80, withdrawn=True, dispute_id="d1"),
    dispute("q", 60, "lost", lost_minor=40, dispute_id="d2"),
    dispute("q", 30, "lost", dispute_id="d3"),
    promise("q", 2, 700),
    promise("q", 1, 900),
    capture("s", 4000, share_token="unheard-of", reward_id="unknown"),
    refund("s", 4000, refund_id="r2"),
    refund("t", 20, refund_id="r3"),
    cancel("u"),
    capture("v", 400, at=CLOSES - HOUR, backer_id="backer-03"),
    amend(3, closes_at=NEW_DEADLINE),
    close(NEW_DEADLINE, at=SETTLED),
]
"""Every kind of fact; a goal reached and lost, a circle opened early, overfunding, a late pledge, an outcome."""

AFTERWARDS: Final[list[LogEvent]] = [
    *(renamed(event, f"{event.id}-again") for event in STORY),
    amend(1, title="Another", at=CLOSES),
    amend(4, title="Les Anges Anonymes II", at=CLOSES),
    share("unheard-of", parent="child"),
    share("child", network="web"),
    share("root", circle="friends", at=NOON - HOUR),
    visit("child", 6),
    visit("child", 3, counter="app"),
    visit("child", 1, counter="app", origin="x", bots=2),
    authorize("p", 350, authorization="a1"),
    authorize("p", 900, authorization="a2"),
    authorize("q", 5, authorization="a3"),
    authorize("p", 5, authorization="a3"),
    authorize("p", 5, authorization="a4", at=NOON - 24 * HOUR, backer_id="backer-04"),
    authorize("w", 5, reward_id="poster"),
    authorize("w", 5, reward_id="credit"),
    capture("p", 600, capture_id="c1"),
    capture("q", 600, capture_id="c1"),
    capture("v", 450),
    fail("q", attempt="f1"),
    refund("q", 50, "failed", refund_id="r1"),
    refund("q", 49, refund_id="r1"),
    refund("s", 4000, "canceled", refund_id="r2"),
    dispute("q", 80, "won", dispute_id="d1"),
    dispute("q", 60, "lost", lost_minor=10, dispute_id="d2"),
    dispute("q", 30, "won", dispute_id="d3"),
    promise("q", 2, 701),
    promise("q", 3, 100),
    authorize("t", 30),
    authorize("u", 30),
    share("root", circle="friends"),
    capture("r", 100_000, capture_id="huge", final=False),
]
"""All of it again, and whatever a restored campaign might have forgotten."""


FORM_STORY: Final[list[LogEvent]] = [
    launch(
        goal_minor=1000,
        milestone_steps=[40, 60],
        circle_thresholds=THRESHOLDS,
        rewards=[reward("poster", 1), reward("credit")],
    ),
    amend(1, title="Les Anges", goal_minor=900, stretch_goals=[stretch_goal("score", 800)], closes_at=NEW_DEADLINE),
    share("child", parent="root", sharer="backer-01"),
    share("root", circle="friends"),
    visit("child", 7),
    visit("unheard-of", 1),
    authorize("p", 300, authorization="a1", share_token="child", backer_id="backer-02", reward_id="poster"),
    cancel("q", "a2"),
    promise("p", 2, 700),
    fail("p", attempt="f1"),
    capture("r", 950, capture_id="c1", backer_id="backer-03", reward_id="credit"),
    refund("r", 950, "pending", refund_id="r1"),
    dispute("r", 80, "lost", withdrawn=True, lost_minor=60, dispute_id="d1"),
    authorize("late", 20, authorization="a4", at=CLOSES),
]

TODAY: Final = "2026-03-10"
FORM_PLEDGES: Final[list[tuple[list[Any], list[Any]]]] = [
    (
        ["p", 300, 0, 0, 0, 0, {2: 700}, 700, False, False],
        [NOON, "child", "backer-02", NOON, "poster", True, False, "backer-02", "poster", 1, None, TODAY, 700, 0, 0],
    ),
    (
        ["q", 0, 0, 0, 0, 0, None, None, False, False],
        [None, None, None, None, None, False, False, None, None, 3, "no_token", None, 0, 0, 0],
    ),
    (
        ["r", 0, 950, 950, 60, 0, None, None, True, False],
        [NOON, None, "backer-03", NOON, "credit", True, False, "backer-03", None, 3, "no_token", TODAY, 0, 0, 60],
    ),
    (
        ["late", 20, 0, 0, 0, 0, None, None, False, False],
        [CLOSES, None, None, None, None, False, True, None, None, 3, "no_token", "2026-04-16", 20, 0, 0],
    ),
]
"""The sums of a pledge's facts; its sightings, and where it is counted."""

FORM: Final[dict[str, Any]] = {
    "launch": {
        "campaign_id": CAMPAIGN,
        "title": "Les Anges Anonymes",
        "owner_id": "owner",
        "currency": "EUR",
        "goal_minor": 1000,
        "opens_at": OPENS,
        "closes_at": CLOSES,
        "timezone": "Europe/Paris",
        "sources": ["sources/guichet"],
        "milestone_steps": [40, 60],
        "circle_thresholds": {"friends": 30, "friends_of_friends": 100},
        "rewards": [{"reward_id": "poster", "quantity": 1}, {"reward_id": "credit"}],
    },
    "title": "Les Anges",
    "goal_minor": 900,
    "stretch_goals": [{"stretch_goal_id": "score", "title": "Stretch goal score", "amount_minor": 800}],
    "closes_at": NEW_DEADLINE,
    "amendments": [
        {
            "campaign_id": CAMPAIGN,
            "revision": 1,
            "title": "Les Anges",
            "goal_minor": 900,
            "stretch_goals": [{"stretch_goal_id": "score", "title": "Stretch goal score", "amount_minor": 800}],
            "closes_at": NEW_DEADLINE,
        }
    ],
    "term_revisions": {"title": 1, "goal_minor": 1, "stretch_goals": 1, "closes_at": 1},
    "status": "open",
    "pledges": [[*facts, *place] for facts, place in FORM_PLEDGES],
    "pledge_numbers": [0, 1, 2, 3],
    "rows": [],
    "authorizations": [["a1", "p", 300], ["a4", "late", 20]],
    "canceled_authorizations": [["a2", "q"]],
    "captures": [["c1", "r", 950]],
    "refunds": [["r1", "r", 950, "pending"]],
    "disputes": [["d1", "r", 80, "lost", True, 60]],
    "attempts": [["f1", "p"]],
    "shares": [
        ["child", NOON, "backer-01", "mail", "root", None, 1, [], [], [["site", "unknown", 7, 0, 0]]],
        ["root", NOON, "owner", "mail", None, 0, 0, ["child"], [], []],
        ["unheard-of", None, None, None, None, None, "unknown_token", [], [], [["site", "unknown", 1, 0, 0]]],
    ],
    "pledged_minor": 700,
    "collected_minor": 0,
    "over_returned_minor": 60,
    "late_minor": 20,
    "circle_pledged_minor": [0, 700, 0, 0],
    "circle_collected_minor": [0, 0, 0, 0],
    "backers": [["backer-02", [0, 1, 0, 0]]],
    "backers_in_circle": [0, 1, 0, 0],
    "backers_total": 1,
    "unattributed": {"no_token": 1},
    "day_totals": [["2026-03-10", 700, 0]],
    "reward_claims": {"poster": 1, "credit": 0},
    "unknown_reward_claims": 0,
    "position": [13, 0],
    "goal_is_reached": False,
    "goal_occurrences": 1,
    "steps_said": [40, 60],
    "overfunding_said_percent": 180,
    "stretch_goals_said": ["score"],
    "unopened_circles": [2],
}


def campaign_after(events: list[LogEvent]) -> Log:
    log = Log(*events)
    assert [outcome.refusal for outcome in log.outcomes] == [None] * len(events)
    return log


@pytest.mark.parametrize("cut", range(1, len(STORY) + 1))
def test_a_restored_campaign_goes_on_as_it_would_have(cut: int) -> None:
    """Saved anywhere in its story: every later entry, milestone, refusal and total is the same."""
    whole, resumed = campaign_after(STORY[:cut]), campaign_after(STORY[:cut])
    resumed.state.campaigns[CAMPAIGN] = restore(save(whole.campaign))
    assert view(resumed.campaign) == view(whole.campaign)
    for event in STORY[cut:] + AFTERWARDS:
        one, two = whole.append(event), resumed.append(event)
        assert (one.entries, one.milestones, str(one.refusal)) == (two.entries, two.milestones, str(two.refusal))
    assert view(resumed.campaign) == view(whole.campaign)


@pytest.mark.parametrize("cut", range(1, len(STORY) + 1))
def test_a_restored_campaign_is_saved_as_the_same_bytes(cut: int) -> None:
    """Also once everything that can come afterwards has come: nothing is lost from checkpoint to checkpoint."""
    log = campaign_after(STORY[:cut])
    saved = save(log.campaign)
    assert save(restore(saved)) == saved
    for event in AFTERWARDS:
        log.append(event)
    saved = save(log.campaign)
    assert save(restore(saved)) == saved


def test_what_is_restored_stands_on_its_own() -> None:
    """What happens to it does not happen to the campaign that was saved, nor to what is restored again."""
    log = campaign_after(STORY)
    before = save(log.campaign)
    other = campaign_after(STORY)
    other.state.campaigns[CAMPAIGN] = restore(before)
    for event in AFTERWARDS:
        other.append(event)
    assert save(log.campaign) == before
    assert save(restore(before)) == before


def test_the_form_of_a_snapshot_has_a_number() -> None:
    """Its parts stand in an order, without names: another form under the same number would be read as other numbers.

    Whoever changes what is said here changes `snapshot.FORM` too.
    """
    saved = msgspec.msgpack.decode(save(campaign_after(FORM_STORY).campaign))
    assert dict(zip(FORM, saved, strict=True)) == FORM
    state = PartitionState()
    fold(state, launch(), capture("p", 5, backer_id="b"))
    plain = msgspec.msgpack.decode(save(state.campaigns[CAMPAIGN]))
    assert dict(zip(FORM, plain, strict=True))["rows"] == [
        ["p", "unattributed", 5, 5, 0, False, TODAY, NOON, "b", None, "no_token", None]
    ]
    assert FORM_NUMBER == 3


@pytest.mark.parametrize("snapshot", [b"", b"\x90", b"\xc0", save(Log(launch()).campaign)[:-1]])
def test_what_save_has_not_written_is_no_campaign(snapshot: bytes) -> None:
    """It is an error of the bytes. A checkpoint's checksums and its form's number keep such from coming here."""
    with pytest.raises(msgspec.MsgspecError):
        restore(snapshot)
