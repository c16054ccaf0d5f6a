"""The field types of events, each with its bounds.

msgspec checks lengths and numbers in C while it decodes. A regular expression would cost more than the rest of the
decoding together (3.4 µs against 0.6 µs for one capture), so patterns stand in the JSON Schema only and are checked
where events come in, by `schemas.strictness`.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta

AMOUNT_MINOR_MAX: Final = 10**12
"""Largest amount of one fact, in minor units: no single pledge is worth more than ten billion euros."""

IDENTIFIER_LENGTH_MAX: Final = 255
"""Longest identifier on the log, in characters; gateways of payments use up to 255."""

OWN_IDENTIFIER_LENGTH_MAX: Final = 64
"""Longest identifier that our own doors take, in characters."""

TEXT_LENGTH_MAX: Final = 200
SOURCES_MAX: Final = 50
STRETCH_GOALS_MAX: Final = 50
REWARDS_MAX: Final = 50
MILESTONE_STEPS_MAX: Final = 20
SETTLE_HOURS_MAX: Final = 24 * 90
VISITS_MAX: Final = 10**12
QUANTITY_MAX: Final = 10**9

IDENTIFIER_PATTERN: Final = r"^[A-Za-z0-9._:-]+$"
SOURCE_PATTERN: Final = r"^[A-Za-z0-9._:/-]+$"
LISTED_SOURCE_PATTERN: Final = r"^(sources/[A-Za-z0-9._:-]+|stripe/[A-Za-z0-9._:-]+/(live|test))$"
"""What a campaign may list: a source of the signed door, or an account of Stripe's, live or test."""

TEXT_PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
CURRENCY_PATTERN: Final = r"^[A-Z]{3}$"

Identifier = Annotated[
    str,
    Meta(min_length=1, max_length=IDENTIFIER_LENGTH_MAX, extra_json_schema={"pattern": IDENTIFIER_PATTERN}),
]
"""An id that a gateway, a sharer's network or we gave."""

Source = Annotated[
    str, Meta(min_length=1, max_length=IDENTIFIER_LENGTH_MAX, extra_json_schema={"pattern": SOURCE_PATTERN})
]
"""Who vouches for an event: `sources/NAME`, `stripe/ACCOUNT/live`, `stripe/ACCOUNT/test`, `admin` or `clock`."""

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX, extra_json_schema={"pattern": TEXT_PATTERN})]
"""Words for people, on one line, without control characters."""

Currency = Annotated[str, Meta(min_length=3, max_length=3, extra_json_schema={"pattern": CURRENCY_PATTERN})]
"""An active ISO 4217 code; `schemas.money.EXPONENTS` has them all."""

AmountMinor = Annotated[int, Meta(gt=0, le=AMOUNT_MINOR_MAX)]
"""Money of one fact in minor units of its currency, above 0."""

GoalPercent = Annotated[int, Meta(ge=0, le=100)]
"""A part of the goal in percent."""

Revision = Annotated[int, Meta(gt=0, le=10**9)]
Visits = Annotated[int, Meta(ge=0, le=VISITS_MAX)]
Quantity = Annotated[int, Meta(gt=0, le=QUANTITY_MAX)]
"""How many of a reward there are."""

Instant = Annotated[datetime, Meta(tz=True)]
"""A moment with its offset from UTC (RFC 3339)."""

Circle = Literal["friends", "friends_of_friends", "public"]
"""The circles that a link can open, from the narrowest to the widest."""

AnyCircle = Literal["friends", "friends_of_friends", "public", "unattributed"]
"""A circle, or `unattributed` for money whose way here is not known."""

CIRCLES: Final[tuple[AnyCircle, ...]] = ("friends", "friends_of_friends", "public", "unattributed")

VisitOrigin = Literal[
    "direct",
    "email",
    "facebook",
    "instagram",
    "linkedin",
    "mastodon",
    "reddit",
    "search",
    "snapchat",
    "telegram",
    "tiktok",
    "whatsapp",
    "x",
    "youtube",
    "other",
    "unknown",
]
"""Where a visit came from, as far as all may know: `direct` without a word of it, `unknown` where nobody looked."""

FundingModel = Literal["all_or_nothing", "keep_it_all"]
GoalBasis = Literal["pledged", "collected"]
RefundStatus = Literal["pending", "succeeded", "failed", "canceled"]
DisputeStatus = Literal["open", "lost", "won"]
