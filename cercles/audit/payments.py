"""Finds payments that stand in two campaigns: in a temporary database, since the ids of years of payments are many."""

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Literal, Self

from stream_processors.ledger.state import Campaign

PaymentKind = Literal["authorization", "capture"]

_GATEWAY_ENDS: Final = ":"
"""What ends a gateway's name before its own id, as in `stripe:pi_1`; other ids mean something in one campaign."""


class PaymentIndex:
    """The payments of every campaign that was folded. On disk, and gone when closed."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")  # an empty name: a file that the system deletes
        self._connection.execute("CREATE TABLE payment (kind TEXT, id TEXT, campaign TEXT)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, campaigns: Iterable[Campaign]) -> None:
        """Take down the payments of these campaigns that a gateway has named."""
        self._connection.executemany("INSERT INTO payment VALUES (?, ?, ?)", _payments(campaigns))

    def in_two_campaigns(self) -> Iterator[tuple[PaymentKind, str, list[str]]]:
        """Yield kind, id and campaigns of each payment that stands in more than one."""
        self._connection.execute("CREATE INDEX by_id ON payment (kind, id, campaign)")
        twice = self._connection.execute(
            "SELECT kind, id, GROUP_CONCAT(campaign, ' ') FROM (SELECT DISTINCT kind, id, campaign FROM payment) "
            "GROUP BY kind, id HAVING COUNT(*) > 1 ORDER BY kind, id"
        )
        for kind, payment_id, campaigns in twice:
            yield kind, payment_id, sorted(campaigns.split(" "))  # no identifier holds a blank


def _payments(campaigns: Iterable[Campaign]) -> Iterator[tuple[PaymentKind, str, str]]:
    for campaign in campaigns:
        campaign_id = campaign.launch.campaign_id
        for payment_id in campaign.authorizations:
            if _GATEWAY_ENDS in payment_id:
                yield "authorization", payment_id, campaign_id
        for payment_id in campaign.captures:
            if _GATEWAY_ENDS in payment_id:
                yield "capture", payment_id, campaign_id
