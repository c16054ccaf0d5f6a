"""Both lists side by side, in a temporary database on disk: years of payments need not fit into memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from types import TracebackType
from typing import Final, Literal, Self

from msgspec import Struct

from cercles.reconciliation.payments import Payment

Kind = Literal["missing_here", "missing_there", "amount", "currency", "status", "several_campaigns"]
"""`missing_here`: the gateway took money that the ledger has no capture of. `missing_there`: the other way round.
`status`: the ledger has a capture of what the gateway says it did not take."""

_TABLES: Final = """
CREATE TABLE there (id TEXT PRIMARY KEY, amount INTEGER, currency TEXT, status TEXT, taken INTEGER, line INTEGER);
CREATE TABLE here (id TEXT, campaign TEXT, pledge TEXT, amount INTEGER, currency TEXT, PRIMARY KEY (id, campaign));
CREATE TABLE seen (id TEXT, campaign TEXT, at REAL, PRIMARY KEY (id, campaign));
CREATE TABLE refused (id TEXT, campaign TEXT, position TEXT, reason TEXT);
"""
_SEVERAL: Final = """
SELECT id, GROUP_CONCAT(campaign, ' ') FROM (SELECT id, campaign FROM here ORDER BY id, campaign)
GROUP BY id HAVING COUNT(*) > 1 ORDER BY id
"""
_MISSING_HERE: Final = """
SELECT id, amount, currency, status, line, (
    SELECT GROUP_CONCAT(position || ' ' || reason, ', ') FROM refused WHERE refused.id = there.id)
FROM there WHERE taken AND NOT EXISTS (SELECT 1 FROM here WHERE here.id = there.id) ORDER BY line
"""
_MISSING_THERE: Final = """
SELECT here.id, campaign, pledge, amount, currency FROM here LEFT JOIN seen USING (id, campaign)
WHERE NOT EXISTS (SELECT 1 FROM there WHERE there.id = here.id)
AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until) ORDER BY here.id, campaign
"""
_BOTH: Final = """
SELECT there.id, there.amount, there.currency, status, taken, line, campaign, pledge, here.amount, here.currency
FROM there JOIN here USING (id) WHERE id NOT IN (SELECT id FROM here GROUP BY id HAVING COUNT(*) > 1)
AND (NOT taken OR there.currency <> here.currency OR there.amount <> here.amount) ORDER BY line
"""


class Capture(Struct, frozen=True):
    """A capture as the ledger counts it: the greatest amount seen."""

    capture_id: str
    campaign_id: str
    pledge_id: str
    amount_minor: int
    currency: str


class Refused(Struct, frozen=True):
    """A capture that became a dead letter."""

    capture_id: str
    campaign_id: str
    position: str
    reason: str


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payment about which the gateway and the ledger do not say the same. Amounts are minor units."""

    kind: Kind
    payment_id: str
    line: int | None = None
    campaign_id: str | None = None
    pledge_id: str | None = None
    status: str | None = None
    there_minor: int | None = None
    there_currency: str | None = None
    here_minor: int | None = None
    here_currency: str | None = None
    hint: str | None = None


class Books:
    """The gateway's list (`there`) and the ledger's captures (`here`)."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("")  # an empty name: a file that the system deletes
        self._connection.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add_payment(self, payment: Payment) -> Payment | None:
        """Enter a payment of the gateway's; return the one that stands there already under the same id, if any."""
        row = self._connection.execute(
            "SELECT line, id, amount, currency, status, taken FROM there WHERE id = ?", (payment.payment_id,)
        ).fetchone()
        if row is not None:
            return Payment(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
        self._connection.execute(
            "INSERT INTO there VALUES (?, ?, ?, ?, ?, ?)",
            (
                payment.payment_id,
                payment.amount_minor,
                payment.currency,
                payment.status,
                payment.taken,
                payment.line,
            ),
        )
        return None

    def add_captures(self, captures: Iterable[Capture]) -> int:
        """Enter captures of the ledger's; return how many."""
        return self._connection.executemany(
            "INSERT INTO here VALUES (?, ?, ?, ?, ?)",
            ((one.capture_id, one.campaign_id, one.pledge_id, one.amount_minor, one.currency) for one in captures),
        ).rowcount

    def saw(self, sightings: Iterable[tuple[str, str, datetime]]) -> None:
        """Note when captures were made: id, campaign and moment; the earliest counts."""
        self._connection.executemany(
            "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = MIN(at, excluded.at)",
            ((capture_id, campaign_id, at.timestamp()) for capture_id, campaign_id, at in sightings),
        )

    def add_refused(self, refused: Iterable[Refused]) -> None:
        """Note captures that became dead letters: they explain why some are missing."""
        self._connection.executemany(
            "INSERT INTO refused VALUES (?, ?, ?, ?)",
            ((one.capture_id, one.campaign_id, one.position, one.reason) for one in refused),
        )

    def differences(self, since: datetime | None, until: datetime | None) -> Iterator[Difference]:
        """Yield what differs. Captures made outside of `since` to `until` need not stand in the gateway's list."""
        self._connection.execute("CREATE INDEX refused_by_id ON refused (id)")
        for payment_id, campaigns in self._connection.execute(_SEVERAL):
            yield Difference(kind="several_campaigns", payment_id=payment_id, hint=f"it counts in {campaigns}")
        for payment_id, amount, currency, status, line, refused in self._connection.execute(_MISSING_HERE):
            yield Difference(
                kind="missing_here",
                payment_id=payment_id,
                line=line,
                status=status,
                there_minor=amount,
                there_currency=currency,
                hint=None if refused is None else f"refused at {refused}: `cercles dead-letters list`",
            )
        window = {
            "since": None if since is None else since.timestamp(),
            "until": None if until is None else until.timestamp(),
        }
        for payment_id, campaign_id, pledge_id, amount, currency in self._connection.execute(_MISSING_THERE, window):
            yield Difference(
                kind="missing_there",
                payment_id=payment_id,
                campaign_id=campaign_id,
                pledge_id=pledge_id,
                here_minor=amount,
                here_currency=currency,
            )
        yield from self._disagreements()

    def _disagreements(self) -> Iterator[Difference]:
        for row in self._connection.execute(_BOTH):
            payment_id, there, there_currency, status, taken, line, campaign_id, pledge_id, here, here_currency = row
            kind: Kind = "status" if not taken else "currency" if there_currency != here_currency else "amount"
            yield Difference(
                kind=kind,
                payment_id=payment_id,
                line=line,
                campaign_id=campaign_id,
                pledge_id=pledge_id,
                status=status,
                there_minor=there,
                there_currency=there_currency,
                here_minor=here,
                here_currency=here_currency,
            )
