"""What the worker says: one update is everything that one batch changed in one campaign.

Positions make every word repeatable. An entry stands at (offset, number): the offset in the log of the event that made
it, and its number among that event's entries. An update continues from `before` to `after`; who has reached a position
applies only what stands above it, and who stands below `before` has missed something.

An update is a tree: its structs can't be part of a cycle, and the garbage collector need not look at them
(`gc=False`). Where a process holds tens of thousands of entries at a time, it would.

Entries and pledges, of which there are many, are rows: arrays of the values of their fields in the order given here
(docs/adr/0013-entries-and-pledges-are-rows.md). A field that is added has a default and stands last.
"""

from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.events import Reward, StretchGoal
from schemas.fields import AnyCircle, Circle, FundingModel, GoalBasis, Instant, VisitOrigin

RECORD_BYTES_MAX: Final = 512 * 1024
"""Largest record on `cercles.campaign-updates`, in bytes; a larger update is cut between entries."""

UnattributedReason = Literal["no_token", "unknown_token", "share_cycle", "own_share"]
"""Why a pledge belongs to no circle. Money is never refused for it."""

MilestoneType = Literal[
    "cercles.goal.reached",
    "cercles.goal.lost",
    "cercles.goal.overfunded",
    "cercles.stretch_goal.reached",
    "cercles.milestone.passed",
    "cercles.circle.opened_early",
    "cercles.campaign.succeeded",
    "cercles.campaign.failed",
]
CampaignStatus = Literal["open", "succeeded", "failed"]


class Position(Struct, gc=False, frozen=True, array_like=True, order=True):
    """A place in one partition's story: the event's offset in the log, and the entry's number within it."""

    offset: int
    number: int


BEFORE_EVERYTHING: Final = Position(-1, 0)
"""The position of a campaign that nothing has happened to."""


class Terms(Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A campaign's terms as they now stand, and its outcome."""

    title: str
    owner_id: str
    goal_minor: int
    goal_basis: GoalBasis
    funding_model: FundingModel
    stretch_goals: list[StretchGoal]
    opens_at: Instant
    closes_at: Instant
    settle_hours: int
    timezone: str
    sources: list[str]
    revision: int
    status: CampaignStatus
    rewards: list[Reward] = []


# The ledger relies on the order of the fields of CircleTotals, Entry and Pledge.
class CircleTotals(Struct, gc=False, frozen=True):
    """Totals of one circle; `backers` are distinct within it, so circles' backers need not add up to the campaign's."""

    circle: AnyCircle
    pledged_minor: int
    collected_minor: int
    backers: int


class DayTotals(Struct, gc=False, frozen=True, kw_only=True):
    """Totals of the pledges made on one day of the campaign's time zone."""

    day: date
    pledged_minor: int
    collected_minor: int


class RewardTotals(Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """Claims of one reward of the terms.

    `claims_left` is absent where the reward has no quantity; `exhausted_claims` are those beyond it.
    """

    reward_id: str
    claimed: int
    claims_left: int | None = None
    exhausted_claims: int = 0


class Totals(Struct, gc=False, frozen=True, kw_only=True):
    """A campaign's totals, in minor units of its currency.

    campaign = sum of circles = sum of days = sum of entries, for pledged and collected. `late_minor` and
    `over_returned_minor` stand outside them. `percent` is for people. `unattributed` counts pledges by the reason why
    they belong to no circle, `unknown_reward_claims` those that claim a reward that the terms do not name.
    """

    currency: str
    goal_minor: int
    pledged_minor: int
    collected_minor: int
    over_returned_minor: int
    late_minor: int
    percent: int
    backers: int
    circles: list[CircleTotals]
    unattributed: dict[UnattributedReason, int]
    unknown_reward_claims: int = 0


class Entry(Struct, gc=False, frozen=True, array_like=True):
    """One line of the ledger: what one event changed in one place.

    Amounts are differences. An event that changed state without moving money has one entry of zero; one that moves a
    pledge to another circle or day has two opposite ones. `reward_exhausted`: with it the pledge claims a reward of
    which none was left.
    """

    offset: int
    number: int
    event_id: str
    event_type: str
    occurred_at: Instant
    pledge_id: str | None = None
    circle: AnyCircle | None = None
    day: date | None = None
    pledged_minor: int = 0
    collected_minor: int = 0
    reward_exhausted: bool = False


class Pledge(Struct, gc=False, frozen=True, array_like=True):
    """A pledge as it now stands. Late ones are outside every total."""

    pledge_id: str
    circle: AnyCircle
    pledged_minor: int
    collected_minor: int
    over_returned_minor: int = 0
    late: bool = False
    day: date | None = None
    made_at: Instant | None = None
    backer_id: str | None = None
    share_token: str | None = None
    unattributed: UnattributedReason | None = None
    reward_id: str | None = None


class Share(Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A link as it was posted. Which circle it opens follows from the links above it.

    `circle` is what a link without a parent was minted for; `day` is that of `posted_at` in the campaign's time zone.
    """

    share_token: str
    network: str
    posted_at: Instant
    day: date
    parent_token: str | None = None
    circle: Circle | None = None


class ShareVisits(Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """All visits of a link from one origin, and apart from them what only looked like some."""

    share_token: str
    origin: VisitOrigin
    visits: int = 0
    bots: int = 0
    prefetches: int = 0


class Milestone(Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """Something that is said once.

    `step` is a percentage of the goal (`cercles.milestone.passed`, `cercles.goal.overfunded`; 100 means the first unit
    above the goal); `occurrence` counts how often the goal was reached or lost; `total_minor` is the total that
    crossed `threshold_minor`, with the event at `offset`, whose id is `event_id`.

    An order signal (`cercles.circle.opened_early`) is of the `circle` that has opened: `total_minor` is that of
    `narrower_circle`, still below its threshold, which is `step` percent of the goal.
    """

    type: MilestoneType
    offset: int
    number: int
    event_id: str
    occurred_at: Instant
    threshold_minor: int
    total_minor: int
    step: int | None = None
    occurrence: int | None = None
    stretch_goal_id: str | None = None
    circle: Circle | None = None
    narrower_circle: Circle | None = None


class Update(Struct, gc=False, frozen=True, kw_only=True, tag_field="type", tag="cercles.update", omit_defaults=True):
    """Everything that one batch changed in one campaign, or one part of it.

    `totals` and `milestones` are as of the part's last entry; `complete` is false for every part but the last. `days`
    has the totals of the days that changed, `pledges`, `shares` and `visits` those that changed, `rewards` those whose
    claims changed, `terms` the terms if those have, and then with all rewards.
    """

    campaign_id: str
    partition: int
    fold_version: str
    before: Position
    after: Position
    complete: bool
    totals: Totals
    entries: list[Entry]
    pledges: list[Pledge] = []
    days: list[DayTotals] = []
    milestones: list[Milestone] = []
    shares: list[Share] = []
    visits: list[ShareVisits] = []
    rewards: list[RewardTotals] = []
    terms: Terms | None = None


class Progress(Struct, gc=False, frozen=True, kw_only=True, tag_field="type", tag="cercles.progress"):
    """Every event of the log's partition below `next_offset` has been folded and its updates stand before this record.

    The dead letters among them stand in the same partition of `cercles.dead-letters`, below
    `dead_letters_next_offset`. `log_id` is Kafka's id of the log's topic: positions belong to one log only.
    """

    partition: int
    next_offset: Annotated[int, Meta(ge=0)]
    dead_letters_next_offset: Annotated[int, Meta(ge=0)]
    fold_version: str
    log_id: str


UpdateRecord = Update | Progress

decoder: msgspec.json.Decoder[UpdateRecord] = msgspec.json.Decoder(UpdateRecord)
"""Decoder of the records of `cercles.campaign-updates`."""

encoder: msgspec.json.Encoder = msgspec.json.Encoder()
