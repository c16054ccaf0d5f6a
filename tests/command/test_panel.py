"""The live panel, drawn into a recording console."""

import io
from dataclasses import replace

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from cercles.display import Display
from cercles.panel import MILESTONES_SHOWN_MAX, Pipeline, Scene, money, render
from tests.command.scenes import MILESTONES, NOW, a_campaign, a_circle, a_milestone

FULL = Scene(
    a_campaign(),
    MILESTONES,
    Pipeline(stored=271, sent=270, applied=265, unchanged=2, dead_letters=3, lag=0),
    addresses={"write": "http://127.0.0.1:20001", "metrics": "http://127.0.0.1:20003/metrics"},
)


def drawn(scene: Scene, width: int = 80, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    console = Console(width=width, record=True, force_terminal=True, file=file, legacy_windows=False)
    console.print(render(scene, NOW))
    return console.export_text().replace("\N{NO-BREAK SPACE}", " ").splitlines()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_it_has_everything_in_it_and_fits(width: int) -> None:
    """Amounts, percent, backers, circles, milestones, counts and addresses, in lines of the terminal's width."""
    lines = drawn(FULL, width)
    text = "\n".join(lines)
    for words in (
        "Les Anges Anonymes",
        "17 230 € of 15 000 €",
        "115 %",
        "183 backers",
        "friends of friends",
        "64 backers",
        "✓ 75 % 11 250 €",
        "✗ goal lost 14 800 €",
        "✓ goal reached again 15 005 €",
        "✓ 110 % of the goal 16 510 €",
        "✓ above the goal 15 005 €",
        "… and 1 before",
        "270 sent   265 applied   2 unchanged   3 dead letters   0 lag",
        "http://127.0.0.1:20003/metrics",
        "open, closes in 6 days",
    ):
        assert words in text
    assert {cell_len(line) for line in lines} == {width}
    assert len(lines) <= 24


def test_it_is_never_wider_than_people_can_read() -> None:
    """On a wide terminal it stays 120 columns."""
    assert max(map(cell_len, drawn(FULL, 200))) == 120


def test_the_mark_of_the_goal_stands_where_the_goal_is() -> None:
    """Below it the bar has not passed the mark; above it, it has."""
    below = next(line for line in drawn(Scene(a_campaign(820_000, 54))) if "┃" in line)
    above = next(line for line in drawn(FULL) if "┃" in line)
    assert below.index("┃") == pytest.approx(3 + 74 * 100 / 120, abs=1)
    assert "█" not in below[below.index("┃") :]
    assert above[above.index("┃") + 1] == "█"


def test_the_bar_grows_with_what_is_beyond_the_goal() -> None:
    """Ten times the goal still fits, and the mark is still on it."""
    line = next(line for line in drawn(Scene(a_campaign(15_000_000, 1000))) if "┃" in line)
    assert line.count("█") == 73


def test_without_a_campaign_it_says_so() -> None:
    """Before anything is launched there is a panel too."""
    assert any("no campaign yet" in line for line in drawn(Scene(None, pipeline=Pipeline(stored=0))))


def test_a_terminal_that_knows_only_ascii_gets_ascii_bars() -> None:
    """No character of the bars is outside ASCII then."""
    lines = drawn(Scene(a_campaign()), encoding="ascii")
    assert any("####" in line and "|" in line for line in lines)
    assert not any("█" in line or "┃" in line for line in lines)


def test_amounts_are_written_for_people() -> None:
    """Grouped, with the currency's own digits where there are cents, and never broken over two lines."""
    assert money(1_723_000, "EUR").split() == ["17", "230", "€"]
    assert money(12_345, "EUR") == "123.45\N{NO-BREAK SPACE}€"
    assert money(5_000, "JPY").split() == ["5", "000", "JPY"]
    assert money(1_500, "TND") == "1.500\N{NO-BREAK SPACE}TND"


def test_without_a_terminal_each_news_is_one_line() -> None:
    """A milestone is written once, a percentage every ten points; nothing is drawn over."""
    file = io.StringIO()
    display = Display(Console(file=file, width=200))
    for scene in (Scene(a_campaign(820_000, 54), MILESTONES[:2]), Scene(a_campaign(830_000, 55), MILESTONES[:2]), FULL):
        display.show(scene)
    lines = file.getvalue().replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines.count("Les Anges Anonymes: 25 %, at 3 750 €") == 1
    assert sum("backers" in line for line in lines) == 2
    assert "Les Anges Anonymes: goal reached again, at 15 005 €" in lines


def test_without_a_terminal_only_news_are_written() -> None:
    """What was stored before somebody began to watch is not said again; what comes after it is."""
    file = io.StringIO()
    display = Display(Console(file=file, width=200))
    campaign = a_campaign()
    display.show(Scene(campaign, MILESTONES[:4], began={0: 1000}))
    assert file.getvalue() == ""
    later = msgspec.structs.replace(campaign, as_of="0:1001")
    new = a_milestone("cercles.goal.lost", 1_480_000, occurrence=1, offset=1001)
    display.show(Scene(later, (*MILESTONES[:4], new), began={0: 1000}))
    [line] = file.getvalue().replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert line == "Les Anges Anonymes: goal lost, at 14 800 €"


def test_without_a_terminal_each_campaign_has_its_own_percentage() -> None:
    """A second campaign is written about although the first has come further."""
    file = io.StringIO()
    display = Display(Console(file=file, width=200))
    other = msgspec.structs.replace(a_campaign(150_000, 10), campaign_id="book")
    for campaign in (a_campaign(), other, a_campaign()):
        display.show(Scene(campaign))
    assert ["115 %" in line for line in file.getvalue().splitlines()] == [True, False]


def test_only_the_last_milestones_are_drawn() -> None:
    """However many there were, a short terminal keeps its addresses."""
    many = tuple(a_milestone("cercles.goal.overfunded", 1, step=100 + 5 * n, offset=n) for n in range(24))
    text = "\n".join(drawn(replace(FULL, milestones=many, milestones_before=76)))
    assert text.count("✓") == MILESTONES_SHOWN_MAX
    assert f"… and {100 - MILESTONES_SHOWN_MAX} before" in text


def test_backers_of_two_circles_are_explained() -> None:
    """The circles' backers may add up to more than the campaign has, and only then a note says why."""
    note = "a backer in two circles counts in each"
    campaign = a_campaign()
    assert not any(note in line for line in drawn(Scene(campaign)))
    circles = [*campaign.circles[:-1], a_circle("unattributed", 0, 9)]
    lines = drawn(replace(FULL, campaign=msgspec.structs.replace(campaign, circles=circles)))
    assert any(note in line for line in lines)
    assert len(lines) <= 24


def test_on_a_terminal_the_panel_is_drawn_in_place() -> None:
    """What is said meanwhile stands above it."""
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True)
    with Display(console) as display:
        display.show(FULL)
        display.say("sink ended")
        display.show(FULL)
    text = file.getvalue()
    assert "sink ended" in text
    assert "\x1b[" in text
