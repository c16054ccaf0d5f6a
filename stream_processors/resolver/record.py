"""A record of the payments' log, as the Kafka clients give it."""

from collections.abc import Iterable
from typing import Protocol


class PaymentRecord(Protocol):
    """What is needed of a record."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """When the gateway wrote it, in milliseconds since 1970."""
        ...

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...
