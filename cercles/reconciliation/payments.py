"""Reads a gateway's list of payments: CSV or JSON lines with id, amount, currency and status. Nothing is guessed."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from io import TextIOWrapper
from typing import Any, BinaryIO, Final, Literal

import msgspec
from msgspec import Struct

from producers.gateway.stripe_fields import PREFIX, stripe_id
from schemas.fields import AMOUNT_MINOR_MAX, IDENTIFIER_LENGTH_MAX
from schemas.money import MoneyFormatError, exponent, parse_amount

Form = Literal["csv", "jsonl"]
Amounts = Literal["minor", "major"]

LINE_BYTES_MAX: Final = 64 * 1024
SHOWN_LENGTH_MAX: Final = 60
COLUMNS: Final = ("id", "amount", "currency", "status")

TAKEN: Final = frozenset(
    {
        "captured",
        "completed",
        "disputed",
        "paid",
        "partially_captured",
        "partially_refunded",
        "refunded",
        "settled",
        "succeeded",
    }
)
"""Statuses of payments whose money was taken, given back later or not: the ledger must have their captures."""

NOT_TAKEN: Final = frozenset(
    {
        "authorized",
        "canceled",
        "cancelled",
        "declined",
        "expired",
        "failed",
        "pending",
        "processing",
        "requires_action",
        "requires_capture",
        "requires_confirmation",
        "requires_payment_method",
        "voided",
    }
)
"""Statuses of payments whose money was not taken: the ledger must have no capture of them."""

_MINOR: Final = re.compile(r"[0-9]{1,18}")


class FileError(Exception):
    """The file as a whole can't be read."""


class Payment(Struct, frozen=True):
    """A payment as the gateway lists it. `taken`: whether the money was captured."""

    line: int
    payment_id: str
    amount_minor: int
    currency: str
    status: str
    taken: bool


class BadLine(Struct, frozen=True):
    """A line that says nothing that can be compared."""

    line: int
    reason: str


class Reading(Struct, frozen=True, kw_only=True):
    """How to read a list. `prefix` stands before the gateway's ids on the log; `taken` and `not_taken` are statuses."""

    form: Form
    amounts: Amounts
    prefix: str = ""
    taken: frozenset[str] = TAKEN
    not_taken: frozenset[str] = NOT_TAKEN


class _BadFieldError(Exception):
    """The words say what is wrong with a line."""


def read_payments(file: BinaryIO, reading: Reading) -> Iterator[Payment | BadLine]:
    """Yield every payment, and every line that is none, in the order of the file. Blank lines are left out.

    Raises FileError when the file has not the columns, or is not CSV.
    """
    lines: Callable[[BinaryIO], Iterator[tuple[int, Mapping[str, Any] | str]]]
    lines = _csv_lines if reading.form == "csv" else _json_lines
    for number, fields in lines(file):
        if isinstance(fields, str):
            yield BadLine(number, fields)
            continue
        try:
            yield _payment(number, fields, reading)
        except (_BadFieldError, MoneyFormatError) as error:
            yield BadLine(number, str(error))


def log_id(payment_id: str, prefix: str) -> str:
    """Return the gateway's id as it stands on the log, where adapters put the gateway's name before it."""
    if payment_id.startswith(prefix):
        return payment_id
    return stripe_id(payment_id) if prefix == PREFIX else prefix + payment_id


def _csv_lines(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    rows = csv.reader(text, strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        missing = [name for name in COLUMNS if header.count(name) != 1]
        if missing:
            raise FileError(
                f"the first line must name each of the columns {', '.join(COLUMNS)} once (others are ignored); wrong: "
                f"{', '.join(missing)}"
            )
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(header):
                yield rows.line_num, f"{len(row)} fields, but the first line has {len(header)}"
            else:
                yield rows.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise FileError(f"line {rows.line_num}: not CSV ({error})") from error
    finally:
        text.detach()


def _json_lines(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    number = 0
    while content := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(content) > LINE_BYTES_MAX:
            raise FileError(f"line {number} is larger than {LINE_BYTES_MAX} bytes: is this JSON lines?")
        if not content.strip():
            continue
        try:
            fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
            yield number, {name: _json_text(fields[name]) for name in COLUMNS if name in fields}
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield number, "not a JSON object"


def _json_text(raw: msgspec.Raw) -> str | None:
    """Return a text, or a number as it is written: a float would not be what the file says."""
    content = bytes(raw)
    if content[:1] == b'"':
        return msgspec.json.decode(content, type=str)
    return None if content == b"null" else content.decode()


def _payment(number: int, fields: Mapping[str, Any], reading: Reading) -> Payment:
    texts: dict[str, str] = {}
    for name in COLUMNS:
        text = (fields.get(name) or "").strip()
        if not text:
            raise _BadFieldError(f"no {name}")
        if not text.isprintable():
            raise _BadFieldError(f"{name} holds what is no text, or not UTF-8")
        texts[name] = text
    payment_id = log_id(texts["id"], reading.prefix)
    if len(payment_id) > IDENTIFIER_LENGTH_MAX:
        raise _BadFieldError(f"id is longer than {IDENTIFIER_LENGTH_MAX} characters")
    currency = texts["currency"].upper()
    exponent(currency)
    status = texts["status"].lower().replace(" ", "_")
    if status not in reading.taken | reading.not_taken:
        raise _BadFieldError(
            f"status {status[:SHOWN_LENGTH_MAX]!r} is not known: say whether it means money taken, by --taken or "
            "--not-taken"
        )
    amount_minor = _amount_minor(texts["amount"], currency, reading.amounts)
    return Payment(number, payment_id, amount_minor, currency, status, status in reading.taken)


def _amount_minor(text: str, currency: str, amounts: Amounts) -> int:
    shown = repr(text[:SHOWN_LENGTH_MAX])
    if amounts == "major":
        amount_minor = parse_amount(text, currency)
    elif _MINOR.fullmatch(text) is None:
        raise _BadFieldError(
            f"amount {shown} is not a whole number of minor units; if the file has major units, such as 12.50, say "
            "--amounts major"
        )
    else:
        amount_minor = int(text)
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise _BadFieldError(f"amount {shown} is not above 0, or too large; refunds are not payments: leave them out")
    return amount_minor
