"""What an audit found: differences with their places, notes, and how much was looked at."""

from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec import Struct

DIFFERENCES_NAMED_MAX: Final = 10_000
"""Most differences that are named; further ones are counted."""

SHOWN_LENGTH_MAX: Final = 200
"""Longest value that is shown in words; JSON has it whole."""

NOTES_MAX: Final = 1_000

Kind = Literal["missing", "unexpected", "differs", "gap", "behind", "ahead", "sum", "payment_in_two_campaigns"]
"""`missing`: the log says it, the database does not have it. `unexpected`: the other way round. `gap`: a campaign that
a sink has marked. `behind`, `ahead`: a campaign stands where the log does not put it. `sum`: a total is not the sum of
its entries."""


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is not the same in the database and by the log."""

    kind: Kind
    what: str
    """The row in words, with its key."""
    campaign_id: str | None = None
    position: str | None = None
    """`partition:offset` of the event, where it is about one."""
    column: str | None = None
    database: Any = None
    log: Any = None

    def __str__(self) -> str:
        where = "" if self.campaign_id is None else f"campaign {self.campaign_id}: "
        at = "" if self.position is None else f" (event {self.position})"
        if self.column is not None:
            database, log = _shown(self.database), _shown(self.log)
            return f"{where}{self.what}{at}: {self.column} is {database} in the database, {log} by the log"
        return f"{self.kind}: {where}{self.what}{at}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}… ({len(text)} characters)"


class Counts(Struct, kw_only=True):
    """How much was compared."""

    partitions: int = 0
    events: int = 0
    campaigns: int = 0
    entries: int = 0
    milestones: int = 0
    pledges: int = 0
    dead_letters: int = 0


class Report(Struct, kw_only=True):
    """The outcome of an audit. `equal` once there is no difference."""

    fold_version: str
    counts: Counts
    differences_total: int = 0
    differences: list[Difference] = []
    notes: list[str] = []
    waiting_events: int = 0
    """Records of the log above those positions: no sink has told the database of them yet, so they are not compared."""
    positions: dict[str, int] = {}
    """By partition: the offset below which the log was held against the database."""

    @property
    def equal(self) -> bool:
        """Whether database and log say the same."""
        return self.differences_total == 0


class Findings:
    """Takes down what is found, and shows each difference when it is found."""

    def __init__(self, fold_version: str, show: Callable[[Difference], None] | None = None) -> None:
        self.report = Report(fold_version=fold_version, counts=Counts())
        self._show = show

    @property
    def counts(self) -> Counts:
        return self.report.counts

    def add(self, difference: Difference) -> None:
        """Take down a difference; beyond `DIFFERENCES_NAMED_MAX` only its number."""
        self.report.differences_total += 1
        if len(self.report.differences) < DIFFERENCES_NAMED_MAX:
            self.report.differences.append(difference)
            if self._show is not None:
                self._show(difference)

    def note(self, words: str) -> None:
        """Take down what is no difference, but a reader must know."""
        if len(self.report.notes) < NOTES_MAX and words not in self.report.notes:
            self.report.notes.append(words)
