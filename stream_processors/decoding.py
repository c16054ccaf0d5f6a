"""Decodes a record's value: the event that it is, or in words for people why it is none."""

from typing import Any, Final, TypeVar

import msgspec

FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that are no event."""

_Event = TypeVar("_Event")


class NotAnEventError(ValueError):
    """The value is not an event."""


def decode_event(value: bytes | None, decoder: msgspec.json.Decoder[_Event]) -> _Event:
    """Return the event of a record. Raises NotAnEventError for anything that is not one."""
    if value is None:
        raise NotAnEventError("the record has no value")
    try:
        event = decoder.decode(value)
    except FAULTS as error:
        raise NotAnEventError(_printable(str(error))) from None
    # JSON has NUL as an escape only, and a single byte is quickly found to be absent.
    if b"\\" in value and _has_nul(msgspec.to_builtins(event)):
        # No database keeps the character NUL in a text.
        raise NotAnEventError("a text holds the character NUL")
    return event


def _has_nul(part: Any) -> bool:
    if isinstance(part, dict):
        return any(_has_nul(value) for line in part.items() for value in line)
    if isinstance(part, list | tuple):
        return any(_has_nul(value) for value in part)
    return isinstance(part, str) and "\x00" in part


def _printable(text: str) -> str:
    """Return the words of an error without control characters that the event brought into them."""
    return "".join(character if character.isprintable() else "?" for character in text)
