"""Rows as a sink would have stored them, written directly: the reader knows of nothing but the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, update

from schemas.tables import (
    campaign_totals,
    campaigns,
    circle_totals,
    dead_letters,
    ledger_entries,
    milestones,
    reward_totals,
    sink_positions,
)
from schemas.topics import DEAD_LETTERS, LOG, UPDATES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """An entry's amounts and place; pledged and collected move together unless told otherwise."""

    pledged_minor: int = 0
    circle: str | None = "friends"
    day: date | None = date(2026, 3, 1)
    collected_minor: int = 0
    pledge_id: str | None = "pledge-1"


class Stored:
    """A migrated database, and the ways in which a sink changes it. Every call is one transaction."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self.url = url

    def campaign(self, campaign_id: str = "film", *, partition: int = 0, offset: int = 0, **terms: Any) -> None:
        """Store a launched campaign without any pledge."""
        currency = terms.pop("currency", "EUR")
        row = {
            "campaign_id": campaign_id,
            "title": "Les Anges Anonymes",
            "owner_id": "p_owner",
            "currency": currency,
            "goal_minor": 1_500_000,
            "goal_basis": "pledged",
            "funding_model": "all_or_nothing",
            "stretch_goals": [{"stretch_goal_id": "score", "title": "An original score", "amount_minor": 1_800_000}],
            "opens_at": datetime(2026, 2, 1, tzinfo=UTC),
            "closes_at": datetime(2026, 4, 1, tzinfo=UTC),
            "settle_hours": 1,
            "timezone": "Europe/Paris",
            "sources": ["stripe/acct_1/live"],
            "revision": 0,
            "status": "open",
        } | terms
        with self.engine.begin() as connection:
            connection.execute(insert(campaigns).values(row))
            _store_zeros(
                connection,
                campaign_id=campaign_id,
                partition_number=partition,
                position_offset=offset,
                complete=True,
                currency=currency,
                goal_minor=row["goal_minor"],
            )
            for circle in ("friends", "friends_of_friends", "public", "unattributed"):
                connection.execute(
                    insert(circle_totals).values(
                        campaign_id=campaign_id, circle=circle, pledged_minor=0, collected_minor=0, backers=0
                    )
                )

    def campaign_missed_from_the_start(self, campaign_id: str, *, partition: int, gap: int) -> None:
        """Store what a sink stores of a campaign whose launch it missed."""
        with self.engine.begin() as connection:
            _store_zeros(
                connection,
                campaign_id=campaign_id,
                partition_number=partition,
                position_offset=-1,
                complete=False,
                gap_offset=gap,
                currency="EUR",
                goal_minor=1_500_000,
            )

    def entries(self, offset: int, lines: Sequence[Line], *, campaign_id: str = "film", partition: int = 0) -> None:
        """Store what one event changed: its entries, and the totals that follow from them."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(ledger_entries),
                [
                    {
                        "partition_number": partition,
                        "log_offset": offset,
                        "entry_number": number,
                        "campaign_id": campaign_id,
                        "event_id": f"event-{offset}",
                        "event_type": "cercles.pledge.captured",
                        "occurred_at": NOON,
                        "pledge_id": line.pledge_id,
                        "circle": line.circle,
                        "day": line.day,
                        "pledged_minor": line.pledged_minor,
                        "collected_minor": line.collected_minor,
                    }
                    for number, line in enumerate(lines)
                ],
            )
            for line in lines:
                circle = circle_totals.c
                connection.execute(
                    update(circle_totals)
                    .where(circle.campaign_id == campaign_id, circle.circle == line.circle)
                    .values(
                        pledged_minor=circle.pledged_minor + line.pledged_minor,
                        collected_minor=circle.collected_minor + line.collected_minor,
                    )
                )
            totals = campaign_totals.c
            connection.execute(
                update(campaign_totals)
                .where(totals.campaign_id == campaign_id)
                .values(
                    position_offset=offset,
                    position_number=len(lines) - 1,
                    pledged_minor=totals.pledged_minor + sum(line.pledged_minor for line in lines),
                    collected_minor=totals.collected_minor + sum(line.collected_minor for line in lines),
                )
            )

    def totals(self, campaign_id: str = "film", **values: Any) -> None:
        """Change columns of `campaign_totals`."""
        with self.engine.begin() as connection:
            connection.execute(
                update(campaign_totals).where(campaign_totals.c.campaign_id == campaign_id).values(values)
            )

    def reward(self, reward_id: str, claimed: int, left: int | None, exhausted: int = 0) -> None:
        """Store the claims of a reward of the film's terms."""
        row = {"claimed": claimed, "claims_left": left, "exhausted_claims": exhausted}
        with self.engine.begin() as connection:
            connection.execute(insert(reward_totals).values(campaign_id="film", reward_id=reward_id, **row))

    def milestone(self, offset: int, kind: str, *, number: int = 0, campaign_id: str = "film", **values: Any) -> None:
        """Store a milestone."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(milestones).values(
                    {
                        "partition_number": 0,
                        "log_offset": offset,
                        "milestone_number": number,
                        "campaign_id": campaign_id,
                        "type": kind,
                        "threshold_minor": 1_500_000,
                        "total_minor": 1_500_000,
                        "event_id": f"event-{offset}",
                        "occurred_at": NOON,
                    }
                    | values
                )
            )

    def dead_letter(self, offset: int, *, partition: int = 0, **values: Any) -> None:
        """Store the dead letter of a refused event of the log."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(dead_letters).values(
                    {
                        "topic": LOG.name,
                        "partition_number": partition,
                        "record_offset": offset,
                        "reason": "currency_mismatch",
                        "detail": "the campaign is in EUR",
                        "campaign_id": "film",
                        "event_id": f"event-{offset}",
                        "key": b"film",
                        "value": b"{}",
                        "headers": [],
                        "refused_at": NOON,
                    }
                    | values
                )
            )

    def progress(self, log_next: int, *, partition: int = 0, dead_letters_next: int = 0) -> None:
        """Store that a partition of the log is folded below that offset, with so many dead letters sent."""
        self._position(UPDATES.name, partition, log_next_offset=log_next, dead_letters_next_offset=dead_letters_next)

    def dead_letters_stored(self, next_offset: int, *, partition: int = 0) -> None:
        """Store that the dead letters below that offset of their topic are stored."""
        self._position(DEAD_LETTERS.name, partition, next_offset=next_offset)

    def _position(self, topic: str, partition: int, **values: int) -> None:
        place = {"topic": topic, "partition_number": partition}
        found = sink_positions.c.topic == topic, sink_positions.c.partition_number == partition
        with self.engine.begin() as connection:
            if connection.execute(update(sink_positions).where(*found).values(values)).rowcount == 0:
                zeros = {"next_offset": 0, "log_next_offset": 0, "dead_letters_next_offset": 0}
                connection.execute(insert(sink_positions).values(place | zeros | values))


def _store_zeros(connection: Connection, **values: Any) -> None:
    zeros = dict.fromkeys(
        ("pledged_minor", "collected_minor", "over_returned_minor", "late_minor", "percent", "backers"), 0
    )
    rest = {"position_number": 0, "fold_version": "1", "gap_offset": None, "unattributed": {}}
    connection.execute(insert(campaign_totals).values(zeros | rest | values))
