"""The kind of dictionary in which the fold keeps what it has to find again."""

from typing import Any, TypeVar

_Fact = TypeVar("_Fact")


def by_id() -> dict[str, _Fact]:
    """Return an empty dictionary that keeps the hash of each key beside it, for what grows with the campaign.

    CPython does without while every key has been a text, and then looks into the texts themselves, all over the
    memory, where two keys meet and whenever the dictionary grows (Objects/dictobject.c, DICT_KEYS_UNICODE).
    """
    facts: dict[Any, Any] = {None: None}
    del facts[None]
    return facts
