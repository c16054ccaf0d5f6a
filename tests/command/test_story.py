"""The demo's story: what it says must come out follows from its own steps, computed here from the bare file."""

import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cercles.demo.letters import launch_letter, pledge_letter, share_letter, visits_letter
from cercles.demo.story import LES_ANGES_ANONYMES, PledgeFact, Repeat, ShareStep, StoryError, load, steps
from schemas.events import Decoding, PledgeEvent, ShareEvent
from schemas.strictness import first_fault

STORY = tomllib.loads(LES_ANGES_ANONYMES.read_text(encoding="utf-8"))
EXPECTED = STORY["expected"]
CIRCLES = ["friends", "friends_of_friends", "public"]
GOAL = Decimal(STORY["campaign"]["goal"])


@dataclass
class Pledge:
    """A pledge in plain arithmetic: promised, paid, given back."""

    backer: str
    link: str | None
    promised: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    amended: Decimal | None = None
    canceled: bool = False
    refunds: dict[str, Decimal] = field(default_factory=dict)

    def pledged(self) -> Decimal:
        promised = self.promised if self.amended is None else self.amended
        if self.canceled or self.paid:
            promised = Decimal(0)
        return max(promised, self.paid) - sum(self.refunds.values())

    def collected(self) -> Decimal:
        return max(Decimal(0), self.paid - sum(self.refunds.values()))


class Telling:
    """The story's steps, added up one by one."""

    def __init__(self) -> None:
        self.pledges: dict[str, Pledge] = {}
        self.parents: dict[str, str | None] = {}
        self.sharers: dict[str, str] = {}
        self.totals: list[Decimal] = []
        self.sent = 1  # the launch
        self.unchanged = 0
        self.refused: dict[str, int] = defaultdict(int)
        self._first: dict[str, dict[str, Any]] = {}
        for chapter in STORY["chapters"]:
            for step in chapter["steps"]:
                self.sent += 1
                self._take(step)
                self.totals.append(sum((pledge.pledged() for pledge in self.pledges.values()), Decimal(0)))

    def _take(self, step: dict[str, Any]) -> None:
        if step["what"] == "again":
            self.unchanged += 1
        elif step["what"] == "share":
            self.parents[step["link"]], self.sharers[step["link"]] = step.get("parent"), step["sharer"]
        elif step["what"] != "visits":
            self._take_pledge(self._first.setdefault(step["pledge"], step) | step)

    def _take_pledge(self, step: dict[str, Any]) -> None:
        if step["door"] not in STORY["campaign"]["doors"]:
            self.refused["source_not_allowed"] += 1
            return
        if step.get("currency", "EUR") != "EUR":
            self.refused["currency_mismatch"] += 1
            return
        pledge = self.pledges.setdefault(step["pledge"], Pledge(step["backer"], step.get("link")))
        amount = Decimal(step["amount"])
        if step["what"] == "refunded":
            if pledge.refunds.setdefault(step["refund"], amount) != amount:
                self.refused["conflicting_duplicate"] += 1
        elif step["what"] == "authorized":
            pledge.promised = max(pledge.promised, amount)
        elif step["what"] == "captured":
            pledge.paid = max(pledge.paid, amount)
        elif step["what"] == "amended":
            pledge.amended = amount
        elif step["what"] == "canceled":
            pledge.canceled = True

    def circle(self, pledge: Pledge) -> str:
        link = pledge.link
        if link is None or link not in self.parents or self.sharers[link] == pledge.backer:
            return "unattributed"
        width = 0
        while (parent := self.parents[link]) is not None:
            link, width = parent, width + 1
        return CIRCLES[min(width, 2)]


@pytest.fixture(scope="module")
def telling() -> Telling:
    return Telling()


def test_the_film_raised_17_230_of_15_000(telling: Telling) -> None:
    """To the cent; and what is collected is what the story says."""
    assert telling.totals[-1] == Decimal(EXPECTED["pledged"]) == Decimal("17230.00")
    assert Decimal("15000.00") == GOAL
    assert sum(pledge.collected() for pledge in telling.pledges.values()) == Decimal(EXPECTED["collected"])
    assert int(telling.totals[-1] * 100 / GOAL + Decimal("0.5")) == EXPECTED["percent"] == 115


def test_every_circle_has_its_sums_and_backers(telling: Telling) -> None:
    """Money adds up over the circles; backers are distinct in each and in the whole."""
    for name, circle in EXPECTED["circles"].items():
        inside = [pledge for pledge in telling.pledges.values() if telling.circle(pledge) == name]
        assert sum(pledge.pledged() for pledge in inside) == Decimal(circle["pledged"])
        assert sum(pledge.collected() for pledge in inside) == Decimal(circle["collected"])
        assert len({pledge.backer for pledge in inside if pledge.pledged()}) == circle["backers"]
    everybody = {pledge.backer for pledge in telling.pledges.values() if pledge.pledged()}
    assert len(everybody) == EXPECTED["backers"]
    assert sum(Decimal(circle["pledged"]) for circle in EXPECTED["circles"].values()) == Decimal("17230.00")


def test_milestones_follow_from_the_running_total(telling: Telling) -> None:
    """Each is said at the step that crosses it, once; only the goal is lost and reached again."""
    said: list[tuple[str, int, Decimal]] = []
    thresholds = [("milestone.passed", step, GOAL * step / 100) for step in (25, 50, 75)]
    thresholds += [("goal.overfunded", 100, GOAL + Decimal("0.01"))]
    thresholds += [("goal.overfunded", step, GOAL * step / 100) for step in (105, 110, 115)]
    occurrence, reached = 0, False
    for total in telling.totals:
        for kind, step, threshold in [one for one in thresholds if one[0] == "milestone.passed"]:
            if total >= threshold and (kind, step) not in {one[:2] for one in said}:
                said.append((kind, step, total))
        if total >= GOAL and not reached:
            occurrence, reached = occurrence + 1, True
            said.append(("goal.reached", occurrence, total))
        for kind, step, threshold in [one for one in thresholds if one[0] == "goal.overfunded"]:
            if total >= threshold and (kind, step) not in {one[:2] for one in said}:
                said.append((kind, step, total))
        if total < GOAL and reached:
            reached = False
            said.append(("goal.lost", occurrence, total))
    assert [
        (one["type"].removeprefix("cercles."), one.get("step") or one["occurrence"], Decimal(one["total"]))
        for one in EXPECTED["milestones"]
    ] == said


def test_every_sent_event_is_applied_unchanged_or_refused(telling: Telling) -> None:
    """The three add up to what was sent, and the refusals have the reasons that the story names."""
    events = EXPECTED["events"]
    assert events["sent"] == telling.sent
    assert events["unchanged"] == telling.unchanged
    assert telling.refused == EXPECTED["dead_letters"]
    assert events["dead_letters"] == sum(telling.refused.values())
    assert events["sent"] == events["applied"] + events["unchanged"] + events["dead_letters"]


def test_disorder_and_every_kind_of_step_are_in_it() -> None:
    """A capture before its authorization, a share after its pledges, a refund, a cancellation, a failure, a change."""
    told = steps(load(), date(2026, 3, 1))
    facts = [step for step in told if isinstance(step, PledgeFact)]
    assert {fact.kind for fact in facts} == {"authorized", "captured", "canceled", "failed", "amended", "refunded"}
    assert {fact.door for fact in facts} == {"stripe", "box-office", "old-shop"}
    captured = [fact.pledge for fact in facts if fact.kind == "captured"]
    first_kind = {fact.pledge: fact.kind for fact in reversed(facts)}
    late = [fact for fact in facts if fact.kind == "authorized" and first_kind[fact.pledge] == "captured"]
    assert late
    assert all(fact.pledge in captured for fact in late)
    [blog] = [index for index, step in enumerate(told) if isinstance(step, ShareStep) and step.share.network == "blog"]
    assert any(isinstance(step, PledgeFact) and step.link == "b-054-blog" for step in told[:blog])
    assert sum(isinstance(step, Repeat) for step in told) == 2


def test_every_signed_letter_is_an_event_that_the_door_takes() -> None:
    """What the story sends to a source's door decodes strictly, and its times are none of the future."""
    story, now = load(), datetime.now(UTC)
    checked = 0
    for step in steps(story, now.date()):
        if isinstance(step, Repeat):
            continue
        letter = (
            share_letter(story, step, {})
            if isinstance(step, ShareStep)
            else pledge_letter(story, step, {})
            if isinstance(step, PledgeFact)
            else visits_letter(story, step, {})
        )
        if letter.scheme == "standard":
            event: PledgeEvent | ShareEvent = Decoding.door.decode(letter.body)
            assert first_fault(event, now) is None
            checked += 1
    assert checked > 50


def test_the_campaign_is_open_on_the_day_of_the_run() -> None:
    """Its deadline is ahead, and every pledge of the story is made before it."""
    story = load()
    today = date(2026, 3, 29)  # a day on which clocks change in Paris
    opens_at, closes_at = story.moment(-25, "00:00", today), story.moment(6, "23:59", today)
    terms = msgspec.json.decode(launch_letter(story, opens_at, closes_at).body)
    assert terms["goal_minor"] == 1_500_000
    made = [step.made_at for step in steps(story, today) if isinstance(step, PledgeFact)]
    assert opens_at < min(made)
    assert max(made) < closes_at


def test_a_misspelt_story_is_refused_with_its_place(tmp_path: Path) -> None:
    """Nobody shall look for a missing pledge that a typing error has hidden."""
    path = tmp_path / "story.toml"
    path.write_text(LES_ANGES_ANONYMES.read_text(encoding="utf-8").replace('what = "amended"', 'what = "emended"'))
    with pytest.raises(StoryError, match="emended"):
        load(path)
