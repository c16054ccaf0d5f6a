"""Where things stand in the charts: places and sizes in percent of the chart's own width and height.

The charts have no view box: shapes stretch with the page, and their words keep their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

from readers.live.whole import WholeCampaign
from readers.page.languages import Language
from schemas.fields import CIRCLES, AnyCircle, GoalBasis
from schemas.money import exponent
from schemas.updates import MilestoneType
from schemas.zones import zone

COLUMNS_MAX: Final = 92
"""Most bars of the days' chart: three months, day by day. A longer campaign has bars of several days each."""

PLOT_TOP: Final = 20.0
PLOT_BOTTOM: Final = 88.0
"""Where the days' bars begin and end, in percent of the chart's height; above stand milestones, below dates."""

FLAG_ROWS: Final = 4
FLAG_TOP: Final = 2.5
FLAG_DISTANCE: Final = 4.5
"""Milestones of one day stand below each other, at most so many; further ones stand on the last."""

BAR_WIDTH: Final = 0.76
"""A bar's part of the place it has."""

BEYOND_GOAL: Final = 1.2
"""The bar of the whole campaign reaches at least this far, in goals, so that there is room beyond the goal's mark."""

STRETCH_SHOWN_MAX: Final = 2.0
"""A stretch goal further away than this, in goals or in what is there, has no mark: it would squeeze the rest."""

_NICE: Final = (1, 2, 5)
_LINES_MAX: Final = 4
_GOOD: Final = frozenset[MilestoneType](
    {
        "cercles.goal.reached",
        "cercles.goal.overfunded",
        "cercles.stretch_goal.reached",
        "cercles.campaign.succeeded",
    }
)
_BAD: Final = frozenset[MilestoneType]({"cercles.goal.lost", "cercles.circle.opened_early", "cercles.campaign.failed"})


def minor_of(amounts: object, basis: GoalBasis) -> int:
    """Return what counts toward the goal: the pledged or the collected amount."""
    amount: int = getattr(amounts, f"{basis}_minor")
    return amount


def tone(kind: MilestoneType) -> str:
    """Return whether a milestone is good news, bad news, or a step on the way."""
    return "good" if kind in _GOOD else "bad" if kind in _BAD else "step"


@dataclass(frozen=True, slots=True)
class ProgressChart:
    """The whole campaign as one bar: how far both amounts reach, and where the marks stand, in percent."""

    pledged: float
    collected: float
    goal: float
    stretch: tuple[float, ...]


def progress_chart(campaign: WholeCampaign) -> ProgressChart:
    """Return the bar of the whole campaign."""
    totals = campaign.totals
    reached_minor = max(totals.goal_minor, totals.pledged_minor)
    stretch = [
        goal.amount_minor
        for goal in campaign.terms.stretch_goals
        if goal.amount_minor <= reached_minor * STRETCH_SHOWN_MAX
    ]
    whole = max(totals.goal_minor * BEYOND_GOAL, totals.pledged_minor * 1.03, *(amount * 1.03 for amount in stretch))
    return ProgressChart(
        pledged=100 * max(totals.pledged_minor, 0) / whole,
        collected=100 * max(totals.collected_minor, 0) / whole,
        goal=100 * totals.goal_minor / whole,
        stretch=tuple(100 * amount / whole for amount in stretch),
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """A circle's part of a bar."""

    circle: AnyCircle
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One bar: a day, or several."""

    x: float
    width: float
    label: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line across the chart, at an amount."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A milestone on the time line. `y`: milestones of the same day stand below each other."""

    x: float
    y: float
    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A date below the chart."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class DaysChart:
    """Money over days, stacked by circle, with the milestones on the same time line."""

    days_per_column: int
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    flags: tuple[Flag, ...]
    ticks: tuple[Tick, ...]
    first: date
    last: date
    best: date
    best_minor: int


@dataclass(frozen=True, slots=True)
class _Scale:
    """The time line: days become columns."""

    first: date
    last: date
    days_per_column: int

    @property
    def columns(self) -> int:
        return ((self.last - self.first).days // self.days_per_column) + 1

    def column(self, day: date) -> int:
        return (min(max(day, self.first), self.last) - self.first).days // self.days_per_column

    def middle(self, column: int) -> float:
        return 100 * (column + 0.5) / self.columns


def days_chart(campaign: WholeCampaign, language: Language, labels: Sequence[str]) -> DaysChart | None:
    """Return the chart of the days; `labels` has the milestones' words. None when no day has anything."""
    basis, currency = campaign.terms.goal_basis, campaign.totals.currency
    if not any(minor_of(day, basis) > 0 for day in campaign.days):
        return None
    scale = _scale(campaign)
    by_column: list[dict[AnyCircle, int]] = [dict.fromkeys(CIRCLES, 0) for _ in range(scale.columns)]
    for day in campaign.days:
        for share in day.circles:
            by_column[scale.column(day.day)][share.circle] += minor_of(share, basis)
    step_minor, top_minor = _nice(max(sum(circles.values()) for circles in by_column), currency)
    height = PLOT_BOTTOM - PLOT_TOP
    best = max(campaign.days, key=lambda day: minor_of(day, basis))
    return DaysChart(
        days_per_column=scale.days_per_column,
        columns=tuple(
            Column(
                x=scale.middle(number) - 100 * BAR_WIDTH / scale.columns / 2,
                width=100 * BAR_WIDTH / scale.columns,
                label=_column_label(scale, number, sum(circles.values()), currency, language),
                segments=_stacked(circles, top_minor, height),
            )
            for number, circles in enumerate(by_column)
            if any(amount > 0 for amount in circles.values())
        ),
        lines=tuple(
            Line(y=PLOT_BOTTOM - height * amount / top_minor, label=language.money(amount, currency))
            for amount in range(step_minor, top_minor + 1, step_minor)
        ),
        flags=_flags(campaign, scale, labels),
        ticks=_ticks(scale, language),
        first=scale.first,
        last=scale.last,
        best=best.day,
        best_minor=minor_of(best, basis),
    )


def _scale(campaign: WholeCampaign) -> _Scale:
    """A campaign of up to three months is shown from its opening to its close, a longer one as far as it has come."""
    there = zone(campaign.terms.timezone)
    opens, closes = (moment.astimezone(there).date() for moment in (campaign.terms.opens_at, campaign.terms.closes_at))
    first, last = campaign.days[0].day, campaign.days[-1].day
    if (max(last, closes) - min(first, opens)).days < COLUMNS_MAX:
        first, last = min(first, opens), max(last, closes)
    return _Scale(first, last, (last - first).days // COLUMNS_MAX + 1)


def _column_label(scale: _Scale, number: int, amount_minor: int, currency: str, language: Language) -> str:
    begins = scale.first + timedelta(days=number * scale.days_per_column)
    ends = min(begins + timedelta(days=scale.days_per_column - 1), scale.last)
    days = language.day(begins) if begins == ends else f"{language.day(begins)} – {language.day(ends)}"
    return f"{days}: {language.money(amount_minor, currency)}"


def _stacked(circles: dict[AnyCircle, int], top_minor: int, height: float) -> tuple[Segment, ...]:
    amounts = [max(circles[circle], 0) for circle in CIRCLES]
    return tuple(
        Segment(circle, y=PLOT_BOTTOM - height * upto / top_minor, height=height * amount / top_minor)
        for circle, amount, upto in zip(CIRCLES, amounts, accumulate(amounts), strict=True)
        if amount
    )


def _nice(highest_minor: int, currency: str) -> tuple[int, int]:
    """Return the distance between lines, a round amount, and the amount at the top of the chart."""
    unit = 10 ** exponent(currency)
    steps = [nice * 10**power for power in range(20) for nice in _NICE]
    lines = [-(-highest_minor // step) for step in steps]
    step_minor = next(step for step, count in zip(steps, lines, strict=True) if count <= _LINES_MAX)
    step_minor = max(step_minor, unit) if highest_minor >= unit else step_minor
    return step_minor, -(-highest_minor // step_minor) * step_minor


def _flags(campaign: WholeCampaign, scale: _Scale, labels: Sequence[str]) -> tuple[Flag, ...]:
    there = zone(campaign.terms.timezone)
    places = [scale.column(one.occurred_at.astimezone(there).date()) for one in campaign.milestones]
    flags = []
    for number, (one, column, label) in enumerate(zip(campaign.milestones, places, labels, strict=True)):
        before = places[:number].count(column)
        flags.append(
            Flag(
                x=scale.middle(column),
                y=FLAG_TOP + FLAG_DISTANCE * min(before, FLAG_ROWS - 1),
                tone=tone(one.type),
                label=label,
            )
        )
    return tuple(flags)


def _ticks(scale: _Scale, language: Language) -> tuple[Tick, ...]:
    if scale.columns == 1:
        return (Tick(x=50.0, label=language.short_day(scale.first), anchor="middle"),)
    middle = scale.columns // 2
    between = scale.first + timedelta(days=middle * scale.days_per_column)
    return (
        Tick(x=0.0, label=language.short_day(scale.first), anchor="start"),
        Tick(x=scale.middle(middle), label=language.short_day(between), anchor="middle"),
        Tick(x=100.0, label=language.short_day(scale.last), anchor="end"),
    )
