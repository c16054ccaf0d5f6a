"""The events that are measured with."""

from statistics import mean

from benchmarks.events import captures, openings
from schemas.events import CampaignLaunched, Decoding, PledgeCaptured


def test_captures_have_376_bytes_and_some_are_repeats() -> None:
    """Backers and share tokens among them; the same seed gives the same events."""
    records = list(captures(3_000, 10))
    assert records == list(captures(3_000, 10))
    assert 370 <= mean(len(record.value) for record in records) <= 382
    events = [Decoding.log.decode(record.value) for record in records]
    pledges = {event.data.pledge_id for event in events if isinstance(event, PledgeCaptured)}
    assert 0.97 * 3_000 < len(pledges) < 3_000
    assert {True, False} == {event.data.share_token is None for event in events if isinstance(event, PledgeCaptured)}


def test_every_campaign_is_opened_before_anything_is_captured() -> None:
    """By its launch, then its links."""
    events = [Decoding.log.decode(record.value) for record in openings(3)]
    assert len([event for event in events if isinstance(event, CampaignLaunched)]) == 3
    assert isinstance(events[0], CampaignLaunched)
