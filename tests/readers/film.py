"""The demo's film on a database, chapter by chapter, by the real ledger and the real sink; only Kafka is left out."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import Engine

from cercles.demo.story import PledgeFact, Repeat, ShareStep, Step, Story, VisitsStep, load, steps
from schemas.events import LogEvent, StretchGoal
from stream_processors.ledger.state import PartitionState
from tests.ledger.batches import fold
from tests.ledger.events import authorize, cancel, capture, fail, launch, promise, refund, share, visit
from tests.sinks.stories import FakePartition

TODAY: Final = date(2026, 3, 26)
PARTITION: Final = 3
SCORE: Final = StretchGoal(stretch_goal_id="score", title="An original score", amount_minor=1_800_000)


class Film:
    """*Les Anges Anonymes*, told to a database a chapter at a time."""

    def __init__(self, engine: Engine, today: date = TODAY) -> None:
        self.story: Story = load()
        self.campaign_id = self.story.campaign.id
        self._engine = engine
        self._today = today
        self._state = PartitionState()
        self._said = FakePartition(partition=PARTITION)

    def launch(self) -> None:
        """Open the campaign."""
        terms = self.story.campaign
        opens, closes = (self.story.moment(day, "00:00", self._today) for day in (terms.opens_day, terms.closes_day))
        self.tell(
            launch(
                campaign=self.campaign_id,
                at=opens - timedelta(days=1),
                title=terms.title,
                goal_minor=self.story.minor(terms.goal),
                opens_at=opens,
                closes_at=closes,
                funding_model=terms.funding_model,
                stretch_goals=[SCORE],
                sources=[_source(door) for door in terms.doors],
            )
        )

    def chapters(self) -> Iterator[int]:
        """Tell a chapter with each step; gives how many are told."""
        told: list[LogEvent] = []
        for step in steps(self.story, self._today):
            told.append(told[step.index] if isinstance(step, Repeat) else self._event(step))
        days = groupby(told, key=lambda event: event.time.date())
        for number, (_, events) in enumerate(days, 1):
            self.tell(*events)
            yield number

    def tell(self, *events: LogEvent) -> None:
        """Fold events in one batch, and store what the ledger says of them."""
        for _, update in fold(self._state, *events).updates:
            self._said.say_bytes(update)
        self._said.drain(self._engine)

    def _event(self, step: Step) -> LogEvent:
        campaign = self.campaign_id
        match step:
            case ShareStep(made_at=at, share=one):
                return share(
                    one.link,
                    parent=one.parent,
                    circle=one.circle,
                    sharer=one.sharer,
                    network=one.network,
                    at=at,
                    campaign=campaign,
                    source="admin",
                )
            case VisitsStep(made_at=at, visits=one):
                return visit(
                    one.link, one.visits, counter=one.counter, at=at, campaign=campaign, source=_source(one.door)
                )
            case PledgeFact():
                return _pledge(step, campaign)
            case Repeat():
                raise AssertionError("a repeat is no event of its own")


def _pledge(fact: PledgeFact, campaign: str) -> LogEvent:
    at, source, pledge, amount = fact.made_at, _source(fact.door), fact.pledge, fact.amount_minor
    match fact.kind:
        case "authorized" | "captured":
            say = authorize if fact.kind == "authorized" else capture
            return say(
                pledge,
                amount,
                at=at,
                campaign=campaign,
                source=source,
                currency=fact.currency,
                backer_id=fact.backer,
                share_token=fact.link,
            )
        case "refunded":
            status = fact.refund_status or "succeeded"
            return refund(pledge, amount, status, refund_id=fact.refund, at=at, campaign=campaign, source=source)
        case "amended":
            return promise(pledge, fact.revision or 1, amount, at=at, campaign=campaign, source=source)
        case "canceled":
            return cancel(pledge, at=at, campaign=campaign, source=source)
        case "failed":
            return fail(pledge, at=at, campaign=campaign, source=source)


def _source(door: str) -> str:
    return f"sources/{door}"
