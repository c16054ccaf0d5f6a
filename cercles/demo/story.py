"""The demo's story: a data file that a person can read, checked strictly while it is loaded."""

import tomllib
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from schemas.fields import AnyCircle, Circle, FundingModel, RefundStatus
from schemas.money import parse_amount
from schemas.zones import zone

LES_ANGES_ANONYMES: Final = Path(__file__).with_name("les_anges_anonymes.toml")

ADMIN: Final = "admin"
STRIPE: Final = "stripe"
"""Doors that are not a source's own; every other name is a source that signs CloudEvents."""


class StoryError(ValueError):
    """The story contradicts itself; the message says where."""


class Line(Struct, frozen=True, kw_only=True, tag_field="what", forbid_unknown_fields=True):
    """One thing that happens. `at` is a time of the chapter's day; `name` lets a later step say it again."""

    at: str
    name: str | None = None


class Share(Line, frozen=True, kw_only=True, tag="share"):
    door: str
    link: str
    sharer: str
    network: str
    parent: str | None = None
    circle: Circle | None = None


class Visits(Line, frozen=True, kw_only=True, tag="visits"):
    door: str
    link: str
    counter: str
    visits: int


class PledgeLine(Line, frozen=True, kw_only=True):
    """What a pledge's later steps leave out, they have from its first."""

    pledge: str
    door: str | None = None
    backer: str | None = None
    link: str | None = None
    amount: str | None = None
    currency: str | None = None


class Authorized(PledgeLine, frozen=True, kw_only=True, tag="authorized"):
    pass


class Captured(PledgeLine, frozen=True, kw_only=True, tag="captured"):
    pass


class Canceled(PledgeLine, frozen=True, kw_only=True, tag="canceled"):
    pass


class Failed(PledgeLine, frozen=True, kw_only=True, tag="failed"):
    pass


class Amended(PledgeLine, frozen=True, kw_only=True, tag="amended"):
    revision: int


class Refunded(PledgeLine, frozen=True, kw_only=True, tag="refunded"):
    refund: str
    status: RefundStatus = "pending"


class Again(Line, frozen=True, kw_only=True, tag="again"):
    of: str


AnyLine = Share | Visits | Authorized | Captured | Canceled | Failed | Amended | Refunded | Again


class Chapter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One day of the story; `day` counts from the day of the run."""

    day: int
    title: str
    steps: list[AnyLine]


class Campaign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    title: str
    owner: str
    currency: str
    goal: str
    opens_day: int
    closes_day: int
    timezone: str
    funding_model: FundingModel
    doors: list[str]


class ExpectedCircle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pledged: str
    collected: str
    backers: int


class ExpectedMilestone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    type: str
    total: str
    step: int | None = None
    occurrence: int | None = None


class ExpectedEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every event that a door took is one of the three others.

    `applied`: it has ledger entries. `unchanged`: it was known already. `dead_letters`: it was refused, with a reason.
    """

    sent: int
    applied: int
    unchanged: int
    dead_letters: int


class Expected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pledged: str
    collected: str
    percent: int
    backers: int
    circles: dict[AnyCircle, ExpectedCircle]
    milestones: list[ExpectedMilestone]
    dead_letters: dict[str, int]
    events: ExpectedEvents


class Story(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    campaign: Campaign
    expected: Expected
    chapters: list[Chapter]

    def minor(self, amount: str) -> int:
        """Return an amount of the campaign's currency in minor units."""
        return parse_amount(amount, self.campaign.currency)

    def moment(self, day: int, at: str, today: date) -> datetime:
        """Return the moment of a step: a day counted from today, a time of day in the campaign's zone."""
        return datetime.combine(today + timedelta(days=day), time.fromisoformat(at), zone(self.campaign.timezone))


FactKind = Literal["authorized", "captured", "canceled", "failed", "amended", "refunded"]


class PledgeFact(Struct, frozen=True, kw_only=True):
    """A step of a pledge with everything that its first step said filled in."""

    kind: FactKind
    made_at: datetime
    first_at: datetime
    pledge: str
    door: str
    backer: str | None
    link: str | None
    amount_minor: int
    currency: str
    refund: str | None = None
    refund_status: RefundStatus | None = None
    revision: int | None = None


class ShareStep(Struct, frozen=True, kw_only=True):
    made_at: datetime
    share: Share


class VisitsStep(Struct, frozen=True, kw_only=True):
    made_at: datetime
    visits: Visits


class Repeat(Struct, frozen=True, kw_only=True):
    """The step at this place of the list arrives a second time, byte for byte."""

    index: int


Step = PledgeFact | ShareStep | VisitsStep | Repeat


def load(path: Path = LES_ANGES_ANONYMES) -> Story:
    """Return the story of that file. Raises StoryError naming what is wrong in it."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Story)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise StoryError(f"{path}: {error}") from error


def steps(story: Story, today: date) -> list[Step]:
    """Return everything that happens, in the story's order. Raises StoryError for a step that can't be understood."""
    told: list[Step] = []
    named: dict[str, int] = {}
    first: dict[str, PledgeFact] = {}
    for chapter in story.chapters:
        for line in chapter.steps:
            if line.name is not None:
                named[line.name] = len(told)
            told.append(_step(story, line, story.moment(chapter.day, line.at, today), named, first))
    return told


def _step(story: Story, line: AnyLine, moment: datetime, named: dict[str, int], first: dict[str, PledgeFact]) -> Step:
    match line:
        case Share():
            return ShareStep(made_at=moment, share=line)
        case Visits():
            return VisitsStep(made_at=moment, visits=line)
        case Again():
            if line.of not in named:
                raise StoryError(f"nothing before {line.at} is named {line.of!r}")
            return Repeat(index=named[line.of])
        case _:
            fact = _fact(story, line, moment, first.get(line.pledge))
            first.setdefault(line.pledge, fact)
            return fact


def _fact(story: Story, line: PledgeLine, moment: datetime, first: PledgeFact | None) -> PledgeFact:
    door = line.door or (first.door if first else None)
    if door is None:
        raise StoryError(f"the first step of {line.pledge} names no door")
    currency = line.currency or (first.currency if first else story.campaign.currency)
    if line.amount is not None:
        amount_minor = parse_amount(line.amount, currency)
    elif first is not None:
        amount_minor = first.amount_minor
    else:
        raise StoryError(f"the first step of {line.pledge} names no amount")
    return PledgeFact(
        kind=_KINDS[type(line)],
        made_at=moment,
        first_at=first.first_at if first else moment,
        pledge=line.pledge,
        door=door,
        backer=line.backer or (first.backer if first else None),
        link=line.link or (first.link if first else None),
        amount_minor=amount_minor,
        currency=currency,
        refund=line.refund if isinstance(line, Refunded) else None,
        refund_status=line.status if isinstance(line, Refunded) else None,
        revision=line.revision if isinstance(line, Amended) else None,
    )


_KINDS: Final[dict[type[PledgeLine], FactKind]] = {
    Authorized: "authorized",
    Captured: "captured",
    Canceled: "canceled",
    Failed: "failed",
    Amended: "amended",
    Refunded: "refunded",
}
