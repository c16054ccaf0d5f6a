"""Which campaigns are due to be closed, as the database knows them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Engine, create_engine, select, tuple_

from schemas.connections import DatabaseConnection
from schemas.tables import campaigns

PAGE_SIZE: Final = 500
DATABASE_SECONDS_MAX: Final = 5


class Deadline(NamedTuple):
    """A campaign and the `closes_at` that has passed."""

    campaign_id: str
    closes_at: datetime


class Deadlines(Protocol):
    """Where the clock learns of deadlines: the database, and the fake of the tests."""

    def passed(self, now: datetime) -> Iterator[list[Deadline]]:
        """Yield, in pages, the open campaigns whose settling time has passed at `now`. Raises SQLAlchemyError."""
        ...


class StoredDeadlines:
    """Deadlines from the table `campaigns`. A campaign whose outcome is stored is not open any more."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def passed(self, now: datetime) -> Iterator[list[Deadline]]:
        """Yield, in pages, the open campaigns whose settling time has passed at `now`. Raises SQLAlchemyError."""
        place = (campaigns.c.closes_at, campaigns.c.campaign_id)
        query = (
            select(*place, campaigns.c.settle_hours)
            .where(campaigns.c.status == "open", campaigns.c.closes_at <= now)
            .order_by(*place)
            .limit(PAGE_SIZE)
        )
        after: tuple[datetime, str] | None = None
        while True:
            page = query if after is None else query.where(tuple_(*place) > after)
            with self._engine.connect() as connection:
                rows = connection.execute(page).all()
            # Adding hours to a column is written differently in every database; few campaigns are settling at a time.
            due = [
                Deadline(row.campaign_id, row.closes_at)
                for row in rows
                if row.closes_at + timedelta(hours=row.settle_hours) <= now
            ]
            if due:
                yield due
            if len(rows) < PAGE_SIZE:
                return
            after = (rows[-1].closes_at, rows[-1].campaign_id)


def deadlines_engine(connection: DatabaseConnection) -> Engine:
    """Return an engine for the clock's one reader, with bounds on connecting and on every statement."""
    url = connection.url.get_secret_value()
    arguments: dict[str, object] = {"timeout": DATABASE_SECONDS_MAX}
    if not url.startswith("sqlite"):
        arguments = {
            "connect_timeout": DATABASE_SECONDS_MAX,
            "options": f"-c statement_timeout={DATABASE_SECONDS_MAX * 1000}",
        }
    return create_engine(url, connect_args=arguments, pool_size=1, max_overflow=0, pool_pre_ping=True)
