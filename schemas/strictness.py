"""What our own doors ask of an event beyond what decoding checks: characters, currencies, times.

The patterns of `schemas.fields` stand in the JSON Schema only, since matching them costs more than decoding. Here they
are matched, once for each event, where it comes in. Everything is looked up in tables that are made from the structs
when this module is imported.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, inspect

from schemas.events import EVENT_TYPES, Event
from schemas.fields import CURRENCY_PATTERN, IDENTIFIER_PATTERN, OWN_IDENTIFIER_LENGTH_MAX, TEXT_PATTERN
from schemas.money import EXPONENTS
from schemas.payments import PAYMENT_TYPES

EARLIEST: Final = datetime(2009, 1, 1, tzinfo=UTC)
"""Nothing that Cercles counts happened before: an earlier time is a clock that was never set, or seconds taken for
milliseconds."""

AHEAD_MAX: Final = timedelta(hours=24)
"""How far ahead of our clock something may claim to have happened."""

DEADLINE_AHEAD_MAX: Final = timedelta(days=3650)
"""How far ahead a campaign may open or close. Sums and other zones' dates stay far from the end of `datetime`."""

DEADLINES: Final = frozenset({"opens_at", "closes_at"})
"""Fields that tell of the future by their nature."""


class Fault(NamedTuple):
    """Where an event is wrong, as a JSON pointer (RFC 6901) into it, and what about it."""

    pointer: str
    detail: str


class _Bounds(NamedTuple):
    now: datetime
    latest: datetime
    identifier_length_max: int


_Check = Callable[[Any, _Bounds], Fault | None]
_Table = tuple[tuple[str, _Check], ...]


def first_fault(event: Event, now: datetime, *, identifier_length_max: int = OWN_IDENTIFIER_LENGTH_MAX) -> Fault | None:
    """Return the first thing that an event of ours may not say, or None.

    `now` is aware; times are measured against it. `identifier_length_max` is in characters: our own doors take 64,
    payment gateways use up to 255.
    """
    envelope, data = _TABLES[type(event)]
    bounds = _Bounds(now, now + AHEAD_MAX, identifier_length_max)
    fault = _fault_in(envelope, event, bounds)
    if fault is not None:
        return fault
    fault = _fault_in(data, event.data, bounds)
    return None if fault is None else Fault("/data" + fault.pointer, fault.detail)


def fault_of(error: msgspec.ValidationError) -> Fault:
    """Return what a decoder found wrong, with its place as a JSON pointer."""
    return Fault(pointer_of(error), str(error).rpartition(_AT)[0] or str(error))


def pointer_of(error: msgspec.ValidationError) -> str:
    """Return the JSON pointer (RFC 6901) of what a decoder found wrong: `$.data.amount_minor` is `/data/amount_minor`.

    It always points into the document that was sent: at a field that is not known, and for one that is missing at the
    object that lacks it.
    """
    words, _, path = str(error).rpartition(_AT)
    pointer = "".join(f"/{name or index}" for name, index in _STEPS.findall(path))
    unknown = _UNKNOWN_FIELD.fullmatch(words or str(error))
    return pointer if unknown is None else f"{pointer}/{escape(unknown[1])}"


def escape(name: str) -> str:
    """Return a member's name as it stands in a JSON pointer: `~` and `/` have a meaning there (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


# The path of a ValidationError is made of our own fields' names and of indices; only the name of an unknown field is
# the sender's, and stands before it.
_AT: Final = " - at `"
_STEPS: Final = re.compile(r"\.(\w+)|\[(\d+)\]")
_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)

_IDENTIFIER: Final = re.compile(IDENTIFIER_PATTERN)
_TEXT: Final = re.compile(TEXT_PATTERN)


def _identifier(value: str, bounds: _Bounds) -> Fault | None:
    # fullmatch, since `$` alone would let a newline pass at the end.
    if _IDENTIFIER.fullmatch(value) is None:
        return Fault("", "an id is made of letters, digits and . _ : - only")
    if len(value) > bounds.identifier_length_max:
        return Fault("", f"an id has at most {bounds.identifier_length_max} characters")
    return None


def _currency(value: str, _: _Bounds) -> Fault | None:
    if value in EXPONENTS:
        return None
    return Fault("", "the currency is not an active ISO 4217 code in capitals, such as EUR")


def _text(value: str, _: _Bounds) -> Fault | None:
    # What is printable throughout has no control character; most texts are, and the question is quickly answered.
    if value.isprintable() or not value or _TEXT.fullmatch(value) is not None:
        return None
    return Fault("", "control characters, NUL and line ends among them, are not allowed in a text")


def _happened(value: datetime, bounds: _Bounds) -> Fault | None:
    if value < EARLIEST:
        return Fault("", f"the time is before {EARLIEST.year}")
    if value > bounds.latest:
        return Fault("", "the time is more than 24 hours ahead of the clock here")
    return None


def _deadline(value: datetime, bounds: _Bounds) -> Fault | None:
    if value < EARLIEST:
        return Fault("", f"the time is before {EARLIEST.year}")
    if value > bounds.now + DEADLINE_AHEAD_MAX:
        return Fault("", f"the time is more than {DEADLINE_AHEAD_MAX.days} days ahead")
    return None


def _pattern(pattern: str) -> _Check:
    matches = re.compile(pattern).fullmatch

    def check(value: str, _: _Bounds) -> Fault | None:
        return None if matches(value) is not None else Fault("", f"the text does not match {pattern}")

    return check


_BY_PATTERN: Final[dict[str, _Check]] = {
    IDENTIFIER_PATTERN: _identifier,
    CURRENCY_PATTERN: _currency,
    TEXT_PATTERN: _text,
}


def _each(check: _Check) -> _Check:
    def check_each(values: list[Any], bounds: _Bounds) -> Fault | None:
        for index, value in enumerate(values):
            fault = check(value, bounds)
            if fault is not None:
                return Fault(f"/{index}{fault.pointer}", fault.detail)
        return None

    return check_each


def _fault_in(table: _Table, struct: Struct, bounds: _Bounds) -> Fault | None:
    for name, check in table:
        value = getattr(struct, name)
        if value is not None:
            fault = check(value, bounds)
            if fault is not None:
                return Fault(f"/{name}{fault.pointer}", fault.detail)
    return None


def _check_of(name: str, kind: inspect.Type) -> _Check | None:
    """Return what to check of a field of that name and type, or None where decoding has checked it all."""
    match kind:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            pattern = (extra or {}).get("pattern")
            check = _check_of(name, inner) if pattern is None else _BY_PATTERN.get(pattern, _pattern(pattern))
        case inspect.UnionType(types=types):
            checks = [part for part in (_check_of(name, one) for one in types) if part is not None]
            if len(checks) > 1:
                raise TypeError(f"the field {name} may be of several types with checks of their own")
            check = checks[0] if checks else None
        case inspect.StrType():
            check = _text
        case inspect.DateTimeType():
            check = _deadline if name in DEADLINES else _happened
        case inspect.ListType(item_type=item_type):
            item = _check_of(name, item_type)
            check = None if item is None else _each(item)
        case inspect.StructType():
            check = partial(_fault_in, _table_of(kind))
        case _:
            check = None
    return check


def _table_of(kind: inspect.StructType) -> _Table:
    checks = ((field.name, _check_of(field.name, field.type)) for field in kind.fields if field.name != "data")
    return tuple((name, check) for name, check in checks if check is not None)


def _tables_of(struct: type[Event]) -> tuple[_Table, _Table]:
    kind = inspect.type_info(struct)
    if not isinstance(kind, inspect.StructType):
        raise TypeError(f"{struct.__name__} is not a struct")
    data = next(field.type for field in kind.fields if field.name == "data")
    if not isinstance(data, inspect.StructType):
        raise TypeError(f"the data of {struct.__name__} is not a struct")
    return _table_of(kind), _table_of(data)


_TABLES: Final = {struct: _tables_of(struct) for struct in (*EVENT_TYPES.values(), *PAYMENT_TYPES.values())}
