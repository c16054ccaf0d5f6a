"""What the API answers: one struct for each kind of answer.

Every amount stands twice: `…_minor` as an integer of minor units, to calculate with, and beside it in major units, as
text, to show. Backers, owners and the names of sources are in no answer.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.fields import AnyCircle, FundingModel, GoalBasis, VisitOrigin
from schemas.fields import Circle as CircleName
from schemas.updates import CampaignStatus, MilestoneType, UnattributedReason

AsOf = Annotated[
    str,
    Meta(description="The position in the log, partition:offset, of the last event that this answer takes account of"),
]
PositionText = Annotated[str, Meta(description="A position in the log, partition:offset")]
AmountText = Annotated[str, Meta(description="The amount in major units of the currency")]
NextCursor = Annotated[str | None, Meta(description="`cursor` of the next page; null when there is none as yet")]


Conversion = Annotated[
    str | None,
    Meta(
        description="Pledges for each hundred visits, to two decimals; null without any visit. The visits of a link "
        "that is visited for long are up to an hour late"
    ),
]


class Totals(Struct, frozen=True, kw_only=True):
    """A campaign's totals. `late` and `over_returned` stand outside pledged and collected."""

    currency: str
    goal_minor: int
    goal: AmountText
    pledged_minor: int
    pledged: AmountText
    collected_minor: int
    collected: AmountText
    over_returned_minor: int
    over_returned: AmountText
    late_minor: int
    late: AmountText
    percent: Annotated[int, Meta(description="For people: floored below 100, rounded half up from there")]
    backers: int


class Amounts(Struct, frozen=True, kw_only=True):
    """What was pledged and collected in one place."""

    pledged_minor: int
    pledged: AmountText
    collected_minor: int
    collected: AmountText


class Circle(Amounts, frozen=True, kw_only=True):
    """Totals of one circle. Backers are distinct within it and need not add up to the campaign's."""

    circle: AnyCircle
    backers: int


class Day(Amounts, frozen=True, kw_only=True):
    """Totals of the pledges made on one day of the campaign's time zone."""

    day: date


class StretchGoal(Struct, frozen=True, kw_only=True):
    """A further goal beside the first."""

    stretch_goal_id: str
    title: str
    amount_minor: int
    amount: AmountText


class Terms(Struct, frozen=True, kw_only=True):
    """A campaign's terms as they now stand, except for the goal, which stands with the totals."""

    title: str
    goal_basis: GoalBasis
    funding_model: FundingModel
    stretch_goals: list[StretchGoal]
    opens_at: datetime
    closes_at: datetime
    settle_hours: int
    timezone: str
    revision: int


class Standing(Struct, frozen=True, kw_only=True):
    """Which campaign an answer is about, and how far it has come.

    `complete` is false while a large change is being stored: the totals then agree with the entries that are there,
    and more is to come. `gap_at` marks a campaign that missed something at that position; its totals stay as of
    `as_of` until it is repaired.
    """

    campaign_id: str
    as_of: AsOf
    complete: bool
    gap_at: PositionText | None


class Campaign(Standing, frozen=True, kw_only=True):
    """One campaign. The circles' sums are the campaign's."""

    status: CampaignStatus
    terms: Terms
    totals: Totals
    circles: list[Circle]
    unattributed: Annotated[
        dict[UnattributedReason, int], Meta(description="Pledges that belong to no circle, by the reason why")
    ]


class CampaignSummary(Standing, frozen=True, kw_only=True):
    """One campaign in a list."""

    title: str
    status: CampaignStatus
    opens_at: datetime
    closes_at: datetime
    totals: Totals


class Campaigns(Struct, frozen=True, kw_only=True):
    """A page of campaigns, in the order of their ids.

    `as_of` has, for each partition of the log, the position of the last event that is stored whole.
    """

    as_of: list[PositionText]
    campaigns: list[CampaignSummary]
    next_cursor: NextCursor


class Circles(Standing, frozen=True, kw_only=True):
    """All circles of a campaign, from the narrowest to the widest, and the totals that they add up to."""

    totals: Totals
    circles: list[Circle]


class Reward(Struct, frozen=True, kw_only=True):
    """A reward of the terms, and its claims.

    A pledge claims the reward that it names while it is in time and above 0. Without a `quantity` there is no end of
    it; `exhausted_claims` are those beyond the quantity, whose money counts all the same.
    """

    reward_id: str
    title: str | None
    quantity: int | None
    claimed: int
    claims_left: int | None
    exhausted_claims: int


class Rewards(Standing, frozen=True, kw_only=True):
    """All rewards of a campaign, in the order of its terms. They and the unknown ones add up to its claims."""

    claims: int
    unknown_reward_claims: Annotated[int, Meta(description="Claims of rewards that the terms do not name")]
    rewards: list[Reward]


class Days(Standing, frozen=True, kw_only=True):
    """All days of a campaign on which something was pledged, and the totals that they add up to."""

    timezone: str
    totals: Totals
    days: list[Day]


class Shared(Amounts, frozen=True, kw_only=True):
    """Links that were posted, the visits to such links, and the pledges above 0 that came through them.

    `bots` and `prefetches` are requests that only looked like visits.
    """

    shares: int
    visits: int
    bots: int
    prefetches: int
    pledges: int
    conversion: Conversion


class NetworkShares(Shared, frozen=True, kw_only=True):
    """What links of one network brought to one circle.

    Links whose way to the owner is not known are `unattributed`, as are the pledges that belong to no circle; `network`
    is null for pledges and visits that name no posted link.
    """

    circle: AnyCircle
    network: str | None


class CircleShared(Shared, frozen=True, kw_only=True):
    """What links brought to one circle."""

    circle: AnyCircle


class Generation(Shared, frozen=True, kw_only=True):
    """Links that are equally far from the owner's own, which are generation 0, and the attributed pledges by them."""

    generation: int
    k: Annotated[
        str | None,
        Meta(
            description="Links of the next generation for each of this one, to two decimals; null for several at once"
        ),
    ]


class Lag(Struct, frozen=True, kw_only=True):
    """Attributed pledges above 0 that were made so many days after their link was posted, by the calendar."""

    days: int
    pledges: int


class Origin(Struct, frozen=True, kw_only=True):
    """Visits that came from one public place."""

    origin: VisitOrigin
    visits: int
    bots: int
    prefetches: int


class Shares(Standing, frozen=True, kw_only=True):
    """What a campaign's links have brought. The networks' sums are the campaign's."""

    totals: Totals
    networks: list[NetworkShares]
    generations: list[Generation]
    origins: list[Origin]
    lags: list[Lag]


class Milestone(Struct, frozen=True, kw_only=True):
    """Something that is said once.

    `step` is a percentage of the goal, `occurrence` counts how often the goal was reached or lost. `position` and
    `event_id` are those of the event that crossed the threshold. Where `circle` opened early, total and threshold are
    those of `narrower_circle`.
    """

    type: MilestoneType
    position: PositionText
    event_id: str
    occurred_at: datetime
    step: int | None
    occurrence: int | None
    stretch_goal_id: str | None
    circle: CircleName | None
    narrower_circle: CircleName | None
    threshold_minor: int
    threshold: AmountText
    total_minor: int
    total: AmountText


class Milestones(Standing, frozen=True, kw_only=True):
    """A page of a campaign's milestones, in the order in which they were passed."""

    currency: str
    milestones: list[Milestone]
    next_cursor: NextCursor


class Entry(Amounts, frozen=True, kw_only=True):
    """One line of the ledger: what one event changed in one place. Amounts are differences."""

    position: PositionText
    number: int
    event_id: str
    event_type: str
    occurred_at: datetime
    pledge_id: str | None
    circle: AnyCircle | None
    day: date | None
    reward_exhausted: Annotated[
        bool, Meta(description="Whether with it the pledge claims a reward of which none was left")
    ]


class Entries(Standing, frozen=True, kw_only=True):
    """A page of a campaign's ledger, in its order. Entries are only ever added at the end.

    Once a page has no next one, the entries of all pages add up to its totals.
    """

    totals: Totals
    entries: list[Entry]
    next_cursor: NextCursor


EventStatus = Literal["applied", "no_change", "refused", "pending"]


class Event(Struct, frozen=True, kw_only=True):
    """What became of one event of the log.

    `applied`: it changed the campaign; `entries` has how, and where they are too many, `next_cursor` is the cursor of
    the campaign's `/entries` at which the others stand. `refused`: it was not applied; `reason` and `detail` say why.
    `no_change`: it told nothing new. `pending`: it is not known yet. `as_of` is the last position of that partition
    that the answer takes account of; null when nothing of it is stored yet.
    """

    campaign_id: str
    position: PositionText
    as_of: AsOf | None
    status: EventStatus
    entries: list[Entry] = []
    next_cursor: NextCursor = None
    event_id: str | None = None
    reason: str | None = None
    detail: str | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """What is wrong with one parameter."""

    parameter: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem (RFC 9457). Its type is `about:blank`: the status says what kind it is, the detail why."""

    status: int
    title: str
    detail: str
    errors: list[Fault] = []
