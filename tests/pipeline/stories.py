"""Stories of campaigns as a busy week brings them: facts of every kind, repeated, disordered, some of them refused."""

import random
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from cercles.simulation.campaign import Campaign
from cercles.simulation.plan import Chance, Plan, Rates
from schemas.events import CircleThresholds, LogEvent, PledgeAuthorized, PledgeCaptured, encode
from tests.ledger.events import (
    OPENS,
    SOURCE,
    authorize,
    capture,
    dispute,
    launch,
    promise,
    refund,
    reward,
    share,
    visit,
)

POISON: Final = (b"\xff\xfe", b"{", b'{"type":"cercles.goal.reached"}', b'{"type":"cercles.pledge.captured","data":{}}')

RING: Final = {"ring-1": "ring-2", "ring-2": "ring-1"}
"""Links that each claim the other as their parent."""

LEADING_NOWHERE: Final = (*RING, "never-posted")
"""Links whose pledges belong to no circle."""

ODD: Final = ("by-nobody", "lowered", "never-captured", "returned-twice")
"""Pledges of which the simulator tells nothing alike."""

REWARDS: Final = [reward("poster", 5), reward("credit")]
"""Of posters there are soon none left."""

NAMED: Final = (None, "poster", "credit", "never-offered")
"""The rewards that pledges name."""

STRIPE: Final = "stripe/acme/test"
"""A source that campaigns list besides, for what the faults send in by the gateway."""

RATES: Final = Rates(authorize=0.9, fail=0.05, cancel=0.1, amend=0.1, refund=0.1, dispute=0.05, share=0.3)
THRESHOLDS: Final = CircleThresholds(friends=90, friends_of_friends=90)
"""So high that some circle opens early."""

DAYS: Final = 60
"""Longer than the campaign is open: some pledges are late."""


def story(campaign_id: str, pledges: int, chance: random.Random) -> list[tuple[str, bytes]]:
    """Return the records of one campaign, key and value: its launch first, then everything else in disorder.

    `pledges`: how many the simulator tells of; `ODD` and those of `LEADING_NOWHERE` come besides.
    """
    records = [encode(event) for event in _facts(campaign_id, pledges, chance)]
    records += chance.choices(records, k=len(records) // 10)
    records += [chance.choice(POISON) for _ in range(max(1, len(records) // 20))]
    chance.shuffle(records)
    terms: dict[str, Any] = {"goal_minor": 150_000, "funding_model": "keep_it_all", "sources": [SOURCE, STRIPE]}
    terms |= {"circle_thresholds": THRESHOLDS, "rewards": REWARDS}
    first = encode(launch(campaign=campaign_id, **terms))
    return [(campaign_id, record) for record in (first, *records, first)]


def _facts(campaign_id: str, pledges: int, chance: random.Random) -> Iterator[LogEvent]:
    for happening in _simulated(campaign_id, pledges, chance).happenings():
        yield _naming_a_reward(happening.event)
    for token, parent in RING.items():
        yield share(token, parent=parent, sharer=f"sharer-{token}", campaign=campaign_id)
        yield visit(token, chance.randrange(100), campaign=campaign_id)
    for token in LEADING_NOWHERE:
        yield capture(f"pledge-by-{token}", chance.randrange(500, 20_000), share_token=token, campaign=campaign_id)
    yield from _odd(campaign_id, chance.randrange(500, 20_000))
    # Refused: another currency, a source that is not listed, a known refund with another amount.
    yield capture("pledge-0", 100, capture_id="in-dollars", currency="USD", campaign=campaign_id)
    yield capture("pledge-0", 100, capture_id="unlisted", source="sources/other", campaign=campaign_id)
    yield refund("pledge-0", 1, refund_id="twice", campaign=campaign_id)
    yield refund("pledge-0", 2, refund_id="twice", campaign=campaign_id)


def _naming_a_reward(event: LogEvent) -> LogEvent:
    """Return the sighting as one that names a reward, or none: the same for all of a pledge's."""
    if not isinstance(event, PledgeAuthorized | PledgeCaptured):
        return event
    reward_id = NAMED[sum(event.data.pledge_id.encode()) % len(NAMED)]
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, reward_id=reward_id))


def _odd(campaign_id: str, amount_minor: int) -> Iterator[LogEvent]:
    """Yield pledges without a backer, lowered, refunded without a capture, and returned for more than was captured."""
    by_nobody, lowered, never_captured, returned_twice = ODD
    yield share("own", campaign=campaign_id)
    yield capture(by_nobody, amount_minor, share_token="own", campaign=campaign_id)
    yield authorize(lowered, amount_minor, backer_id="backer-0", campaign=campaign_id)
    yield promise(lowered, 1, amount_minor // 2, campaign=campaign_id)
    yield authorize(never_captured, amount_minor, backer_id="backer-1", campaign=campaign_id)
    yield refund(never_captured, amount_minor // 3, campaign=campaign_id)
    yield capture(returned_twice, amount_minor, backer_id="backer-2", campaign=campaign_id)
    yield refund(returned_twice, amount_minor, campaign=campaign_id)
    yield dispute(returned_twice, amount_minor, "lost", withdrawn=True, campaign=campaign_id)


def _simulated(campaign_id: str, pledges: int, chance: random.Random) -> Campaign:
    source = SOURCE.removeprefix("sources/")
    plan = Plan(seed=0, pledges=pledges, days=DAYS, opens_at=OPENS, source=source, rates=RATES)
    return Campaign(plan, campaign_id, Chance(str(chance.random())))
