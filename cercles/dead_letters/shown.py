"""Dead letters in words: a table, one in full, or JSON."""

from typing import Any, Final

import msgspec
from rich.table import Table

from cercles.dead_letters.letters import Letter
from cercles.dead_letters.replay import obstacle

TEXT_BYTES_MAX: Final = 4_000
"""Most bytes that are shown of a value that is not JSON."""


def table(letters: list[Letter]) -> Table:
    """Return a table, one line for each."""
    found = Table(box=None, pad_edge=False)
    for name in ("id", "refused", "reason", "campaign", "record", "state"):
        found.add_column(name, overflow="fold")
    for letter in letters:
        found.add_row(
            str(letter.dead_letter_id),
            letter.refused_at.strftime("%Y-%m-%d %H:%M:%SZ"),
            letter.reason,
            letter.campaign or "",
            f"{letter.topic.removeprefix('cercles.')} {letter.partition}:{letter.offset}",
            letter.state if letter.replayed_at is None else f"{letter.state} at {letter.replayed_at}",
        )
    return found


def plain(letter: Letter) -> dict[str, Any]:
    """Return what JSON shows of a letter: its value as JSON where it is, else as text, and in base64 if it must be."""
    fields: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(letter).items() if name not in {"key", "value", "headers"}
    }
    return fields | {
        "replayed_at": None if letter.replayed_at is None else str(letter.replayed_at),
        "campaign_id": letter.campaign,
        "key": _text(letter.key),
        "headers": [[name, _text(content)] for name, content in letter.headers],
        "value": _value(letter.value),
        "replayable": obstacle(letter) is None,
    }


def in_full(letter: Letter) -> str:
    """Return everything there is to see of one, for a person."""
    lines = [
        f"dead letter {letter.dead_letter_id}, {letter.state}",
        f"refused at  {letter.refused_at.isoformat()}",
        f"reason      {letter.reason}: {letter.detail}",
        f"record      {letter.topic}, {letter.partition}:{letter.offset}",
        f"campaign    {letter.campaign or 'none named'}",
        f"event       {letter.event_id or 'none named'}",
        f"key         {_text(letter.key)}",
    ]
    lines += [f"header      {name}: {_text(content)}" for name, content in letter.headers]
    if letter.resolved_at is not None:
        at = "" if letter.replayed_at is None else f"; it stands at {letter.replayed_at}"
        lines.append(f"{letter.state:<12}{letter.resolved_at.isoformat()}{at} {letter.why or ''}".rstrip())
    why = obstacle(letter)
    lines.append(f"replay      {'cercles dead-letters replay ' + str(letter.dead_letter_id) if why is None else why}")
    return "\n".join([*lines, "", pretty(letter)])


def pretty(letter: Letter) -> str:
    """Return the value: indented where it is JSON."""
    if letter.value is None:
        return f"(no value; SHA-256 {letter.value_sha256})" if letter.value_sha256 else "(no value)"
    try:
        letter.value.decode()
        msgspec.json.decode(letter.value, type=msgspec.Raw)
        return msgspec.json.format(letter.value).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return repr(letter.value[:TEXT_BYTES_MAX])


def _value(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        value.decode()
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _text(value)


def _text(content: bytes | None) -> str | None:
    """Return bytes as text where they are; else in Python's notation, which no byte can be lost in."""
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return repr(content)
