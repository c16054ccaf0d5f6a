"""Stories of campaigns as a busy week brings them: facts of every kind, repeated, disordered, some of them refused."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from schemas.events import LogEvent, encode
from tests.ledger.events import NOON, authorize, cancel, capture, dispute, fail, launch, promise, refund, share, visit

POISON: Final = (b"\xff\xfe", b"{", b'{"type":"cercles.goal.reached"}', b'{"type":"cercles.pledge.captured","data":{}}')

LINKS: Final = ("own", "child", "grandchild", "late", "ring-1", "ring-2")


def story(campaign_id: str, pledges: int, chance: random.Random) -> list[tuple[str, bytes]]:
    """Return the records of one campaign, key and value: its launch first, then everything else in disorder."""
    records = [encode(event) for event in _facts(campaign_id, pledges, chance)]
    records += chance.choices(records, k=len(records) // 10)
    records += [chance.choice(POISON) for _ in range(max(1, len(records) // 20))]
    chance.shuffle(records)
    first = encode(launch(campaign=campaign_id, goal_minor=150_000, funding_model="keep_it_all"))
    return [(campaign_id, record) for record in (first, *records, first)]


def _facts(campaign_id: str, pledges: int, chance: random.Random) -> Iterator[LogEvent]:
    parents = {"child": "own", "grandchild": "child", "ring-1": "ring-2", "ring-2": "ring-1"}
    for token in LINKS:
        yield share(token, parent=parents.get(token), sharer=f"sharer-{token}", campaign=campaign_id)
        yield visit(token, chance.randrange(100), campaign=campaign_id)
    for number in range(pledges):
        yield from _pledge(f"pledge-{number}", campaign_id, chance)
    # Refused: another currency, a source that is not listed, a known refund with another amount.
    yield capture("pledge-0", 100, capture_id="in-dollars", currency="USD", campaign=campaign_id)
    yield capture("pledge-0", 100, capture_id="unlisted", source="sources/other", campaign=campaign_id)
    yield refund("pledge-0", 1, refund_id="twice", campaign=campaign_id)
    yield refund("pledge-0", 2, refund_id="twice", campaign=campaign_id)


def _pledge(pledge: str, campaign_id: str, chance: random.Random) -> Iterator[LogEvent]:
    amount = chance.randrange(500, 20_000)
    at = NOON + timedelta(hours=chance.randrange(24 * 45))
    token = chance.choice((*LINKS, "never-posted", None))
    backer = chance.choice((f"backer-{chance.randrange(40)}", None))
    yield authorize(pledge, amount, at=at, share_token=token, backer_id=backer, campaign=campaign_id)
    end = chance.random()
    if end < 0.75:
        yield capture(pledge, amount, at=at + timedelta(minutes=5), backer_id=backer, campaign=campaign_id)
    elif end < 0.85:
        yield cancel(pledge, campaign=campaign_id)
    elif end < 0.95:
        yield promise(pledge, 1, amount // 2, campaign=campaign_id)
    else:
        yield fail(pledge, campaign=campaign_id)
    if chance.random() < 0.1:
        for status in ("pending", chance.choice(("succeeded", "failed"))):
            yield refund(pledge, amount // 3 or 1, status, campaign=campaign_id)
    if chance.random() < 0.05:
        yield dispute(pledge, amount, withdrawn=True, campaign=campaign_id)
        yield dispute(pledge, amount, chance.choice(("lost", "won")), withdrawn=True, campaign=campaign_id)
