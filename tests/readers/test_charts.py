"""The charts show the amounts: in proportion, stacked in the circles' order, however long the campaign is."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from readers.live.whole import WholeCampaign, read_whole
from readers.page.charts import (
    COLUMNS_MAX,
    PLOT_BOTTOM,
    PLOT_TOP,
    DaysChart,
    days_chart,
    progress_chart,
)
from readers.page.languages import ENGLISH
from readers.page.scene import scene
from tests.readers.stored import Line, Stored

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])

Told = Callable[..., WholeCampaign]


@pytest.fixture
def told(stored: Stored) -> Told:
    """Store a campaign with those lines, and return it as it is read."""

    def tell(*lines: Line, **terms: Any) -> WholeCampaign:
        stored.campaign(**terms)
        if lines:
            stored.entries(1, lines)
        with stored.engine.connect() as connection:
            return read_whole(connection, "film")

    return tell


def chart_of(campaign: WholeCampaign) -> DaysChart:
    """Return the chart of the days, which is there."""
    chart = days_chart(campaign, ENGLISH, [one.type for one in campaign.milestones])
    assert chart is not None
    return chart


def test_bars_are_stacked_in_proportion(told: Told) -> None:
    """From the ground up, friends first; the scale ends at a round amount above the highest bar."""
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    chart = chart_of(
        told(Line(30_000, "public", first), Line(10_000, "friends", first), Line(20_000, "public", second))
    )
    assert [[segment.circle for segment in column.segments] for column in chart.columns] == [
        ["friends", "public"],
        ["public"],
    ]
    per_unit = (PLOT_BOTTOM - PLOT_TOP) / 40_000
    bottom, top = chart.columns[0].segments
    assert bottom.y + bottom.height == pytest.approx(PLOT_BOTTOM)
    assert (bottom.height, top.height) == pytest.approx((10_000 * per_unit, 30_000 * per_unit))
    assert top.y + top.height == pytest.approx(bottom.y)
    assert [line.label.replace("\N{NO-BREAK SPACE}", " ") for line in chart.lines] == [
        "100 €",
        "200 €",
        "300 €",
        "400 €",
    ]
    assert (chart.best, chart.best_minor) == (first, 40_000)


def test_a_campaign_of_three_months_is_shown_from_its_opening_to_its_close(told: Told) -> None:
    """So that a glance tells how much time is left."""
    chart = chart_of(told(Line(100, "public", date(2026, 3, 1))))
    assert (chart.first, chart.last, chart.days_per_column) == (date(2026, 2, 1), date(2026, 4, 1), 1)
    assert len(chart.ticks) == 3


def test_a_long_campaign_has_bars_of_several_days(told: Told) -> None:
    """As far as it has come, and never more bars than there is room for."""
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(0, 700, 7)]
    chart = chart_of(
        told(
            *(Line(100, "public", day) for day in days),
            opens_at=datetime(2023, 1, 1, tzinfo=UTC),
            closes_at=datetime(2033, 1, 1, tzinfo=UTC),
        )
    )
    assert (chart.first, chart.last) == (days[0], days[-1])
    assert chart.days_per_column == 8
    assert len(chart.columns) <= COLUMNS_MAX
    assert all(0 <= column.x <= column.x + column.width <= 100 for column in chart.columns)


def test_one_day_alone_is_one_bar(told: Told) -> None:
    """A long campaign with its first pledge."""
    chart = chart_of(told(Line(1, "public", date(2026, 3, 1)), closes_at=datetime(2036, 1, 1, tzinfo=UTC)))
    assert (len(chart.columns), len(chart.ticks), len(chart.lines)) == (1, 1, 1)


def test_without_money_there_is_no_chart(told: Told) -> None:
    """Nothing pledged, or all of it taken back."""
    day = date(2026, 3, 1)
    assert days_chart(told(Line(100, "public", day), Line(-100, "public", day)), ENGLISH, []) is None


def test_a_goal_of_collected_money_is_measured_by_it(told: Told) -> None:
    """The figures on top, and the bars."""
    line = Line(50_000, "friends", date(2026, 3, 1), 20_000)
    campaign = told(line, goal_basis="collected", funding_model="keep_it_all")
    assert chart_of(campaign).best_minor == 20_000
    shown = scene(campaign, ENGLISH, datetime(2026, 3, 2, tzinfo=UTC))
    assert shown.total == ENGLISH.money(20_000, "EUR")


def test_a_currency_without_minor_units_has_round_lines(told: Told) -> None:
    """Yen, and the least of them."""
    chart = chart_of(told(Line(3, "public", date(2026, 3, 1)), currency="JPY", goal_minor=100))
    assert [line.label[0] for line in chart.lines] == ["1", "2", "3"]


def test_the_bar_of_the_campaign_has_room_beyond_the_goal(told: Told) -> None:
    """Far stretch goals have no mark, so that the rest is not squeezed."""
    goals = [
        {"stretch_goal_id": str(amount), "title": "More", "amount_minor": amount} for amount in (1_600_000, 9_000_000)
    ]
    campaign = told(Line(1_000_000, "friends", date(2026, 3, 1), 500_000), stretch_goals=goals)
    chart = progress_chart(campaign)
    assert chart.collected < chart.pledged < chart.goal < 100
    assert chart.pledged / chart.collected == pytest.approx(2)
    assert [chart.goal < mark < 100 for mark in chart.stretch] == [True]
    assert len(scene(campaign, ENGLISH, datetime(2026, 3, 2, tzinfo=UTC)).stretch) == 2


@pytest.mark.parametrize(
    ("now", "status", "told_at"),
    [
        (datetime(2026, 3, 1, tzinfo=UTC), "Open", "31 days left"),
        (datetime(2026, 3, 30, 12, tzinfo=UTC), "Open", "1 day left"),
        (datetime(2026, 3, 31, 12, tzinfo=UTC), "Open", "last day"),
        (datetime(2026, 4, 1, tzinfo=UTC), "Being settled", "Closed on 1 April 2026 at 02:00"),
    ],
)
def test_the_time_that_is_left_is_told(told: Told, now: datetime, status: str, told_at: str) -> None:
    """In whole days, then as the last one; after the close the campaign is being settled until it is closed."""
    shown = scene(told(), ENGLISH, now)
    assert shown.status == status
    assert shown.term.endswith(told_at)
