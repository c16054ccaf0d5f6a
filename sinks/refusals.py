"""Why the sink itself keeps a record as a dead letter."""

from typing import Final, Literal, get_args

RefusalReason = Literal[
    "unreadable_dead_letter",  # a record among the dead letters that schemas.dead_letters can't read
]

REFUSAL_REASONS: Final[tuple[RefusalReason, ...]] = get_args(RefusalReason)
