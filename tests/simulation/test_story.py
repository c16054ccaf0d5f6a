"""A simulated story: as the plan's rates say, and nothing in it that a door would refuse."""

import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, pairwise
from typing import Any, Final

import pytest

from cercles.simulation.plan import OPENS_AT, STORY_VERSION, Plan, Rates
from cercles.simulation.story import arrivals, arrivals_of, launches
from cercles.simulation.telling import write
from cercles.simulation.totals import CampaignTotals, totals_of
from schemas.events import (
    LogEvent,
    PledgeAmended,
    PledgeAuthorized,
    PledgeCanceled,
    PledgeCaptured,
    PledgeDisputed,
    PledgeEvent,
    PledgeFailed,
    PledgeRefunded,
    SharePosted,
    encode,
    type_name,
)
from schemas.fields import AMOUNT_MINOR_MAX
from schemas.strictness import first_fault
from tests.ledger.naive import NaiveLedger
from tests.schemas.json_schemas import is_valid

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
BUSY: Final = Rates(fail=0.2, cancel=0.2, amend=0.2, refund=0.3, dispute=0.2, repeat=0.2, disorder=0.2)
MANY: Final = 4_000
TOLERANCE: Final = 0.03
"""Chance is seeded, so a rate that is met within it once is met always."""

OFF: Final = Rates(**dict.fromkeys(Rates.__struct_fields__, 0.0))
PLANS: Final = {
    "one campaign": Plan(seed=1, pledges=150),
    "busy ones": Plan(seed=2, campaigns=3, pledges=70, rates=BUSY),
    "nothing but captures": Plan(seed=3, pledges=50, rates=OFF),
    "without pledges": Plan(seed=4, campaigns=2, pledges=0),
    "one pledge": Plan(seed=5, pledges=1),
    "within a day": Plan(seed=6, pledges=150, days=1, currency="JPY"),
    "in dinars": Plan(seed=7, pledges=100, currency="TND"),
}
each_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)


def events_of(plan: Plan) -> list[LogEvent]:
    return [told.event for told in arrivals(plan)]


def once(events: Iterable[LogEvent]) -> list[LogEvent]:
    """Return the events without their repetitions."""
    return list({event.id: event for event in events}.values())


@each_plan
def test_every_event_is_one_that_the_doors_take(plan: Plan) -> None:
    """By its JSON Schema, and by what is asked beyond it."""
    for event in chain(launches(plan), events_of(plan)):
        assert is_valid(type_name(event), json.loads(encode(event)))
        assert first_fault(event, NOW) is None


@each_plan
def test_totals_are_those_of_the_naive_ledger(plan: Plan) -> None:
    """Another fold of the same events comes to the same, and refuses none of them."""
    for number, launch in enumerate(launches(plan)):
        naive = NaiveLedger()
        events = [launch, *(told.event for told in arrivals_of(plan, number))]
        assert [naive.hear(event, offset) for offset, event in enumerate(events)] == [None] * len(events)
        wanted = naive.campaigns[launch.data.campaign_id].totals()
        found = totals_of(plan, number)
        assert found.events == len(events)
        assert all(value == getattr(wanted, name) for name, value in found.totals.items())
        assert (found.circles, found.unattributed) == (wanted.circles, wanted.unattributed)


@each_plan
def test_every_pledge_begins_once(plan: Plan) -> None:
    """As many as were asked for, in each campaign."""
    told = list(arrivals(plan))
    assert sum(one.pledges for one in told) == plan.campaigns * plan.pledges
    known = {
        (event.data.campaign_id, event.data.pledge_id)
        for event in events_of(plan)
        if isinstance(event, PledgeAuthorized | PledgeCaptured)
    }
    assert len(known) == plan.campaigns * plan.pledges


@each_plan
def test_nothing_happens_outside_the_plan(plan: Plan) -> None:
    """Neither before the opening nor after `ends_at`; events arrive in the order of their arrival."""
    told = list(arrivals(plan))
    assert all(OPENS_AT <= one.event.time <= plan.ends_at for one in told)
    assert all(first.arrived_seconds <= second.arrived_seconds for first, second in pairwise(told))
    assert len({one.event.id for one in told}) == len(once(one.event for one in told))


@each_plan
def test_campaigns_are_the_same_alone_and_mixed(plan: Plan) -> None:
    """The order of one campaign's events does not depend on the others."""
    mixed: dict[int, list[LogEvent]] = {number: [] for number in range(plan.campaigns)}
    for told in arrivals(plan):
        mixed[told.campaign].append(told.event)
    for number, events in mixed.items():
        assert [told.event for told in arrivals_of(plan, number)] == events


def test_without_disorder_and_repetition_events_come_as_they_happen() -> None:
    """In the order of their times, each once."""
    events = events_of(Plan(seed=1, campaigns=2, pledges=500, rates=Rates(repeat=0, disorder=0)))
    assert all(first.time <= second.time for first, second in pairwise(events))
    assert len(once(events)) == len(events)


def amounts(found: CampaignTotals) -> Any:
    return found.totals, found.circles, found.unattributed


def test_repetition_and_disorder_change_no_total() -> None:
    """The same seed with every event twice, and many of them late, comes to the same."""
    plain = Plan(seed=9, pledges=1_000, rates=Rates(repeat=0, disorder=0))
    twice = Plan(seed=9, pledges=1_000, rates=Rates(repeat=1, disorder=0.5))
    assert amounts(totals_of(plain, 0)) == amounts(totals_of(twice, 0))
    assert totals_of(twice, 0).events == 2 * totals_of(plain, 0).events - 1  # the launch comes once


def test_other_seeds_and_options_are_other_campaigns() -> None:
    """Two plans never speak of the same campaign: they would contradict each other."""
    plans = [Plan(seed=1), Plan(seed=2), Plan(seed=1, pledges=201), Plan(seed=1, rates=Rates(refund=0.06))]
    assert len({plan.campaign_id(0) for plan in plans}) == len(plans)
    first, second = (encode(next(arrivals(Plan(seed=seed))).event) for seed in (1, 2))
    assert first != second


def test_another_version_tells_of_other_campaigns(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version sent to a gateway stands; the same plan must not contradict it."""
    before = Plan(seed=1).campaign_id(0)
    monkeypatch.setattr("cercles.simulation.plan.STORY_VERSION", STORY_VERSION + 1)
    assert Plan(seed=1).campaign_id(0) != before


def test_a_version_of_the_simulator_tells_one_story() -> None:
    """Whoever changes a byte of it raises STORY_VERSION first, and then writes both down here.

    Otherwise the new story would come under the ids of the old one, and the ledger would refuse what differs.
    """
    told = io.BytesIO()
    write(Plan(seed=1, campaigns=2, pledges=60, rates=BUSY), told, lambda *_: None)
    digest = hashlib.sha256(told.getvalue()).hexdigest()
    assert (STORY_VERSION, digest) == (1, "f27bebaf575750226b44f85a1939f0bce7ef5058d157fd0d8cedcd4062f1c70f")


def test_no_goal_is_above_the_largest_amount() -> None:
    """Of the most pledges in thousandths some would be."""
    plan = Plan(seed=1, campaigns=40, pledges=10_000_000, currency="TND")
    assert max(launch.data.goal_minor for launch in launches(plan)) == AMOUNT_MINOR_MAX
    assert all(is_valid(type_name(launch), json.loads(encode(launch))) for launch in launches(plan))


def test_story_of_any_size_begins_at_once() -> None:
    """It is made while it is told: its beginning does not wait for its pledges."""
    assert len(list(islice(arrivals(Plan(seed=1, campaigns=20, pledges=10_000_000)), 1_000))) == 1_000


def test_no_payment_belongs_to_two_campaigns() -> None:
    """A gateway's ids are its own: `cercles audit` names a payment that counts twice."""
    events = events_of(Plan(seed=1, campaigns=4, pledges=100, rates=BUSY))
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in events:
        for name in ("authorization_id", "capture_id", "refund_id", "dispute_id", "attempt_id"):
            identifier = getattr(event.data, name, None)
            if identifier is not None:
                owners[name, identifier].add(event.data.campaign_id)
    assert len(owners) > 500
    assert {len(campaigns) for campaigns in owners.values()} == {1}


def test_money_goes_from_circle_to_circle() -> None:
    """Links are passed on from links that were passed on before; friends come first, the public last."""
    events = once(events_of(Plan(seed=3, pledges=3_000, rates=Rates(disorder=0))))
    tokens: set[str] = set()
    for event in events:
        if isinstance(event, SharePosted):
            assert event.data.parent_token is None or event.data.parent_token in tokens
            tokens.add(event.data.share_token)
    found = totals_of(Plan(seed=3, pledges=3_000, rates=Rates(disorder=0)), 0)
    assert all(found.circle(name).backers > 100 for name in ("friends", "friends_of_friends", "public"))
    assert found.circle("unattributed").backers < 400


def count(events: list[LogEvent], kind: type[PledgeEvent]) -> int:
    return len({event.data.pledge_id for event in events if isinstance(event, kind)})


def share(part: int, whole: int) -> float:
    return part / whole


MEASURES: Final[dict[str, Callable[[list[LogEvent]], float]]] = {
    "authorize": lambda told: share(count(told, PledgeAuthorized), MANY),
    "fail": lambda told: share(count(told, PledgeFailed), MANY),
    "cancel": lambda told: share(count(told, PledgeCanceled), count(told, PledgeAuthorized)),
    "amend": lambda told: share(
        count(told, PledgeAmended), count(told, PledgeAuthorized) - count(told, PledgeCanceled)
    ),
    "capture": lambda told: share(
        count(told, PledgeAuthorized) - count(told, PledgeCanceled) - unpaid(told),
        count(told, PledgeAuthorized) - count(told, PledgeCanceled),
    ),
    "refund": lambda told: share(count(told, PledgeRefunded), count(told, PledgeCaptured)),
    "dispute": lambda told: share(count(told, PledgeDisputed), count(told, PledgeCaptured)),
    "share": lambda told: share(
        sum(isinstance(one, SharePosted) and one.data.parent_token is not None for one in once(told)),
        MANY - without_link(told),
    ),
    "unattributed": lambda told: share(without_link(told), MANY),
    "repeat": lambda told: share(len(told) - len(once(told)), len(once(told))),
    "disorder": lambda told: share(overtaken(once(told)), len(once(told))),
}


def unpaid(told: list[LogEvent]) -> int:
    ended = {one.data.pledge_id for one in told if isinstance(one, PledgeCaptured | PledgeCanceled)}
    return len({one.data.pledge_id for one in told if isinstance(one, PledgeAuthorized)} - ended)


def without_link(told: list[LogEvent]) -> int:
    return len(
        {
            one.data.pledge_id
            for one in told
            if isinstance(one, PledgeAuthorized | PledgeCaptured) and one.data.share_token is None
        }
    )


def overtaken(events: list[LogEvent]) -> int:
    """Return how many events come after one that happened later."""
    latest, number = OPENS_AT, 0
    for event in events:
        number += event.time < latest
        latest = max(latest, event.time)
    return number


def test_every_rate_is_measured() -> None:
    """A new rate has its row."""
    assert set(MEASURES) == set(Rates.__struct_fields__)


@pytest.mark.parametrize("asked", [0.1, 0.4])
@pytest.mark.parametrize("name", MEASURES)
def test_rates_are_as_asked(name: str, asked: float) -> None:
    """Within what chance allows."""
    rates = Rates(**({"authorize": 0.8, "cancel": 0.1, "repeat": 0.0, "disorder": 0.0} | {name: asked}))
    told = events_of(Plan(seed=11, pledges=MANY, rates=rates))
    assert MEASURES[name](told) == pytest.approx(asked, abs=TOLERANCE)


@pytest.mark.parametrize("name", MEASURES)
def test_rates_of_nothing_and_of_everything_are_exact(name: str) -> None:
    """0 is never; 1 is always. With a disorder of 1 every event is late, but not overtaken by others: see below."""
    others = {"authorize": 1.0, "cancel": 0.0, "refund": 0.0, "dispute": 0.0, "repeat": 0.0, "disorder": 0.0}
    for asked in (0.0,) if name == "disorder" else (0.0, 1.0):
        told = events_of(Plan(seed=12, pledges=MANY, rates=Rates(**(others | {name: asked}))))
        assert MEASURES[name](told) == asked


def test_rates_that_contradict_each_other_are_refused() -> None:
    """A pledge is refunded or disputed, not both."""
    with pytest.raises(ValueError, match="refunded or disputed"):
        Rates(refund=0.7, dispute=0.4)


def test_some_campaigns_reach_their_goal_and_some_do_not() -> None:
    """Goals differ, around what the pledges come to."""
    plan = Plan(seed=1, campaigns=40, pledges=50)
    reached = Counter(totals_of(plan, number).totals["percent"] >= 100 for number in range(plan.campaigns))
    assert min(reached[True], reached[False]) >= 8


def test_late_events_are_late_by_a_day_at_most() -> None:
    """So that a late event is not taken for a lost one."""
    told = list(arrivals(Plan(seed=1, pledges=500, rates=Rates(repeat=1, disorder=1))))
    late = [timedelta(seconds=one.arrived_seconds) - (one.event.time - OPENS_AT) for one in told]
    assert timedelta(0) < min(late)
    assert max(late) <= timedelta(days=2)  # late, and its repetition a day after that
