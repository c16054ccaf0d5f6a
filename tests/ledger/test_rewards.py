"""docs/ledger.md, Rewards: which pledge claims which, how many are left, and when there are none."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.events import LogEvent
from schemas.updates import RewardTotals
from stream_processors.ledger import batch
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import fold, updates_of
from tests.ledger.events import (
    CLOSES,
    DAY,
    NOON,
    amend,
    authorize,
    cancel,
    capture,
    dispute,
    launch,
    promise,
    refund,
    reward,
    share,
)
from tests.ledger.log import Log

TICK = timedelta(microseconds=1)
POSTERS = 2


def a_log(*events: LogEvent) -> Log:
    """Return the log of a campaign that has two posters, and credits without end."""
    return Log(launch(rewards=[reward("poster", POSTERS), reward("credit")]), *events)


def claimed(log: Log) -> dict[str, int]:
    """Return the claims of each reward, and those of unknown ones."""
    claims = {one.reward_id: one.claimed for one in log.campaign.rewards()}
    return claims | {"unknown": log.totals.unknown_reward_claims}


def flags(log: Log, event: LogEvent) -> list[tuple[str | None, bool]]:
    """Fold the event and return of each entry the pledge, and whether it is flagged."""
    return [(entry.pledge_id, entry.reward_exhausted) for entry in log.append(event).entries]


def posters(log: Log) -> RewardTotals:
    return log.campaign.reward("poster")


def test_every_reward_of_the_terms_is_there_from_the_launch_on() -> None:
    """Unclaimed, in their order; how many are left is known of those that have a quantity."""
    log = a_log()
    assert log.campaign.rewards() == [
        RewardTotals(reward_id="poster", claimed=0, claims_left=2, exhausted_claims=0),
        RewardTotals(reward_id="credit", claimed=0, claims_left=None, exhausted_claims=0),
    ]
    assert [one.reward_id for one in log.terms.rewards] == ["poster", "credit"]
    assert Log(launch()).campaign.rewards() == []


@pytest.mark.parametrize("sighting", [authorize, capture])
def test_a_pledge_claims_the_reward_that_it_names(sighting: Any) -> None:
    """Once, whatever else happens to it; a pledge that names none claims none."""
    log = a_log(sighting("p", 5, reward_id="poster"), sighting("q", 5))
    assert claimed(log) == {"poster": 1, "credit": 0, "unknown": 0}
    log.append(authorize("p", 50, authorization="more", reward_id="poster"))
    log.append(capture("p", 5, reward_id="poster", at=NOON + DAY))
    assert posters(log) == RewardTotals(reward_id="poster", claimed=1, claims_left=1)
    assert (log.pledge("p").reward_id, log.pledge("q").reward_id) == ("poster", None)


def test_a_claim_beyond_the_quantity_counts_as_money_and_is_flagged() -> None:
    """The entry that makes the claim says so, as do the totals; every claim after it too."""
    log = a_log()
    seen = [flags(log, capture(f"p{number}", 5, reward_id="poster")) for number in range(4)]
    assert seen == [[("p0", False)], [("p1", False)], [("p2", True)], [("p3", True)]]
    assert posters(log) == RewardTotals(reward_id="poster", claimed=4, claims_left=0, exhausted_claims=2)
    assert (log.both, log.totals.backers) == ((20, 20), 4)


def test_a_reward_without_a_quantity_is_never_exhausted() -> None:
    """However many claim it."""
    log = a_log()
    assert [flags(log, capture(f"p{number}", 5, reward_id="credit"))[0][1] for number in range(9)] == [False] * 9
    assert log.campaign.reward("credit") == RewardTotals(reward_id="credit", claimed=9)


def test_a_reward_that_the_terms_do_not_name_counts_as_money_and_is_shown_apart() -> None:
    """It is no reward of the campaign: none is left of it, and none is exhausted."""
    log = a_log(capture("p", 5, reward_id="t-shirt"), capture("q", 5, reward_id="mug"))
    assert claimed(log) == {"poster": 0, "credit": 0, "unknown": 2}
    assert (log.both, log.pledge("p").reward_id) == ((10, 10), "t-shirt")
    log.append(refund("q", 5))
    assert claimed(log)["unknown"] == 1


@pytest.mark.parametrize(
    "away",
    [
        [cancel("p")],
        [cancel("p", "p-authorization")],
        [capture("p", 5), refund("p", 5)],
        [amend(1, at=NOON - DAY, closes_at=NOON)],
    ],
)
def test_a_claim_lasts_while_the_pledge_counts(away: list[LogEvent]) -> None:
    """At 0, or late, it claims nothing, and one more is left for others."""
    log = a_log(authorize("p", 5, reward_id="poster"))
    assert posters(log).claimed == 1
    for event in away:
        assert log.refusal(event) is None
    assert log.both[0] == 0
    assert posters(log) == RewardTotals(reward_id="poster", claimed=0, claims_left=2)
    assert log.pledge("p").reward_id == "poster", "what it named is shown all the same"


def test_a_claim_that_comes_back_stands_behind_those_made_meanwhile() -> None:
    """A refund that failed in the end brings its pledge back: of what is exhausted by then it is flagged."""
    log = a_log(capture("p", 5, reward_id="poster"), refund("p", 5))
    log.append(capture("q", 5, reward_id="poster"))
    log.append(capture("r", 5, reward_id="poster"))
    assert posters(log).claims_left == 0
    assert flags(log, refund("p", 5, "failed")) == [("p", True)]
    assert posters(log).exhausted_claims == 1
    assert flags(log, refund("p", 5, "failed")) == [], "known already"


def test_what_changes_no_claim_is_not_flagged() -> None:
    """A pledge beyond the quantity goes on changing as any other."""
    log = a_log(*(capture(f"p{number}", 5, reward_id="poster") for number in range(3)))
    assert flags(log, capture("p2", 50, reward_id="poster")) == [("p2", False)]
    assert flags(log, dispute("p2", 5, withdrawn=True)) == [("p2", False)]
    assert flags(log, refund("p2", 5)) == [("p2", False)]
    assert posters(log).exhausted_claims == 1


def test_a_claim_released_is_no_claim_of_another() -> None:
    """Who claimed beyond the quantity has been told; the totals say that one fewer is exhausted."""
    log = a_log(*(capture(f"p{number}", 5, reward_id="poster") for number in range(3)))
    assert flags(log, refund("p0", 5)) == [("p0", False)]
    assert posters(log) == RewardTotals(reward_id="poster", claimed=2, claims_left=0)


@pytest.mark.parametrize("swap", [True, False])
def test_the_reward_is_that_of_the_earliest_made_sighting(swap: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """In whatever order they are heard, and also where the earliest names none."""
    first = authorize("p", 5, made_at=NOON, reward_id="credit")
    second = capture("p", 5, made_at=NOON + TICK, reward_id="poster")
    log = a_log(*((second, first) if swap else (first, second)))
    assert claimed(log) == {"poster": 0, "credit": 1, "unknown": 0}
    log.append(authorize("p", 1, authorization="earlier", made_at=NOON - TICK))
    assert claimed(log) == {"poster": 0, "credit": 0, "unknown": 0}
    assert log.pledge("p").reward_id is None


@pytest.mark.parametrize("swap", [True, False])
def test_of_sightings_of_one_moment_the_least_reward_counts(swap: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """And one that names a reward before one that names none; hearing it leaves an entry of 0."""
    sightings: list[LogEvent] = [
        authorize("p", 5, authorization="a0"),
        authorize("p", 5, authorization="a1", reward_id="poster"),
        authorize("p", 5, authorization="a2", reward_id="credit"),
    ]
    log = a_log(*(reversed(sightings) if swap else sightings))
    assert claimed(log) == {"poster": 0, "credit": 1, "unknown": 0}
    assert flags(log, authorize("p", 5, authorization="a2", reward_id="a-mug")) == [("p", False)]
    assert claimed(log) == {"poster": 0, "credit": 0, "unknown": 1}


def test_a_move_to_another_reward_releases_the_one_before() -> None:
    """By opposite entries where the day changes with it; the entry into the new place is the one that is flagged."""
    log = a_log(*(capture(f"p{number}", 5, reward_id="poster") for number in range(2)))
    log.append(capture("q", 5, reward_id="credit"))
    assert flags(log, authorize("q", 1, made_at=NOON - DAY, reward_id="poster")) == [("q", False), ("q", True)]
    assert claimed(log) == {"poster": 3, "credit": 0, "unknown": 0}


def test_a_share_that_moves_pledges_changes_no_claim() -> None:
    """They claimed already: in another circle they claim the same, and nothing is flagged anew."""
    log = a_log(*(capture(f"p{number}", 5, reward_id="poster", share_token="t") for number in range(3)))
    assert [flag for _, flag in flags(log, share("t"))] == [False] * 6
    assert posters(log).claimed == 3


def test_a_promise_at_hand_claims_too() -> None:
    """What is pledged counts, collected or not; an amended amount is still a claim."""
    log = a_log(promise("p", 1, 5))
    assert posters(log).claimed == 0, "without a sighting it is not yet a pledge that anything can be counted of"
    log.append(authorize("p", 50, reward_id="poster"))
    log.append(promise("p", 2, 1))
    assert posters(log).claimed == 1


def test_an_extended_deadline_lets_late_pledges_claim_in_the_order_of_the_log() -> None:
    """Two posters for three late pledges: the last of them to be heard of finds none."""
    log = a_log(*(authorize(f"p{number}", 5, made_at=CLOSES, reward_id="poster") for number in range(3)))
    assert posters(log).claimed == 0
    assert flags(log, amend(1, closes_at=CLOSES + DAY)) == [("p0", False), ("p1", False), ("p2", True)]
    assert posters(log) == RewardTotals(reward_id="poster", claimed=3, claims_left=0, exhausted_claims=1)


def test_an_update_shows_the_rewards_whose_claims_changed() -> None:
    """All of them with the terms, then those alone, as they now stand; none where only money moved."""
    state = PartitionState()
    [first] = updates_of(fold(state, launch(rewards=[reward("poster", 2), reward("credit")])))
    assert [one.reward_id for one in first.rewards] == ["poster", "credit"]
    [second] = updates_of(fold(state, capture("p", 5, reward_id="poster"), capture("q", 5, reward_id="poster")))
    assert second.rewards == [RewardTotals(reward_id="poster", claimed=2, claims_left=0)]
    assert [one.reward_id for one in second.pledges] == ["poster", "poster"]
    [third] = updates_of(fold(state, capture("p", 50, reward_id="poster"), capture("r", 5, reward_id="mug")))
    assert (third.rewards, third.totals.unknown_reward_claims) == ([], 1)
    [fourth] = updates_of(fold(state, amend(1, title="Another title")))
    assert [(one.reward_id, one.claimed) for one in fourth.rewards] == [("poster", 2), ("credit", 0)]


def test_each_part_of_an_update_shows_the_rewards_as_of_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has heard a part has the claims that fit its entries."""
    monkeypatch.setattr(batch, "PART_BYTES", 0)
    state = PartitionState()
    parts = updates_of(
        fold(state, launch(rewards=[reward("poster", 2)]), *(capture(f"p{n}", 5, reward_id="poster") for n in range(3)))
    )
    assert [[one.claimed for one in part.rewards] for part in parts] == [[0], [1], [2], [3]]
    assert [[entry.reward_exhausted for entry in part.entries] for part in parts] == [[False], [False], [False], [True]]
