"""A second ledger, written from docs/ledger.md alone: it keeps every event and recomputes everything at each question.

Simple where the real one is fast. It has no state but the events that stand, in the order of the log.
"""

from dataclasses import dataclass, field

from schemas.events import LogEvent
from stream_processors.refusals import RefusalReason
from tests.ledger.naive_campaign import Logged, NaiveCampaign
from tests.ledger.naive_refusals import refusal


@dataclass
class NaiveLedger:
    """Every campaign of one partition."""

    campaigns: dict[str, NaiveCampaign] = field(default_factory=dict)

    def hear(self, event: LogEvent, offset: int) -> RefusalReason | None:
        """Keep the event if it stands; return the reason if it does not."""
        campaign = self.campaigns.get(event.data.campaign_id)
        reason = refusal(campaign, event)
        if reason is None:
            before = () if campaign is None else campaign.log
            self.campaigns[event.data.campaign_id] = NaiveCampaign((*before, Logged(offset, event)))
        return reason
