"""Holds entries, milestones and dead letters of a stretch of the log against the rows, piece by piece."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, Table

from cercles.audit import stored
from cercles.audit.comparison import differing, line_columns
from cercles.audit.refold import LinePlace, Said
from cercles.audit.report import Difference, Findings
from schemas.tables import ledger_entries, milestones
from schemas.topics import LOG
from schemas.updates import BEFORE_EVERYTHING, Entry, Milestone, Position

_LINES: Final[tuple[tuple[str, Table, str], ...]] = (
    ("entry", ledger_entries, "entry_number"),
    ("milestone", milestones, "milestone_number"),
)


class Untold(Struct):
    """What the log says of a campaign above the position of its rows."""

    first: Position
    lines: int = 0


class Sums(Struct):
    """The sums of a campaign's stored entries: pledged and collected, and each of them by circle."""

    pledged_minor: int = 0
    collected_minor: int = 0
    circles: dict[str, tuple[int, int]] = {}

    def add(self, row: stored.Row) -> None:
        """Add a stored entry."""
        self.pledged_minor += row["pledged_minor"]
        self.collected_minor += row["collected_minor"]
        if row["circle"] is not None:
            pledged, collected = self.circles.get(row["circle"], (0, 0))
            self.circles[row["circle"]] = (pledged + row["pledged_minor"], collected + row["collected_minor"])


class LinesAudit:
    """Compares one partition's lines within one snapshot. `since`: events below it are not compared."""

    def __init__(
        self,
        connection: Connection,
        findings: Findings,
        partition: int,
        targets: Mapping[str, Position],
        *,
        only: str | None = None,
        since: int = 0,
    ) -> None:
        self._connection = connection
        self._findings = findings
        self._partition = partition
        self._targets = targets
        self._only = only
        self._since = since
        self.untold: dict[str, Untold] = {}
        self.sums: dict[str, Sums] = defaultdict(Sums)

    def compare(self, said: Said, settled: int, *, letters_settled: bool) -> None:
        """Compare what was said of a piece of the log with what is stored of it."""
        if said.start < self._since or said.start == said.end:
            # A question all the same: a database ends transactions that say nothing for long.
            stored.standing(self._connection, self._partition)
            return
        lines: tuple[dict[LinePlace, tuple[str, Any]], ...] = (said.entries, said.milestones)
        for (word, table, number), wanted in zip(_LINES, lines, strict=True):
            found = stored.lines(self._connection, table, number, self._events(said.start, said.end))
            self._compare(word, found, wanted, settled)
        self._findings.counts.entries += len(said.entries)
        self._findings.counts.milestones += len(said.milestones)
        self._compare_letters(said, settled, letters_settled=letters_settled)

    def beyond(self, end: int) -> None:
        """Look for lines of events that the database should not know of yet."""
        for word, table, _ in _LINES:
            number = stored.lines_beyond(self._connection, table, self._partition, end, self._only)
            if number:
                self._findings.add(
                    Difference(kind="unexpected", what=f"{number} rows of {table.name} ({word}) from {end} on")
                )

    def _compare(
        self,
        word: str,
        found: dict[LinePlace, stored.Row],
        wanted: dict[LinePlace, tuple[str, Entry | Milestone]],
        settled: int,
    ) -> None:
        for place, (campaign_id, line) in sorted(wanted.items()):
            row = found.pop(place, None)
            if Position(*place) > self._targets.get(campaign_id, BEFORE_EVERYTHING):
                if place[0] < settled:  # else the rows stand within this event, and the rest is still on its way
                    self._tell_untold(campaign_id, place)
                if row is not None:
                    self._add("unexpected", f"{word} above its campaign's position", campaign_id, place)
            elif row is None:
                self._add("missing", word, campaign_id, place)
            else:
                if word == "entry":
                    self.sums[row["campaign_id"]].add(row)
                for column, stored_value, value in differing(row, line_columns(campaign_id, line)):
                    self._add("differs", word, campaign_id, place, column, stored_value, value)
        for place, row in found.items():
            if word == "entry":
                self.sums[row["campaign_id"]].add(row)
            self._add("unexpected", word, row["campaign_id"], place)

    def _events(self, start: int, end: int) -> stored.Events:
        return stored.Events(self._partition, start, end, self._only)

    def _tell_untold(self, campaign_id: str, place: LinePlace) -> None:
        untold = self.untold.setdefault(campaign_id, Untold(Position(*place)))
        untold.first = min(untold.first, Position(*place))
        untold.lines += 1

    def _compare_letters(self, said: Said, settled: int, *, letters_settled: bool) -> None:
        end = min(said.end, settled)
        found = stored.letters(self._connection, LOG.name, self._events(said.start, end))
        self._findings.counts.dead_letters += len(said.refused)
        for offset, letter in said.refused.items():
            row = found.pop(offset, None)
            owner = letter.campaign_id
            if row is not None:
                wanted = {"reason": letter.reason, "key": letter.key, "value": letter.value}
                for column, stored_value, value in differing(row, wanted):
                    self._add("differs", "dead letter", owner, (offset, 0), column, stored_value, value)
            elif letters_settled:
                self._add("missing", f"dead letter ({letter.reason})", owner, (offset, 0))
            else:
                self._findings.note(f"partition {self._partition}: dead letters are still on their way")
        for offset, row in found.items():
            self._add("unexpected", f"dead letter ({row['reason']})", row["campaign_id"], (offset, 0))

    def _add(  # noqa: PLR0917 (a row's place, then what differs)
        self,
        kind: Any,
        what: str,
        campaign_id: str | None,
        place: LinePlace,
        column: str | None = None,
        database: Any = None,
        log: Any = None,
    ) -> None:
        offset, number = place
        named = what if what.startswith("dead letter") else f"{what} {offset}:{number}"
        self._findings.add(
            Difference(
                kind=kind,
                what=named,
                campaign_id=campaign_id,
                position=f"{self._partition}:{offset}",
                column=column,
                database=database,
                log=log,
            )
        )
