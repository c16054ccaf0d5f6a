"""docs/ledger.md, Totals of a pledge: pledged = max(P, C) − min(C, R + L), collected = C − min(C, R + W)."""

import pytest

from schemas.events import LogEvent
from tests.ledger.events import CLOSES, authorize, cancel, capture, dispute, launch, promise, refund
from tests.ledger.log import Log

HELD = authorize("p", 5000)
CASES: dict[str, tuple[list[LogEvent], tuple[int, int, int]]] = {
    # events of one pledge; pledged, collected, over-returned
    "an authorization is promised": ([HELD], (5000, 0, 0)),
    "authorizations add up": ([HELD, authorize("p", 2000, authorization="second")], (7000, 0, 0)),
    "a canceled authorization is not promised": ([HELD, cancel("p", "p-authorization")], (0, 0, 0)),
    "an amendment takes the place of authorizations": ([HELD, promise("p", 1, 3000)], (3000, 0, 0)),
    "an amendment may promise more than is held": ([HELD, promise("p", 1, 8000)], (8000, 0, 0)),
    "an amended pledge does not mind which authorization is canceled": (
        [HELD, promise("p", 1, 3000), cancel("p", "p-authorization")],
        (3000, 0, 0),
    ),
    "a canceled pledge promises nothing": ([HELD, promise("p", 1, 3000), cancel("p")], (0, 0, 0)),
    "a final capture ends what is promised": ([HELD, capture("p", 3000)], (3000, 3000, 0)),
    "a capture that is not final leaves the rest promised": ([HELD, capture("p", 3000, final=False)], (5000, 3000, 0)),
    "captures add up": (
        [HELD, capture("p", 1000, final=False), capture("p", 1500, capture_id="second")],
        (2500, 2500, 0),
    ),
    "a capture without an authorization is pledged": ([capture("p", 4000)], (4000, 4000, 0)),
    "more captured than promised is pledged": ([HELD, capture("p", 6000, final=False)], (6000, 6000, 0)),
    "a canceled pledge keeps what was captured": (
        [HELD, capture("p", 3000, final=False), cancel("p")],
        (3000, 3000, 0),
    ),
    "an amendment below what was captured": ([promise("p", 1, 1000), capture("p", 3000, final=False)], (3000, 3000, 0)),
    "a refund takes from both": ([capture("p", 5000), refund("p", 1000)], (4000, 4000, 0)),
    "a pending refund takes from both": ([capture("p", 5000), refund("p", 1000, "pending")], (4000, 4000, 0)),
    "a failed refund takes nothing": ([capture("p", 5000), refund("p", 1000, "failed")], (5000, 5000, 0)),
    "a canceled refund takes nothing": ([capture("p", 5000), refund("p", 1000, "canceled")], (5000, 5000, 0)),
    "refunds add up": ([capture("p", 5000), refund("p", 1000), refund("p", 500, refund_id="second")], (3500, 3500, 0)),
    "a whole refund leaves nothing": ([capture("p", 5000), refund("p", 5000)], (0, 0, 0)),
    "more refunded than captured is over-returned": ([capture("p", 5000), refund("p", 6000)], (0, 0, 1000)),
    "a refund of what is only held is over-returned": ([HELD, refund("p", 1000)], (5000, 0, 1000)),
    "a refund takes from what was captured, not from what is still promised": (
        [HELD, capture("p", 1000, final=False), refund("p", 3000)],
        (4000, 0, 2000),
    ),
    "an open dispute takes nothing": ([capture("p", 5000), dispute("p", 2000)], (5000, 5000, 0)),
    "an open dispute that is withdrawn takes from collected only": (
        [capture("p", 5000), dispute("p", 2000, withdrawn=True)],
        (5000, 3000, 0),
    ),
    "a lost dispute takes from both": ([capture("p", 5000), dispute("p", 2000, "lost")], (3000, 3000, 0)),
    "a lost dispute that was withdrawn counts once": (
        [capture("p", 5000), dispute("p", 2000, "lost", withdrawn=True)],
        (3000, 3000, 0),
    ),
    "a dispute lost for less takes that": (
        [capture("p", 5000), dispute("p", 2000, "lost", withdrawn=True, lost_minor=500)],
        (4500, 4500, 0),
    ),
    "what an open dispute may cost is not lost yet": (
        [capture("p", 5000), dispute("p", 2000, withdrawn=True, lost_minor=500)],
        (5000, 3000, 0),
    ),
    "a won dispute takes nothing": ([capture("p", 5000), dispute("p", 2000, "won", withdrawn=True)], (5000, 5000, 0)),
    "a refund and a dispute of the same money are over-returned": (
        [capture("p", 5000), refund("p", 5000), dispute("p", 5000, "lost")],
        (0, 0, 5000),
    ),
    "what is withdrawn can be over-returned": (
        [capture("p", 5000), refund("p", 4000), dispute("p", 5000, withdrawn=True)],
        (1000, 0, 4000),
    ),
    "lost and withdrawn disputes add up": (
        [
            capture("p", 5000),
            dispute("p", 1000, "lost"),
            dispute("p", 2000, withdrawn=True, dispute_id="second"),
        ],
        (4000, 2000, 0),
    ),
    "the largest amounts fit": (
        [capture("p", 10**12), capture("p", 10**12, capture_id="second"), refund("p", 1)],
        (2 * 10**12 - 1, 2 * 10**12 - 1, 0),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_pledges_totals_are_those_of_the_formula(case: str) -> None:
    """Whatever the order of its facts; the campaign's totals are those of its only pledge."""
    events, expected = CASES[case]
    for order in (events, events[::-1]):
        log = Log(launch(goal_minor=10**12), *order)
        pledge = log.pledge("p")
        assert (pledge.pledged_minor, pledge.collected_minor, pledge.over_returned_minor) == expected
        totals = log.totals
        assert (totals.pledged_minor, totals.collected_minor, totals.over_returned_minor) == expected


def test_the_campaigns_totals_are_the_sums_over_its_pledges() -> None:
    """Pledges are added up, each by its own facts: one's refund never eats another's money."""
    log = Log(launch(), capture("p", 1000), refund("p", 3000), capture("q", 5000), authorize("r", 700))
    assert log.both == (5700, 5000)
    assert log.totals.over_returned_minor == 2000


def test_what_pledges_without_a_sighting_over_returned_adds_up() -> None:
    """Money that went out is shown, also before it is known to have come in."""
    log = Log(launch(), refund("p", 1000), refund("q", 300), refund("q", 50, refund_id="second"))
    assert log.totals.over_returned_minor == 1350


def test_late_pledges_are_outside_the_sums() -> None:
    """Also what they over-returned."""
    log = Log(launch(), capture("p", 1000, at=CLOSES), refund("p", 3000))
    assert log.both == (0, 0)
    assert log.totals.over_returned_minor == 0
    assert log.pledge("p").over_returned_minor == 2000


@pytest.mark.parametrize("events", [[promise("p", 1, 5000)], [refund("p", 5000)], [dispute("p", 5000, "lost")]])
def test_a_pledge_without_a_sighting_counts_nothing(events: list[LogEvent]) -> None:
    """An amendment, refund or dispute heard first waits for the authorization or capture."""
    log = Log(launch(), *events)
    assert log.both_of("p") == (0, 0)
    assert log.both == (0, 0)
    assert log.totals.backers == 0


def test_totals_name_the_campaigns_currency_and_goal() -> None:
    """Amounts are minor units of one currency, never added across currencies."""
    log = Log(launch(currency="JPY", goal_minor=250_000), authorize("p", 1000, currency="JPY"))
    assert (log.totals.currency, log.totals.goal_minor, log.totals.pledged_minor) == ("JPY", 250_000, 1000)
