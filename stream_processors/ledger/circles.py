"""The graph of shares: which circle a link opens, and which pledges follow when that changes.

A link's standing follows from its parent's: it is one circle wider, up to `public`. It is kept with the link, and when
a link is posted only its descendants are looked at again, each once, however deep the graph.
"""

from collections import deque
from datetime import datetime

from schemas.events import SharePostedData
from schemas.fields import CIRCLES
from schemas.updates import UnattributedReason
from stream_processors.ledger.pledges import PUBLIC, UNATTRIBUTED, Pledge, Share, Standing
from stream_processors.ledger.state import Campaign


def circle_of(campaign: Campaign, pledge: Pledge) -> tuple[int, UnattributedReason | None]:
    """Return the number of the pledge's circle in `CIRCLES`, and why it is unattributed if it is."""
    if pledge.share_token is None:
        return UNATTRIBUTED, "no_token"
    share = campaign.shares[pledge.share_token]
    if not isinstance(share.standing, int):
        return UNATTRIBUTED, share.standing
    if pledge.backer_id is not None and share.sharer_id == pledge.backer_id:
        return UNATTRIBUTED, "own_share"
    return share.standing, None


def follow(campaign: Campaign, pledge: Pledge, token: str | None) -> None:
    """Let the pledge belong to the link of that token, and to no other."""
    if pledge.share_token is not None:
        campaign.shares[pledge.share_token].waiting.pop(pledge.pledge_id, None)
    if token is None:
        pledge.share_token = None
        return
    share = campaign.find_share(token)
    # The link's own text: one for all its pledges.
    pledge.share_token = share.token
    if not isinstance(share.standing, int):
        share.waiting[pledge.pledge_id] = pledge


def is_same(share: Share, data: SharePostedData) -> bool:
    """Return whether a posted link says the same as `data`."""
    return (share.sharer_id, share.network, share.parent_token, share.circle) == (
        data.sharer_id,
        data.network,
        data.parent_token,
        _minted_circle(data),
    )


def post(campaign: Campaign, data: SharePostedData, posted_at: datetime) -> list[Share]:
    """Post a link that was not posted before; return it, and every link whose standing may have changed with it."""
    share = campaign.find_share(data.share_token)
    share.posted_at = posted_at
    share.sharer_id = data.sharer_id
    share.network = data.network
    share.parent_token = data.parent_token
    share.circle = _minted_circle(data)
    if data.parent_token is not None:
        campaign.find_share(data.parent_token).children.append(share)
    share.standing = _standing(campaign, share)
    return _settle_descendants(share)


def _minted_circle(data: SharePostedData) -> int | None:
    """Return the circle that a link without a parent was minted for; the default is `friends`."""
    if data.parent_token is not None:
        return None
    return 0 if data.circle is None else CIRCLES.index(data.circle)


def _standing(campaign: Campaign, share: Share) -> Standing:
    if share.parent_token is None:
        return share.circle or 0
    ancestor = parent = campaign.shares[share.parent_token]
    # A ring can only have closed if something hangs below this link already.
    while share.children and ancestor is not share:
        if ancestor.parent_token is None or ancestor.standing == "share_cycle":
            break
        ancestor = campaign.shares[ancestor.parent_token]
    return "share_cycle" if ancestor is share else _below(parent)


def _below(parent: Share) -> Standing:
    """Return the standing of a child of this link."""
    if isinstance(parent.standing, int):
        return min(parent.standing + 1, PUBLIC)
    return parent.standing


def _settle_descendants(share: Share) -> list[Share]:
    """Work out the standing of everything below the link; return the link and its descendants, each once."""
    settled = {id(share): share}
    waiting = deque([share])
    while waiting:
        parent = waiting.popleft()
        for child in parent.children:
            if id(child) not in settled:
                child.standing = _below(parent)
                settled[id(child)] = child
                waiting.append(child)
    return list(settled.values())
