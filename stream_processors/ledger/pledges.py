"""What the fold remembers of one pledge: the sums of its facts, the facts themselves, and the link by which it came.

And the numbers of the circles in which it may stand.
"""

from datetime import date, datetime
from typing import Final, get_args

from msgspec import Struct

from schemas.fields import CIRCLES, Circle, DisputeStatus, RefundStatus, VisitOrigin
from schemas.updates import Pledge as PledgeRow
from schemas.updates import UnattributedReason

CIRCLE_NAMES: Final[tuple[Circle, ...]] = get_args(Circle)
"""Those that a link can open, from the narrowest to the widest; their numbers are those in `CIRCLES`."""

PUBLIC: Final = CIRCLES.index("public")
UNATTRIBUTED: Final = CIRCLES.index("unattributed")

Counter = tuple[str, VisitOrigin]
"""Who counts visits, and where those came from."""

Counts = tuple[int, int, int]
"""Visits, bots and prefetches."""

Standing = int | UnattributedReason
"""Where a share stands: the number of its circle in `CIRCLES`, or the reason why it has none."""


class Pledge(Struct, array_like=True, gc=False):
    """A pledge: the sums of its facts, and where it is counted. All amounts are minor units.

    A struct, so that a checkpoint of a million of them is read and written in C; it is never part of a cycle, so the
    garbage collector need not look at it.
    """

    pledge_id: str
    # The sums of its facts.
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    lost_minor: int = 0
    withdrawn_minor: int = 0
    amendments: dict[int, int] | None = None
    amended_minor: int | None = None
    final: bool = False
    canceled: bool = False
    # From its sightings.
    made_at: datetime | None = None
    share_token: str | None = None
    backer_id: str | None = None
    backer_made_at: datetime | None = None
    reward_id: str | None = None
    # What the campaign's totals hold of it now; `counted` is false before its first sighting and while it is late.
    counted: bool = False
    late: bool = False
    backer_counted: str | None = None
    claimed: str | None = None
    circle: int = UNATTRIBUTED
    reason: UnattributedReason | None = "no_token"
    day: date | None = None
    pledged_minor: int = 0
    collected_minor: int = 0
    over_returned_minor: int = 0


def row_of(pledge: Pledge) -> PledgeRow:
    """Return the pledge as updates show it."""
    return PledgeRow(
        pledge_id=pledge.pledge_id,
        circle=CIRCLES[pledge.circle],
        pledged_minor=pledge.pledged_minor,
        collected_minor=pledge.collected_minor,
        over_returned_minor=pledge.over_returned_minor,
        late=pledge.late,
        day=pledge.day,
        made_at=pledge.made_at,
        backer_id=pledge.backer_id,
        share_token=pledge.share_token,
        unattributed=pledge.reason,
        reward_id=pledge.reward_id,
    )


def pledge_of(row: PledgeRow) -> Pledge:
    """Return the pledge, of which the log has told one plain capture (`first_captures`), with its facts."""
    return Pledge(
        row.pledge_id,
        captured_minor=row.pledged_minor,
        final=True,
        made_at=row.made_at,
        share_token=row.share_token,
        backer_id=row.backer_id,
        backer_made_at=None if row.backer_id is None else row.made_at,
        counted=True,
        backer_counted=row.backer_id,
        circle=CIRCLES.index(row.circle),
        reason=row.unattributed,
        day=row.day,
        pledged_minor=row.pledged_minor,
        collected_minor=row.collected_minor,
    )


class Share:
    """A link, or the place kept for one that pledges or other links name before it was posted."""

    __slots__ = (
        "children",
        "circle",
        "network",
        "parent_token",
        "posted_at",
        "sharer_id",
        "standing",
        "token",
        "visits",
        "waiting",
    )

    def __init__(self, token: str) -> None:
        self.token = token
        self.posted_at: datetime | None = None
        self.sharer_id: str | None = None
        self.network: str | None = None
        self.parent_token: str | None = None
        self.circle: int | None = None
        self.standing: Standing = "unknown_token"
        self.children: list[Share] = []
        self.visits: dict[Counter, Counts] = {}
        self.waiting: dict[str, Pledge] = {}

    def followers(self) -> list[Pledge]:
        """Return the pledges that the link's new standing moves; they wait on only while it has no circle.

        A circle is for good: the link and all above it are posted then, and each is posted once.
        """
        waiting = list(self.waiting.values())
        if isinstance(self.standing, int):
            self.waiting = {}
        return waiting


class Cumulative(Struct, gc=False):
    """An authorization or a capture as it now stands: the greatest amount seen."""

    pledge: Pledge
    amount_minor: int = 0


class Refund:
    """A refund as it now stands."""

    __slots__ = ("amount_minor", "pledge", "status")

    def __init__(self, pledge: Pledge, amount_minor: int, status: RefundStatus) -> None:
        self.pledge = pledge
        self.amount_minor = amount_minor
        self.status: RefundStatus = status


class Dispute:
    """A dispute as it now stands; `lost_minor` is the least that any sighting said it cost."""

    __slots__ = ("amount_minor", "lost_minor", "pledge", "status", "withdrawn")

    def __init__(self, pledge: Pledge, amount_minor: int) -> None:
        self.pledge = pledge
        self.amount_minor = amount_minor
        self.status: DisputeStatus = "open"
        self.withdrawn = False
        self.lost_minor = amount_minor
