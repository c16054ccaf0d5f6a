"""Events as the log holds them: launches, links, and captures of 376 bytes on average, some of which are repeats."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from schemas.events import (
    CampaignLaunched,
    CampaignLaunchedData,
    PledgeCaptured,
    PledgeCapturedData,
    SharePosted,
    SharePostedData,
    encode,
)

START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
SOURCE: Final = "sources/shop"
CAMPAIGNS_DEFAULT: Final = 1_000
SHARES: Final = 20
"""Links of each campaign; every second capture came by one of them."""

REPEATS: Final = 0.02
"""The share of captures that are sent a second time, some hundreds of events later."""

_REPEATED_AFTER: Final = 500
_BACKERS_PER_CAMPAIGN: Final = 700


class Record(NamedTuple):
    """A record of the log to be: key and value."""

    key: bytes
    value: bytes


def campaign_ids(campaigns: int) -> list[str]:
    """Return the ids of that many campaigns."""
    return [f"campaign-{number:07}" for number in range(campaigns)]


def openings(campaigns: int, shares: int = SHARES) -> Iterator[Record]:
    """Yield each campaign's launch and its links: every third below the one before it."""
    for campaign_id in campaign_ids(campaigns):
        key = campaign_id.encode()
        yield Record(key, _launch(campaign_id))
        for number in range(shares):
            yield Record(key, _share(campaign_id, number))


def captures(count: int, campaigns: int, seed: int = 1, shares: int = SHARES) -> Iterator[Record]:
    """Yield `count` captures in all, repeats among them, of as many campaigns, the same for the same seed."""
    randomness = random.Random(seed)
    ids = campaign_ids(campaigns)
    recent: list[Record] = []
    for number in range(count):
        if len(recent) == _REPEATED_AFTER and randomness.random() < REPEATS:
            yield recent[randomness.randrange(_REPEATED_AFTER)]
            continue
        campaign_id = ids[randomness.randrange(campaigns)]
        record = Record(campaign_id.encode(), _capture(campaign_id, number, randomness, shares))
        if len(recent) < _REPEATED_AFTER:
            recent.append(record)
        else:
            recent[number % _REPEATED_AFTER] = record
        yield record


def _launch(campaign_id: str) -> bytes:
    data = CampaignLaunchedData(
        campaign_id=campaign_id,
        title="Les Anges Anonymes",
        owner_id=f"owner-{campaign_id}",
        currency="EUR",
        goal_minor=5_000_000,
        opens_at=START,
        closes_at=START + timedelta(days=60),
        timezone="Europe/Paris",
        sources=[SOURCE],
    )
    return encode(
        CampaignLaunched(specversion="1.0", id=f"launch-{campaign_id}", source="admin", time=START, data=data)
    )


def _share(campaign_id: str, number: int) -> bytes:
    data = SharePostedData(
        campaign_id=campaign_id,
        share_token=share_token(campaign_id, number),
        sharer_id=f"sharer-{number}",
        network="mastodon",
        parent_token=share_token(campaign_id, number - 1) if number % 3 else None,
    )
    event_id = f"share-{campaign_id}-{number}"
    return encode(SharePosted(specversion="1.0", id=event_id, source=SOURCE, time=START, data=data))


def share_token(campaign_id: str, number: int) -> str:
    """Return the token of a campaign's link."""
    return f"{campaign_id}.s{number:02}"


def _capture(campaign_id: str, number: int, randomness: random.Random, shares: int) -> bytes:
    made_at = START + timedelta(seconds=1 + number % (50 * 86_400))
    token = share_token(campaign_id, randomness.randrange(shares)) if shares and randomness.random() < 1 / 2 else None
    data = PledgeCapturedData(
        campaign_id=campaign_id,
        pledge_id=f"pl_{number:012x}",
        capture_id=f"ch_{number:012x}",
        amount_minor=randomness.randrange(100, 20_000),
        currency="EUR",
        made_at=made_at,
        backer_id=f"p_{randomness.randrange(_BACKERS_PER_CAMPAIGN):032x}",
        share_token=token,
    )
    return encode(
        PledgeCaptured(
            specversion="1.0",
            id=f"evt_{number:015x}",
            source=SOURCE,
            time=made_at + timedelta(seconds=2),
            data=data,
        )
    )
