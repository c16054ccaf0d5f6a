"""Webhooks of Stripe's, damaged: fields left out, renamed, retyped and misplaced, and bytes that are not quite JSON."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any, Final

from producers.gateway.stripe_payments import PAYMENT_MAPPINGS, SAID_ELSEWHERE
from producers.gateway.stripe_pledges import PLEDGE_MAPPINGS
from schemas.money import EXPONENTS
from tests.gateway.knocking import charge, dispute, payment_intent, refund, setup_intent, webhook

OBJECTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "charge": charge,
    "dispute": dispute,
    "payment_intent": payment_intent,
    "refund": refund,
    "setup_intent": setup_intent,
}
TYPES: Final = sorted({*PLEDGE_MAPPINGS, *PAYMENT_MAPPINGS})
OTHER_TYPES: Final = [
    *sorted(SAID_ELSEWHERE),
    "invoice.paid",
    "charge.dispute",
    "refund.",
    "",
    "payment_intent.succeeded ",
]
VERSIONS: Final = [
    "2025-03-31.basil",
    "2026-10-28.dahlia",
    "2025-02-24.acacia",
    "2024-06-20",
    "2099-01-01.zinnia",
    "2025-03-31.basil\n",
    "basil",
    "",
]
ODD: Final[list[Any]] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**12,
    10**12 + 1,
    10**30,
    1.5,
    25.0,
    1e308,
    "",
    " ",
    "0",
    "2500",
    "-1",
    "NaN",
    "null",
    "eur",
    "lost",
    "warning_closed",
    "expired_uncaptured_charge",
    "a\x00b",
    "two\nlines",
    "\u202e\u0660\U0001f3ac",
    "\ud800",
    "<script>alert(1)</script>",
    "x" * 255,
    "x" * 256,
    "x" * 20_000,
    [],
    [[]],
    [None, 1, "x"],
    {},
    {"id": "x"},
    {"id": None},
    {"object": "list", "data": [], "has_more": False},
]
_LONG_NUMBER: Final = "a number too long to be written by Python"

Path = tuple[Any, Any]
"""A container within an event, and a key or an index of it."""


def whole(kind: str) -> dict[str, Any]:
    """Return an event of that type as Stripe sends it."""
    return webhook(kind, OBJECTS["dispute" if kind.startswith("charge.dispute.") else kind.partition(".")[0]]())


def places(part: Any) -> Iterator[Path]:
    """Return everything that stands in a document, at whatever depth."""
    names: Any = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, value in names:
        yield part, name
        yield from places(value)


def damaged(random: Random) -> bytes:
    """Return a webhook's body with up to four faults; sometimes it has none."""
    event = whole(random.choice(TYPES))
    for _ in range(random.randint(0, 4)):
        random.choice(FAULTS)(random, event)
    body = json.dumps(event).replace(f'"{_LONG_NUMBER}"', "9" * 5_000).encode()
    return random.choice(BYTE_FAULTS)(random, body) if random.random() < _BYTES_SHARE else body


_BYTES_SHARE: Final = 0.15


def _place(random: Random, event: dict[str, Any]) -> Path:
    """Choose a place, within what the event is about more often than around it."""
    within = list(places(event.get("data")))
    return random.choice(
        within if within and random.random() < _WITHIN_SHARE else list(places(event)) or [(event, "id")]
    )


_WITHIN_SHARE: Final = 0.8


def _drop(random: Random, event: dict[str, Any]) -> None:
    container, name = _place(random, event)
    if isinstance(container, list):
        container.clear()
    else:
        container.pop(name, None)


def _rename(random: Random, event: dict[str, Any]) -> None:
    container, name = _place(random, event)
    if isinstance(container, dict) and name in container:
        other = random.choice([f"{name}_", str(name).upper(), f"{name}\x00", "id", "amount", "metadata", "object", ""])
        container[other] = container.pop(name)


def _retype(random: Random, event: dict[str, Any]) -> None:
    container, name = _place(random, event)
    container[name] = deepcopy(random.choice([*ODD, _LONG_NUMBER]))


def _nest(random: Random, event: dict[str, Any]) -> None:
    container, name = _place(random, event)
    value = container[name] if isinstance(container, list) else container.get(name)
    container[name] = random.choice(
        [[value], {"data": value}, {str(name): value}, {"object": value}, json.dumps(value)]
    )


def _swap_object(random: Random, event: dict[str, Any]) -> None:
    """Put another object of Stripe's where this one is expected, or next to where it belongs."""
    other = OBJECTS[random.choice(sorted(OBJECTS))]()
    if random.random() < _MISPLACED_SHARE:
        event["data"] = other
    elif isinstance(event.get("data"), dict):
        event["data"]["object"] = other


_MISPLACED_SHARE: Final = 0.2


def _other_type(random: Random, event: dict[str, Any]) -> None:
    event["type"] = random.choice([*TYPES, *OTHER_TYPES])


def _other_version(random: Random, event: dict[str, Any]) -> None:
    event["api_version"] = random.choice(VERSIONS)


def _other_currency(random: Random, event: dict[str, Any]) -> None:
    code = random.choice([*sorted(EXPONENTS), "XXX", "USDC", "E R", "€"])
    for container, name in list(places(event)):
        if name == "currency":
            container[name] = random.choice([code, code.lower()])


def _other_amounts(random: Random, event: dict[str, Any]) -> None:
    for container, name in list(places(event)):
        if isinstance(name, str) and name.startswith("amount"):
            container[name] = random.choice(
                [0, 1, 99, 100, 105, -5, 10**12, 10**12 + 1, 2**63, 10**40, 1.0, "100", None]
            )


def _other_time(random: Random, event: dict[str, Any]) -> None:
    container = random.choice([event, event["data"].get("object") if isinstance(event.get("data"), dict) else event])
    if isinstance(container, dict):
        container["created"] = random.choice([0, -1, 1, 1_000_000_000, 4_000_000_000, 10**12, 10**20, -(10**20)])


FAULTS: Final[list[Callable[[Random, dict[str, Any]], None]]] = [
    _drop,
    _rename,
    _retype,
    _retype,
    _nest,
    _swap_object,
    _other_type,
    _other_version,
    _other_currency,
    _other_amounts,
    _other_time,
]


def _cut(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body))]


def _flip(random: Random, body: bytes) -> bytes:
    place = random.randrange(len(body))
    return body[:place] + bytes([random.randrange(256)]) + body[place + 1 :]


def _say_twice(random: Random, body: bytes) -> bytes:
    """Say the whole body's fields twice, or the body twice."""
    return random.choice([body[:-1] + b"," + body[1:], body + body])


def _wrap(random: Random, body: bytes) -> bytes:
    levels = random.choice([1, 40, 2_000, 20_000])
    return b"[" * levels + body + b"]" * levels


def _recode(random: Random, body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode(random.choice(["utf-8-sig", "utf-16", "utf-32"]))


def _replace(random: Random, body: bytes) -> bytes:
    old, new = random.choice(
        [(b'"', b"'"), (b"null", b"NaN"), (b"false", b"False"), (b"_", b"\xff"), (b"e", b"\\ud800")]
    )
    return body.replace(old, new)


BYTE_FAULTS: Final[list[Callable[[Random, bytes], bytes]]] = [_cut, _flip, _say_twice, _wrap, _recode, _replace]
