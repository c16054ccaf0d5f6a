"""docs/ledger.md, Backer: distinct people with money in the campaign."""

from datetime import timedelta

import pytest

from schemas.events import LogEvent
from tests.ledger.events import CLOSES, NOON, authorize, cancel, capture, dispute, launch, refund, share
from tests.ledger.log import Log

HOUR = timedelta(hours=1)


def test_backers_are_distinct() -> None:
    """One with two pledges counts once."""
    log = Log(launch(), authorize("p", 1, backer_id="backer-01"), authorize("q", 1, backer_id="backer-01"))
    assert log.totals.backers == 1
    log.append(authorize("r", 1, backer_id="backer-02"))
    assert log.totals.backers == 2


def test_a_pledge_without_a_backer_is_one_of_its_own() -> None:
    """Two of them are two backers."""
    assert Log(launch(), authorize("p", 1), authorize("q", 1)).totals.backers == 2


def test_a_backer_counts_while_one_of_their_pledges_is_above_0() -> None:
    """Until the last of them is canceled or given back."""
    log = Log(launch(), authorize("p", 1, backer_id="backer-01"), capture("q", 1, backer_id="backer-01"))
    log.append(cancel("p"))
    assert log.totals.backers == 1
    log.append(refund("q", 1))
    assert log.totals.backers == 0
    log.append(refund("q", 1, "failed"))
    assert log.totals.backers == 1


def test_it_is_what_is_pledged_that_counts() -> None:
    """A backer whose money is withdrawn for the time being still is one."""
    log = Log(launch(), capture("p", 1), dispute("p", 1, withdrawn=True))
    assert (log.both, log.totals.backers) == ((1, 0), 1)


def test_a_late_pledge_makes_no_backer() -> None:
    """It is outside every total."""
    log = Log(launch(), authorize("p", 1, backer_id="backer-01", at=CLOSES), authorize("q", 1, at=CLOSES))
    assert log.totals.backers == 0


def test_backers_of_circles_are_distinct_within_each() -> None:
    """So they need not add up to the campaign's."""
    log = Log(launch(), share("t"), share("u", circle="public"))
    for pledge, token in (("p", "t"), ("q", "t"), ("r", "u")):
        log.append(authorize(pledge, 1, backer_id="backer-01", share_token=token))
    assert log.totals.backers == 1
    assert [circle.backers for circle in log.totals.circles] == [1, 0, 1, 0]


@pytest.mark.parametrize("circle", ["friends", "friends_of_friends", "public", None])
def test_a_backer_counts_once_in_every_circle(circle: str | None) -> None:
    """Until the last of their pledges there is at 0, while others are above 0 elsewhere."""
    log = Log(launch(), share("t", circle=circle or "friends"), share("u"), share("v", circle="public"))
    elsewhere = "u" if circle != "friends" else "v"
    log.append(authorize("r", 1, backer_id="backer-01", share_token=elsewhere))
    counts = [log.circle(circle or "unattributed").backers]
    for event in (
        authorize("p", 1, backer_id="backer-01", share_token="t" if circle else None),
        authorize("q", 1, backer_id="backer-01", share_token="t" if circle else None),
        cancel("q"),
        cancel("p"),
    ):
        log.append(event)
        counts.append(log.circle(circle or "unattributed").backers)
        assert log.totals.backers == 1
    assert counts == [0, 1, 1, 1, 0]


def test_a_pledge_that_moves_takes_its_backer_along() -> None:
    """Out of one circle and into the other."""
    log = Log(launch(), authorize("p", 1, share_token="t", backer_id="backer-01"), authorize("q", 1, share_token="t"))
    assert [circle.backers for circle in log.totals.circles] == [0, 0, 0, 2]
    log.append(share("t"))
    assert [circle.backers for circle in log.totals.circles] == [2, 0, 0, 0]


def test_the_backer_is_the_one_on_the_earliest_made_sighting_that_names_one() -> None:
    """Sightings that name none are passed over, unlike for the token."""
    log = Log(launch(), authorize("p", 1, made_at=NOON - HOUR))
    log.append(authorize("p", 1, authorization="second", made_at=NOON + HOUR, backer_id="backer-02"))
    assert log.pledge("p").backer_id == "backer-02"
    log.append(capture("p", 1, made_at=NOON, backer_id="backer-01"))
    assert log.pledge("p").backer_id == "backer-01"


def test_a_sighting_that_names_no_backer_takes_none_away() -> None:
    """However early it was made; nor does it change since when the backer is known."""
    log = Log(launch(), authorize("p", 1, made_at=NOON + HOUR, backer_id="backer-02"))
    log.append(authorize("p", 1, authorization="second", made_at=NOON - HOUR))
    assert log.pledge("p").backer_id == "backer-02"
    log.append(authorize("p", 1, authorization="third", made_at=NOON, backer_id="backer-01"))
    assert log.pledge("p").backer_id == "backer-01"


def test_a_backer_is_known_since_the_earliest_made_sighting_that_names_them() -> None:
    """One that names the same backer again, made earlier, outdoes another backer named in between."""
    log = Log(launch(), authorize("p", 1, made_at=NOON + HOUR, backer_id="backer-02"))
    log.append(authorize("p", 1, authorization="second", made_at=NOON - HOUR, backer_id="backer-02"))
    log.append(authorize("p", 1, authorization="third", made_at=NOON, backer_id="backer-01"))
    assert log.pledge("p").backer_id == "backer-02"


@pytest.mark.parametrize("swap", [True, False])
def test_of_backers_named_at_one_moment_the_least_counts(swap: bool) -> None:  # noqa: FBT001 (a parameter of a test)
    """In code point order."""
    events: list[LogEvent] = [authorize("p", 1, backer_id="backer-1"), capture("p", 1, backer_id="Backer-2")]
    log = Log(launch(), *(reversed(events) if swap else events))
    assert log.pledge("p").backer_id == "Backer-2"


def test_a_backer_named_later_merges_pledges() -> None:
    """Two pledges without a backer turn out to be of one."""
    log = Log(launch(), authorize("p", 1), authorize("q", 1))
    log.append(capture("p", 1, backer_id="backer-01", at=NOON + HOUR))
    assert log.totals.backers == 2
    outcome = log.append(capture("q", 1, backer_id="backer-01", at=NOON + HOUR))
    assert log.totals.backers == 1
    assert len(outcome.entries) == 1


def test_an_event_that_only_names_the_backer_earlier_leaves_one_entry() -> None:
    """It changes nothing that is shown, and may decide who the backer is later on."""
    log = Log(launch(), authorize("p", 5), capture("p", 5, made_at=NOON + 2 * HOUR, backer_id="backer-01"))
    earlier = capture("p", 5, made_at=NOON + HOUR, backer_id="backer-01")
    assert log.lines(earlier) == [("p", "unattributed", 0, 0)]
    assert log.lines(earlier) == []


def test_an_event_that_only_names_the_backer_leaves_one_entry() -> None:
    """It changes state and moves no money."""
    log = Log(launch(), authorize("p", 5))
    assert log.lines(authorize("p", 5, backer_id="backer-01", at=NOON + HOUR)) == [("p", "unattributed", 0, 0)]
