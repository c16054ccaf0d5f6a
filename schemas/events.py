"""The events of the log: CloudEvents 1.0 in structured JSON, one struct for each type.

Source of the envelope: CloudEvents 1.0.2, section "Context Attributes". Extension attributes that we do not know are
left out; an unknown field in `data` is refused, so that a misspelt amount can never be taken for an absent one.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.fields import (
    IDENTIFIER_LENGTH_MAX,
    MILESTONE_STEPS_MAX,
    REWARDS_MAX,
    SETTLE_HOURS_MAX,
    SOURCES_MAX,
    STRETCH_GOALS_MAX,
    AmountMinor,
    Circle,
    Currency,
    DisputeStatus,
    FundingModel,
    GoalBasis,
    GoalPercent,
    Identifier,
    Instant,
    Quantity,
    RefundStatus,
    Revision,
    Source,
    Text,
    VisitOrigin,
    Visits,
)
from schemas.money import EXPONENTS
from schemas.zones import UnknownZoneError, zone

TYPE_PREFIX: Final = "cercles."
CONTENT_TYPE: Final = "application/cloudevents+json"
BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
MILESTONE_STEPS_DEFAULT: Final = [25, 50, 75]
"""Percentages of the goal."""


class Data(Struct, gc=False, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an event is about. Every event belongs to one campaign."""

    campaign_id: Identifier


class StretchGoal(Struct, gc=False, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further goal that a campaign announces beside its first."""

    stretch_goal_id: Identifier
    title: Text
    amount_minor: AmountMinor


class CircleThresholds(Struct, gc=False, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a circle should have carried before the next wider one opens, in percent of the goal; 0 asks for nothing.

    The widest circle has none: nothing comes after it.
    """

    friends: GoalPercent = 0
    friends_of_friends: GoalPercent = 0


class Reward(Struct, gc=False, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What backers get for a pledge that names it; without a `quantity` there is no end of it."""

    reward_id: Identifier
    title: Text | None = None
    quantity: Quantity | None = None


def _refuse_repeated(values: list[Any], name: str) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{name} must not repeat a value")


class CampaignLaunchedData(Data, gc=False, frozen=True, kw_only=True):
    """The terms a campaign starts with.

    `milestone_steps` and `overfunding_step` are percentages of the goal; `settle_hours` is how long after `closes_at`
    the outcome is said, so that payments made in time can still arrive. Without `circle_thresholds` nothing is said of
    the order in which the circles open.
    """

    title: Text
    owner_id: Identifier
    currency: Currency
    goal_minor: AmountMinor
    opens_at: Instant
    closes_at: Instant
    timezone: Annotated[str, Meta(min_length=1, max_length=64)]
    sources: Annotated[list[Source], Meta(min_length=1, max_length=SOURCES_MAX)]
    stretch_goals: Annotated[list[StretchGoal], Meta(max_length=STRETCH_GOALS_MAX)] = []
    settle_hours: Annotated[int, Meta(ge=0, le=SETTLE_HOURS_MAX)] = 1
    funding_model: FundingModel = "all_or_nothing"
    goal_basis: GoalBasis = "pledged"
    milestone_steps: Annotated[list[Annotated[int, Meta(gt=0, lt=100)]], Meta(max_length=MILESTONE_STEPS_MAX)] = (
        msgspec.field(default_factory=MILESTONE_STEPS_DEFAULT.copy)
    )
    overfunding_step: Annotated[int, Meta(gt=0, le=1000)] = 5
    circle_thresholds: CircleThresholds | None = None
    rewards: Annotated[list[Reward], Meta(max_length=REWARDS_MAX)] = []

    def __post_init__(self) -> None:
        if self.currency not in EXPONENTS:
            raise ValueError(f"currency {self.currency!r} is not an active ISO 4217 code")
        if self.closes_at <= self.opens_at:
            raise ValueError("closes_at must come after opens_at")
        if self.funding_model == "all_or_nothing" and self.goal_basis == "collected":
            # All or nothing collects only after success: its goal could never be reached.
            raise ValueError("goal_basis 'collected' does not go with funding_model 'all_or_nothing'")
        _refuse_repeated(self.milestone_steps, "milestone_steps")
        _refuse_repeated([goal.stretch_goal_id for goal in self.stretch_goals], "stretch_goals")
        _refuse_repeated([reward.reward_id for reward in self.rewards], "rewards")
        try:
            zone(self.timezone)
        except UnknownZoneError as error:
            raise ValueError(str(error)) from None


class CampaignAmendedData(Data, gc=False, frozen=True, kw_only=True):
    """New terms for a running campaign. What is absent stays; the highest revision of each term counts."""

    revision: Revision
    title: Text | None = None
    goal_minor: AmountMinor | None = None
    stretch_goals: Annotated[list[StretchGoal], Meta(max_length=STRETCH_GOALS_MAX)] | None = None
    closes_at: Instant | None = None

    def __post_init__(self) -> None:
        if self.stretch_goals is not None:
            _refuse_repeated([goal.stretch_goal_id for goal in self.stretch_goals], "stretch_goals")
        if (self.title, self.goal_minor, self.stretch_goals, self.closes_at) == (None, None, None, None):
            raise ValueError("an amendment must name at least one new term")


class CampaignClosedData(Data, gc=False, frozen=True, kw_only=True):
    """The settling time after this `closes_at` has passed; it counts only while that is the current one."""

    closes_at: Instant


class PledgeAuthorizedData(Data, gc=False, frozen=True, kw_only=True):
    """Money promised and held. The amount is cumulative: of one authorization the greatest seen counts."""

    pledge_id: Identifier
    authorization_id: Identifier
    amount_minor: AmountMinor
    currency: Currency
    made_at: Instant | None = None
    backer_id: Identifier | None = None
    share_token: Identifier | None = None
    reward_id: Identifier | None = None


class PledgeAmendedData(Data, gc=False, frozen=True, kw_only=True):
    """The backer changed the promise; the highest revision counts."""

    pledge_id: Identifier
    revision: Revision
    amount_minor: AmountMinor


class PledgeCapturedData(Data, gc=False, frozen=True, kw_only=True):
    """Money taken. The amount is cumulative; a final capture ends what is still promised."""

    pledge_id: Identifier
    capture_id: Identifier
    amount_minor: AmountMinor
    currency: Currency
    final: bool = True
    made_at: Instant | None = None
    backer_id: Identifier | None = None
    share_token: Identifier | None = None
    reward_id: Identifier | None = None


class PledgeRefundedData(Data, gc=False, frozen=True, kw_only=True):
    """Money given back. The amount is fixed; the status only advances."""

    pledge_id: Identifier
    refund_id: Identifier
    amount_minor: AmountMinor
    currency: Currency
    status: RefundStatus


class PledgeDisputedData(Data, gc=False, frozen=True, kw_only=True):
    """Money that the backer's bank asks back.

    `withdrawn`: the gateway has taken the money for the time being. `lost_minor`: what a lost dispute cost, when it
    is less than `amount_minor`.
    """

    pledge_id: Identifier
    dispute_id: Identifier
    amount_minor: AmountMinor
    currency: Currency
    status: DisputeStatus
    withdrawn: bool
    lost_minor: AmountMinor | None = None

    def __post_init__(self) -> None:
        if self.lost_minor is not None and self.lost_minor > self.amount_minor:
            raise ValueError("lost_minor must not exceed amount_minor")


class PledgeFailedData(Data, gc=False, frozen=True, kw_only=True):
    """An attempt to pay that did not succeed. It changes no total."""

    pledge_id: Identifier
    attempt_id: Identifier
    reason: Text


class PledgeCanceledData(Data, gc=False, frozen=True, kw_only=True):
    """A promise withdrawn: one authorization, or without `authorization_id` the whole pledge. Final."""

    pledge_id: Identifier
    authorization_id: Identifier | None = None


class SharePostedData(Data, gc=False, frozen=True, kw_only=True):
    """A link given to others. With a parent it opens one circle wider than its parent's."""

    share_token: Identifier
    sharer_id: Identifier
    network: Identifier
    parent_token: Identifier | None = None
    circle: Circle | None = None

    def __post_init__(self) -> None:
        if self.parent_token is not None and self.circle is not None:
            raise ValueError("circle is for links without a parent_token: a child's circle follows from its parent")


class ShareVisitedData(Data, gc=False, frozen=True, kw_only=True):
    """Visits of a link from one origin, cumulative for each counter: the greatest of each number counts.

    `bots` and `prefetches` are requests that are no visits: of programs, and of browsers and servers that look ahead.
    """

    share_token: Identifier
    counter_id: Identifier
    visits: Visits
    bots: Visits = 0
    prefetches: Visits = 0
    origin: VisitOrigin = "unknown"


class Event(Struct, gc=False, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """The envelope: CloudEvents context attributes. `id` serves tracing only, facts are known by their own ids."""

    data: Any
    # In `specversion` a default would be left out on the wire.
    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)]
    source: Source
    time: Instant
    subject: str | None = None
    datacontenttype: Literal["application/json"] | None = None
    dataschema: str | None = None


class CampaignLaunched(Event, gc=False, frozen=True, kw_only=True, tag="cercles.campaign.launched"):
    data: CampaignLaunchedData


class CampaignAmended(Event, gc=False, frozen=True, kw_only=True, tag="cercles.campaign.amended"):
    data: CampaignAmendedData


class CampaignClosed(Event, gc=False, frozen=True, kw_only=True, tag="cercles.campaign.closed"):
    data: CampaignClosedData


class PledgeAuthorized(Event, gc=False, frozen=True, kw_only=True, tag="cercles.pledge.authorized"):
    data: PledgeAuthorizedData


class PledgeAmended(Event, gc=False, frozen=True, kw_only=True, tag="cercles.pledge.amended"):
    data: PledgeAmendedData


class PledgeCaptured(Event, gc=False, frozen=True, kw_only=True, tag="cercles.pledge.captured"):
    data: PledgeCapturedData


class PledgeRefunded(Event, gc=False, frozen=True, kw_only=True, tag="cercles.pledge.refunded"):
    data: PledgeRefundedData


class PledgeDisputed(Event, gc=False, frozen=True, kw_only=True, tag="cercles.pledge.disputed"):
    data: PledgeDisputedData


class PledgeFailed(Event, gc=False, frozen=True, kw_only=True, tag="cercles.pledge.failed"):
    data: PledgeFailedData


class PledgeCanceled(Event, gc=False, frozen=True, kw_only=True, tag="cercles.pledge.canceled"):
    data: PledgeCanceledData


class SharePosted(Event, gc=False, frozen=True, kw_only=True, tag="cercles.share.posted"):
    data: SharePostedData


class ShareVisited(Event, gc=False, frozen=True, kw_only=True, tag="cercles.share.visited"):
    data: ShareVisitedData


PledgeEvent = (
    PledgeAuthorized | PledgeAmended | PledgeCaptured | PledgeRefunded | PledgeDisputed | PledgeFailed | PledgeCanceled
)
ShareEvent = SharePosted | ShareVisited
CampaignEvent = CampaignLaunched | CampaignAmended | CampaignClosed
LogEvent = CampaignEvent | PledgeEvent | ShareEvent

EVENT_TYPES: Final[dict[str, type[Event]]] = {
    str(struct.__struct_config__.tag): struct
    for struct in (
        CampaignLaunched,
        CampaignAmended,
        CampaignClosed,
        PledgeAuthorized,
        PledgeAmended,
        PledgeCaptured,
        PledgeRefunded,
        PledgeDisputed,
        PledgeFailed,
        PledgeCanceled,
        SharePosted,
        ShareVisited,
    )
}
"""Every type of the log by its name on the wire."""


class Decoding:
    """Decoders and the encoder, made once."""

    log: ClassVar[msgspec.json.Decoder[LogEvent]] = msgspec.json.Decoder(LogEvent)
    """Any event of the log."""
    door: ClassVar[msgspec.json.Decoder[PledgeEvent | ShareEvent]] = msgspec.json.Decoder(PledgeEvent | ShareEvent)
    """What a source may send: pledges and shares, no campaign change and nothing derived."""


def type_name(event: Event) -> str:
    """Return the event's `type` on the wire, such as `cercles.pledge.captured`."""
    return TYPE_NAMES[type(event)]


def encode(event: Event) -> bytes:
    """Return the event as one JSON record of the log."""
    return _encoder.encode(event)


TYPE_NAMES: Final = {struct: name for name, struct in EVENT_TYPES.items()}
"""Each struct's `type` on the wire, for who looks it up once an event; others call `type_name`."""

_encoder = msgspec.json.Encoder()
