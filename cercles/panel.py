"""The live panel: one campaign, its circles, percent and milestones, drawn from what the reader answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cercles.bars import Bar, Below, Flow
from readers.answers import Campaign, Milestone
from schemas.fields import AnyCircle
from schemas.money import format_amount
from schemas.updates import MilestoneType

BAR_PERCENT_MIN: Final = 120
"""The bar reaches at least this far, in percent of the goal, so that there is room beyond the goal's mark."""

MILESTONES_SHOWN_MAX: Final = 8
"""The last ones; more would push the addresses out of a short terminal."""

WIDTH_MAX: Final = 120
GOAL_STEP: Final = 100
SYMBOLS: Final = {"EUR": "€", "GBP": "£", "USD": "$"}
CIRCLE_STYLES: Final[dict[AnyCircle, str]] = {
    "friends": "magenta",
    "friends_of_friends": "cyan",
    "public": "blue",
    "unattributed": "bright_black",
}
_SPACE: Final = "\N{NO-BREAK SPACE}"
_QUIET: Final = "bright_black"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How far events have come. What nobody has counted is None and is not shown.

    `stored`: events of the log that the database takes account of. `sent`: those that a door has accepted; each of them
    becomes one of the next three. `lag`: those that have not yet.
    """

    stored: int
    sent: int | None = None
    applied: int | None = None
    unchanged: int | None = None
    dead_letters: int | None = None
    lag: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that the panel shows. `caption` takes the place of the deadline at its lower edge.

    `milestones_before` counts those before `milestones`. `began` has, for each partition, the last offset that was
    stored when somebody began to watch: a milestone up to there is no news.
    """

    campaign: Campaign | None
    milestones: tuple[Milestone, ...] = ()
    pipeline: Pipeline | None = None
    more_campaigns: int = 0
    addresses: dict[str, str] = field(default_factory=dict)
    caption: str = ""
    milestones_before: int = 0
    began: Mapping[int, int] = field(default_factory=dict)

    def is_news(self, position: str) -> bool:
        """Whether what stands at that position was stored while somebody watched."""
        partition, offset = map(int, position.split(":"))
        return offset > self.began.get(partition, -1)


def money(amount_minor: int, currency: str) -> str:
    """Return an amount for people, in words that don't break: 1723000 EUR is `17 230 €`, 12345 is `123.45 €`."""
    major, point, minor = format_amount(amount_minor, currency).partition(".")
    grouped = f"{int(major):,}".replace(",", _SPACE)
    cents = point + minor if minor.strip("0") else ""
    return f"{grouped}{cents}{_SPACE}{SYMBOLS.get(currency, currency)}"


def milestone_words(milestone: Milestone) -> str:
    """Return what a milestone says, in words."""
    again = "" if milestone.occurrence in (None, 1) else " again"
    words: dict[MilestoneType, str] = {
        "cercles.milestone.passed": f"{milestone.step} %",
        "cercles.goal.reached": f"goal reached{again}",
        "cercles.goal.lost": f"goal lost{again}",
        # The first step says that the goal is exceeded at all, by however little.
        "cercles.goal.overfunded": "above the goal"
        if milestone.step == GOAL_STEP
        else f"{milestone.step} % of the goal",
        "cercles.stretch_goal.reached": f"stretch goal {milestone.stretch_goal_id}",
        "cercles.circle.opened_early": f"{milestone.circle} opened before {milestone.narrower_circle} had carried "
        f"{milestone.step} % of the goal",
        "cercles.campaign.succeeded": "succeeded",
        "cercles.campaign.failed": "failed",
    }
    return words[milestone.type]


def backers_note(campaign: Campaign) -> str | None:
    """Return why the circles' backers add up to more than the campaign's; None when they don't."""
    together = sum(circle.backers for circle in campaign.circles)
    return "a backer in two circles counts in each" if together > campaign.totals.backers else None


def render(scene: Scene, now: datetime | None = None) -> RenderableType:
    """Return the panel. It fits terminals of 80 columns and uses at most 120."""
    campaign = scene.campaign
    body = [Text("no campaign yet", style=_QUIET)] if campaign is None else _campaign(campaign, scene)
    foot = Table.grid(padding=(0, 2))
    for name, address in scene.addresses.items():
        foot.add_row(Text(name, style=_QUIET), Text(address, style=_QUIET, overflow="fold"))
    panel = Panel(
        Group(*body, Text(), _pipeline(scene.pipeline), foot),
        title=Text("Cercles" if campaign is None else campaign.terms.title, style="bold default"),
        title_align="left",
        subtitle=Text(_subtitle(scene, now or datetime.now(UTC)), style=_QUIET),
        subtitle_align="right",
        box=ROUNDED,
        border_style=_QUIET,
        padding=(1, 2),
    )
    return Constrain(panel, WIDTH_MAX)


def _campaign(campaign: Campaign, scene: Scene) -> list[RenderableType]:
    totals, goal_minor = campaign.totals, campaign.totals.goal_minor
    total_minor = totals.pledged_minor if campaign.terms.goal_basis == "pledged" else totals.collected_minor
    reached = total_minor >= goal_minor
    head = Table.grid(expand=True)
    for justify in ("left", "center", "right"):
        head.add_column(justify=justify, ratio=1)
    head.add_row(
        Text.assemble(
            (money(totals.pledged_minor, totals.currency), "bold"),
            (f" of {money(goal_minor, totals.currency)}", _QUIET),
        ),
        Text(f"{totals.percent} %", style="bold green" if reached else "bold"),
        _backers(totals.backers),
    )
    whole_minor = max(goal_minor * BAR_PERCENT_MIN // 100, total_minor)
    collected = Text(f"{money(totals.collected_minor, totals.currency)} collected", style=_QUIET)
    return [
        head,
        Bar(total_minor, whole_minor, "green" if reached else "bold cyan", mark=goal_minor),
        Below(collected, Text("goal", style="yellow"), goal_minor, whole_minor),
        Text(),
        _circles(campaign),
        Text(backers_note(campaign) or "", style=_QUIET, justify="right"),
        _milestones(campaign, scene),
    ]


def _circles(campaign: Campaign) -> RenderableType:
    table = Table.grid(expand=True, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    # On one scale with the goal, so that a person sees the circles fill.
    whole_minor = max(campaign.totals.goal_minor // 2, *(circle.pledged_minor for circle in campaign.circles), 1)
    for circle in campaign.circles:
        style = CIRCLE_STYLES[circle.circle]
        table.add_row(
            Text(circle.circle.replace("_", " "), style=style),
            Bar(circle.pledged_minor, whole_minor, style),
            money(circle.pledged_minor, campaign.totals.currency),
            _backers(circle.backers),
        )
    return table


def _backers(count: int) -> Text:
    return Text(f"{count} {'backer' if count == 1 else 'backers'}", style=_QUIET)


def _milestones(campaign: Campaign, scene: Scene) -> RenderableType:
    pieces = []
    for milestone in scene.milestones:
        bad = milestone.type in ("cercles.goal.lost", "cercles.campaign.failed")
        sign, style = ("✗", "red") if bad else ("✓", "green")
        amount = money(milestone.total_minor, campaign.totals.currency)
        pieces.append(Text.assemble((f"{sign} {milestone_words(milestone)} ", style), (amount, _QUIET)))
    before = scene.milestones_before + max(0, len(pieces) - MILESTONES_SHOWN_MAX)
    earlier = [Text(f"… and {before} before", style=_QUIET)] if before else []
    return Flow([*earlier, *pieces[-MILESTONES_SHOWN_MAX:]] or [Text("no milestone yet", style=_QUIET)])


def _pipeline(counted: Pipeline | None) -> RenderableType:
    if counted is None:
        return Text()
    counts = {
        "sent": counted.sent,
        "applied": counted.applied,
        "unchanged": counted.unchanged,
        "dead letters": counted.dead_letters,
        "stored": counted.stored if counted.sent is None else None,
        "lag": counted.lag,
    }
    pieces = [Text("events", style=_QUIET)]
    for name, count in counts.items():
        if count is not None:
            style = "bold yellow" if name == "dead letters" and count else "bold"
            pieces.append(Text.assemble((str(count), style), (f" {name}", _QUIET)))
    return Flow(pieces)


def _subtitle(scene: Scene, now: datetime) -> str:
    if scene.caption or scene.campaign is None:
        return scene.caption
    campaign = scene.campaign
    more = f", and {scene.more_campaigns} more" if scene.more_campaigns else ""
    if campaign.status != "open":
        return campaign.status + more
    days = (campaign.terms.closes_at - now).days
    return f"open, closes in {days} days{more}" if days > 0 else f"open, closes soon{more}"
