"""Which pledges claim a reward, and how many of each are left (docs/ledger.md, "Rewards").

A pledge keeps the reward that it claims now, so that a change is found in one look, and most pledges name none.
"""

from stream_processors.ledger.changes import Changes
from stream_processors.ledger.pledges import Pledge
from stream_processors.ledger.state import Campaign


def choose(campaign: Campaign, pledge: Pledge, reward_id: str | None) -> None:
    """Let the pledge name the reward of that id, and no other."""
    reward = None if reward_id is None else campaign.reward_terms.get(reward_id)
    # The terms' own text: one for all pledges.
    pledge.reward_id = reward_id if reward is None else reward.reward_id


def claim(pledge: Pledge, changes: Changes) -> bool:
    """Count the pledge's claim as the pledge now stands; return whether it is a new one of which none was left."""
    reward_id = pledge.reward_id if pledge.counted and pledge.pledged_minor else None
    before = pledge.claimed
    if reward_id == before:
        return False
    if before is not None:
        _count(before, -1, changes)
    pledge.claimed = reward_id
    return reward_id is not None and _count(reward_id, 1, changes)


def _count(reward_id: str, difference: int, changes: Changes) -> bool:
    """Add to a reward's claims; return whether more are claimed than there are."""
    campaign = changes.campaign
    reward = campaign.reward_terms.get(reward_id)
    if reward is None:
        campaign.unknown_reward_claims += difference
        return False
    campaign.reward_claims[reward_id] += difference
    changes.reward(reward_id)
    return reward.quantity is not None and campaign.reward_claims[reward_id] > reward.quantity
