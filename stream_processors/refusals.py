"""Why the worker or the resolver does not apply an event. Each of these becomes a dead letter and can be replayed."""

from typing import Final, Literal, get_args

RefusalReason = Literal[
    "invalid_event",  # not a CloudEvent of a type and form that the log holds
    "misrouted",  # the key is not the campaign's id, or the partition is not the key's
    "campaign_unknown",  # no launch of this campaign stands before it
    "source_not_allowed",  # the campaign does not list this source
    "currency_mismatch",  # not the campaign's currency
    "conflicting_duplicate",  # a known id with another fixed amount, currency, pledge or terms
    "campaign_closed",  # an amendment after the deadline or the outcome
    "closed_too_early",  # a close before the settling time has passed
]

REFUSAL_REASONS: Final[tuple[RefusalReason, ...]] = get_args(RefusalReason)

ResolverRefusalReason = Literal[
    "invalid_event",  # not a CloudEvent of a type and form that the payments' log holds
    "misrouted",  # the key is not the payment's id
    "payment_unknown",  # nothing has linked the payment to a campaign within seven days
    "conflicting_duplicate",  # a payment that is linked already, to something else
]

RESOLVER_REFUSAL_REASONS: Final[tuple[ResolverRefusalReason, ...]] = get_args(ResolverRefusalReason)
