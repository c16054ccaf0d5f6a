"""What a plan must come to: its story, folded as the worker folds the log."""

from typing import Any

import msgspec
from msgspec import Struct

from cercles.simulation.plan import Plan
from cercles.simulation.story import arrivals_of, campaign
from schemas.events import LogEvent
from schemas.fields import AnyCircle
from schemas.updates import CircleTotals, UnattributedReason
from stream_processors.ledger.fold import apply
from stream_processors.ledger.state import PartitionState


class CampaignTotals(Struct, frozen=True, kw_only=True):
    """A campaign's totals under the names that the reader's `GET /v1/campaigns/{campaign_id}` has for them.

    `events`: how many the campaign's story has, its launch and repetitions included.
    """

    campaign_id: str
    events: int
    totals: dict[str, Any]
    circles: list[CircleTotals]
    unattributed: dict[UnattributedReason, int]

    def circle(self, name: AnyCircle) -> CircleTotals:
        """Return the totals of a circle."""
        return next(one for one in self.circles if one.circle == name)


def totals_of(plan: Plan, number: int) -> CampaignTotals:
    """Return what one campaign of the plan must come to. Memory holds that campaign's pledges and no others."""
    state = PartitionState()
    launch = campaign(plan, number).launch()
    _fold(state, launch, 0)
    offset = 0
    for offset, told in enumerate(arrivals_of(plan, number), start=1):
        _fold(state, told.event, offset)
    found = state.campaigns[launch.data.campaign_id].totals()
    named = msgspec.structs.asdict(found)
    del named["unknown_reward_claims"]  # the reader tells it with the rewards, of which these campaigns have none
    return CampaignTotals(
        campaign_id=launch.data.campaign_id,
        events=offset + 1,
        circles=named.pop("circles"),
        unattributed=named.pop("unattributed"),
        totals=named,
    )


def _fold(state: PartitionState, event: LogEvent, offset: int) -> None:
    outcome = apply(state, event, offset)
    if outcome.refusal is not None:
        raise RuntimeError(f"a simulated event is refused: {outcome.refusal}")
