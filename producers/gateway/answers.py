"""What the doors answer."""

from msgspec import Struct


class Accepted(Struct, frozen=True):
    """An event that stands on the log: its CloudEvents id, and its place there as `partition:offset`."""

    id: str
    position: str


class Receipt(Struct, frozen=True):
    """The events of a request that stand on the log, in the request's order."""

    accepted: list[Accepted]


class ShareReceipt(Struct, frozen=True):
    """The token of a new share link, and the event that announced it.

    `path` is what to give to others, behind the gateway's public address; null where links lead to no page.
    """

    share_token: str
    path: str | None
    accepted: list[Accepted]


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """What went wrong (RFC 9457). `pointer` is a JSON pointer (RFC 6901) into the request's body."""

    status: int
    title: str
    detail: str
    reason: str
    pointer: str | None = None
