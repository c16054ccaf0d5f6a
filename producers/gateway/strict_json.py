"""JSON that means one thing only: RFC 8259 with the restrictions of I-JSON (RFC 7493).

UTF-8, no NaN or Infinity, no lone surrogates, and no name twice in one object: who signs `"amount_minor": 1` and
`"amount_minor": 100` in one breath must not have us choose.
"""

import json
from typing import Any, Final, NoReturn

DEPTH_MAX: Final = 32
"""Most levels of arrays and objects inside each other; an array of numbers is one level."""


class NotJsonError(ValueError):
    """The bytes are not such JSON; the message says why, and never quotes them."""


def parse(body: bytes) -> Any:
    """Return the value that the bytes stand for, in Python's own types.

    Raises NotJsonError.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJsonError(f"it is not UTF-8: byte {error.start} can't stand there") from None
    try:
        document = _decoder.decode(text)
    except RecursionError:
        raise NotJsonError(f"it is nested deeper than {DEPTH_MAX} levels") from None
    except NotJsonError:
        raise
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg} at character {error.pos}") from None
    except ValueError:
        raise NotJsonError("a number in it has too many digits") from None
    if _depth_exceeds(document, DEPTH_MAX):
        raise NotJsonError(f"it is nested deeper than {DEPTH_MAX} levels")
    if "\\u" in text and _has_lone_surrogate(document):
        raise NotJsonError("a \\u escape in it is half of a surrogate pair")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJsonError("an object in it has the same name twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonError(f"{name} is not a JSON value")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _depth_exceeds(document: Any, levels: int) -> bool:
    """Whether containers stand inside each other on more than so many levels. Looks at one whole level at a time."""
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(levels):
        level = [
            part
            for container in level
            for part in (container.values() if isinstance(container, dict) else container)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return False
    return True


def _has_lone_surrogate(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
