"""docs/ledger.md, Percent: for people; no milestone looks at it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.events import authorize, launch
from tests.ledger.log import Log
from tests.ledger.naive_campaign import percent


@pytest.mark.parametrize(
    ("total", "goal", "expected"),
    [
        (0, 1_500_000, 0),
        (1, 1_500_000, 0),
        (14_999, 1_500_000, 0),
        (15_000, 1_500_000, 1),
        (1_499_999, 1_500_000, 99),
        (1_500_000, 1_500_000, 100),
        (1_507_499, 1_500_000, 100),
        (1_507_500, 1_500_000, 101),
        (1_717_499, 1_500_000, 114),
        (1_717_500, 1_500_000, 115),
        (1_723_000, 1_500_000, 115),
        (2, 3, 66),
        (4, 3, 133),
        (5, 3, 167),
        (10**12, 1, 10**14),
    ],
)
def test_percent_is_floored_below_100_and_rounded_half_up_from_there(total: int, goal: int, expected: int) -> None:
    """So that 100 % is never shown early, and 17 230 of 15 000 is 115 %."""
    log = Log(launch(goal_minor=goal))
    if total:
        log.append(authorize("p", total))
    assert log.totals.percent == expected


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_100_percent_means_reached(total: int, goal: int) -> None:
    """For every total and goal: 100 is shown exactly from the goal on."""
    shown = Log(launch(goal_minor=goal), authorize("p", total)).totals.percent
    assert (shown >= 100) == (total >= goal)
    assert shown == percent(total, goal)
