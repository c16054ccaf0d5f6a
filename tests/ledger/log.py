"""A partition's log and its fold, side by side: append an event, look at what it did."""

from datetime import date

from schemas.events import LogEvent
from schemas.updates import CircleTotals, DayTotals, Entry, Milestone, Pledge, Terms, Totals
from stream_processors.ledger.fold import apply
from stream_processors.ledger.outcome import Outcome
from stream_processors.ledger.state import Campaign, PartitionState
from stream_processors.refusals import RefusalReason
from tests.ledger.events import CAMPAIGN

Said = tuple[str, int | str | None]


class Log:
    """A log in memory, folded as it grows. The questions are about *Les Anges Anonymes* unless told otherwise."""

    def __init__(self, *events: LogEvent) -> None:
        self.state = PartitionState()
        self.events: list[LogEvent] = []
        self.outcomes: list[Outcome] = []
        for event in events:
            self.append(event)

    def append(self, event: LogEvent) -> Outcome:
        """Fold the event and return what came of it."""
        outcome = apply(self.state, event, len(self.events))
        self.events.append(event)
        self.outcomes.append(outcome)
        return outcome

    def refusal(self, event: LogEvent) -> RefusalReason | None:
        """Fold the event and return why it was refused, if it was."""
        refusal = self.append(event).refusal
        return None if refusal is None else refusal.reason

    def lines(self, event: LogEvent) -> list[tuple[str | None, str | None, int, int]]:
        """Fold the event and return its entries as pledge, circle, pledged and collected."""
        return [
            (entry.pledge_id, entry.circle, entry.pledged_minor, entry.collected_minor)
            for entry in self.append(event).entries
        ]

    def says(self, event: LogEvent) -> list[Said]:
        """Fold the event and return what it makes the ledger say, in short."""
        return [said(milestone) for milestone in self.append(event).milestones]

    @property
    def campaign(self) -> Campaign:
        return self.state.campaigns[CAMPAIGN]

    @property
    def totals(self) -> Totals:
        return self.campaign.totals()

    @property
    def both(self) -> tuple[int, int]:
        """The campaign's pledged and collected."""
        return self.totals.pledged_minor, self.totals.collected_minor

    @property
    def days(self) -> list[DayTotals]:
        return self.campaign.days()

    @property
    def terms(self) -> Terms:
        return self.campaign.terms()

    @property
    def entries(self) -> list[Entry]:
        return [entry for outcome in self.outcomes for entry in outcome.entries]

    @property
    def milestones(self) -> list[Milestone]:
        return [milestone for outcome in self.outcomes for milestone in outcome.milestones]

    @property
    def said(self) -> list[Said]:
        """Everything said so far, in short."""
        return [said(milestone) for milestone in self.milestones]

    def circle(self, name: str) -> CircleTotals:
        return next(circle for circle in self.totals.circles if circle.circle == name)

    def pledge(self, pledge_id: str) -> Pledge:
        return self.campaign.pledge(pledge_id)

    def both_of(self, pledge_id: str) -> tuple[int, int]:
        """A pledge's pledged and collected."""
        pledge = self.pledge(pledge_id)
        return pledge.pledged_minor, pledge.collected_minor

    def day_of(self, pledge_id: str) -> date | None:
        return self.pledge(pledge_id).day


def said(milestone: Milestone) -> Said:
    """Return the milestone's type without prefix, and its step, occurrence or stretch goal."""
    detail = milestone.step or milestone.occurrence or milestone.stretch_goal_id
    return milestone.type.removeprefix("cercles."), detail
