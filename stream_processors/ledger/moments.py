"""The times that the ledger can hold: at the ends of the calendar a change of zone or an addition has no result."""

from datetime import datetime
from typing import Final

from stream_processors.ledger.outcome import Refusal

YEAR_MIN: Final = 1971
YEAR_MAX: Final = 9998


def is_moment(moment: datetime) -> bool:
    """Return whether it is one from 1971 to 9998."""
    return YEAR_MIN <= moment.year <= YEAR_MAX


def check_moment(moment: datetime) -> None:
    """Raise Refusal (`invalid_event`) for a moment before 1971 or after 9998."""
    if not is_moment(moment):
        raise Refusal("invalid_event", f"{moment.isoformat()} is no time for an event: 1971 to 9998 are")
