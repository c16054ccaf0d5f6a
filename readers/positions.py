"""Positions as the API writes them: `partition:offset`, the place of an event in the log."""

import re
from typing import Final

from msgspec import Struct

PARTITION_MAX: Final = 2**31 - 1
OFFSET_MAX: Final = 2**63 - 1
"""Kafka counts partitions in 32 bits and offsets in 64 (protocol guide, "Protocol Primitive Types")."""

# One text for one position: no signs, no leading zeros, ASCII digits only.
POSITION_PATTERN: Final = r"^(0|[1-9][0-9]{0,9}):(0|[1-9][0-9]{0,18})$"
POSITION_LENGTH_MAX: Final = 30

# Cursors are opaque to clients. Eighteen digits hold every offset that a log will ever reach and always fit in 64 bits.
CURSOR_PATTERN: Final = r"^[0-9]{1,18}\.[0-9]{1,18}$"
CURSOR_LENGTH_MAX: Final = 37


class NoSuchPositionError(ValueError):
    """The text has the form of a position, with numbers that Kafka cannot count to."""


class Position(Struct, frozen=True):
    """An event's place in the log: its partition, and its offset in it."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Cursor(Struct, frozen=True):
    """A row's place within its campaign: the offset of its event, and its number among that event's rows."""

    offset: int
    number: int

    def __str__(self) -> str:
        return f"{self.offset}.{self.number}"


BEFORE_EVERYTHING: Final = Cursor(-1, -1)


def parse_position(text: str) -> Position:
    """Return the position that a text of the form `POSITION_PATTERN` names.

    Raises NoSuchPositionError when a number is out of Kafka's range, ValueError when the form is another.
    """
    if re.fullmatch(POSITION_PATTERN, text) is None:
        raise ValueError(f"{text!r} is not a position, such as 0:42")
    partition, offset = (int(number) for number in text.split(":"))
    if partition > PARTITION_MAX or offset > OFFSET_MAX:
        raise NoSuchPositionError(
            f"no position is that high: partitions go up to {PARTITION_MAX}, offsets up to {OFFSET_MAX}"
        )
    return Position(partition, offset)


def parse_cursor(text: str | None) -> Cursor:
    """Return the row after which a page begins; without a text, the one before every row.

    Raises ValueError when the text is not a cursor.
    """
    if text is None:
        return BEFORE_EVERYTHING
    if re.fullmatch(CURSOR_PATTERN, text) is None:
        raise ValueError(f"{text!r} is not a cursor")
    offset, number = (int(digits) for digits in text.split("."))
    return Cursor(offset, number)
