"""What applying one event came to."""

from dataclasses import dataclass, field

from schemas.updates import Entry, Milestone
from stream_processors.refusals import RefusalReason


class Refusal(Exception):  # noqa: N818 (a refusal is a named result, not an error of the program)
    """The event is not applied, and nothing has changed. It becomes a dead letter.

    Raised inside the fold before anything is changed; `apply` and `fold_batch` hand it on as a value.
    """

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: RefusalReason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one event changed; no entries and no refusal mean that it was known already or has no effect."""

    entries: list[Entry] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    refusal: Refusal | None = None
