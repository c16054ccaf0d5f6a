"""Moments as options: ISO 8601 with their offset."""

from datetime import datetime

from cercles.commands.words import fail
from cercles.exit_codes import EXIT_SETTINGS


def moment(option: str, text: str | None) -> datetime | None:
    """Return the moment that an option gives, or None; end the command for one that is none, or has no offset."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        fail(f"{option} {text}: a moment has its offset, such as 2026-03-10T12:00Z", EXIT_SETTINGS)
    return found
