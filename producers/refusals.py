"""Why a producer turns something away. At the doors these become problems over HTTP, of verified gateway events dead
letters; both are counted by reason.
"""

from typing import Literal

DoorRefusal = Literal[
    "unverified",  # 401: no signature or key, a wrong or garbled one, or a time outside the tolerance
    "not_json",  # 400: not UTF-8, not JSON, nested too deep, or a name twice in one object
    "unreadable_request",  # 400: the request itself, or its path, is not what HTTP allows
    "not_found",  # 404
    "method_not_allowed",  # 405
    "body_too_slow",  # 408
    "too_large",  # 413
    "target_too_long",  # 414: the path and the query are longer than any that is served
    "wrong_content_type",  # 415: also an encoded body
    "invalid_event",  # 422
    "broker_away",  # 503: nothing is known to have been accepted; send it again
    "busy",  # 503: too many requests or events under way
    "defect",  # 500: ours, and always a bug
]

UnmappableReason = Literal[
    "unreadable_webhook",  # verified, but not the JSON of an event
    "unsupported_event",  # in a version of Stripe's API that is not understood
    "unmappable_payment",  # an event of ours whose content makes no event of the log
]
"""Reasons of the gateway's dead letters."""
