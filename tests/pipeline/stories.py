"""Stories of campaigns as a busy week brings them: facts of every kind, repeated, disordered, some of them refused."""

import random
from collections.abc import Iterator
from typing import Final

from cercles.simulation.campaign import Campaign
from cercles.simulation.plan import Chance, Plan, Rates
from schemas.events import LogEvent, encode
from tests.ledger.events import OPENS, SOURCE, capture, launch, refund, share, visit

POISON: Final = (b"\xff\xfe", b"{", b'{"type":"cercles.goal.reached"}', b'{"type":"cercles.pledge.captured","data":{}}')

RING: Final = {"ring-1": "ring-2", "ring-2": "ring-1"}
"""Links that each claim the other as their parent."""

LEADING_NOWHERE: Final = (*RING, "never-posted")
"""Links whose pledges belong to no circle."""

RATES: Final = Rates(authorize=0.9, fail=0.05, cancel=0.1, amend=0.1, refund=0.1, dispute=0.05, share=0.3)
DAYS: Final = 60
"""Longer than the campaign is open: some pledges are late."""


def story(campaign_id: str, pledges: int, chance: random.Random) -> list[tuple[str, bytes]]:
    """Return the records of one campaign, key and value: its launch first, then everything else in disorder."""
    records = [encode(event) for event in _facts(campaign_id, pledges, chance)]
    records += chance.choices(records, k=len(records) // 10)
    records += [chance.choice(POISON) for _ in range(max(1, len(records) // 20))]
    chance.shuffle(records)
    first = encode(launch(campaign=campaign_id, goal_minor=150_000, funding_model="keep_it_all"))
    return [(campaign_id, record) for record in (first, *records, first)]


def _facts(campaign_id: str, pledges: int, chance: random.Random) -> Iterator[LogEvent]:
    for happening in _simulated(campaign_id, pledges - len(LEADING_NOWHERE), chance).happenings():
        yield happening.event
    for token, parent in RING.items():
        yield share(token, parent=parent, sharer=f"sharer-{token}", campaign=campaign_id)
        yield visit(token, chance.randrange(100), campaign=campaign_id)
    for token in LEADING_NOWHERE:
        yield capture(f"pledge-by-{token}", chance.randrange(500, 20_000), share_token=token, campaign=campaign_id)
    # Refused: another currency, a source that is not listed, a known refund with another amount.
    yield capture("pledge-0", 100, capture_id="in-dollars", currency="USD", campaign=campaign_id)
    yield capture("pledge-0", 100, capture_id="unlisted", source="sources/other", campaign=campaign_id)
    yield refund("pledge-0", 1, refund_id="twice", campaign=campaign_id)
    yield refund("pledge-0", 2, refund_id="twice", campaign=campaign_id)


def _simulated(campaign_id: str, pledges: int, chance: random.Random) -> Campaign:
    source = SOURCE.removeprefix("sources/")
    plan = Plan(seed=0, pledges=pledges, days=DAYS, opens_at=OPENS, source=source, rates=RATES)
    return Campaign(plan, campaign_id, Chance(str(chance.random())))
