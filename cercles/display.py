"""What a supervising command shows on standard error: one live panel on a terminal, else a line for each news."""

from collections import deque
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cercles.panel import Scene, milestone_words, money, render
from readers.answers import Milestone

SAID_MAX: Final = 1_000
"""Milestones remembered as written, of all campaigns together."""

CAMPAIGNS_MAX: Final = 1_000
"""Campaigns whose percentage is remembered as written; the one that was first forgotten may be written again."""

PLAIN_STEP_PERCENT: Final = 10
"""Without a terminal, a line is written each time the percentage has grown by this much."""


class Display:
    """Shows scenes. Everything said meanwhile stands above the panel."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._said: deque[str] = deque(maxlen=SAID_MAX)
        self._percent_said: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()

    def rest(self) -> None:
        """Leave the panel as it stands, so that something else can be written below it."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, words: str) -> None:
        """Write a line."""
        self._console.print(Text(words, style="bright_black"), soft_wrap=True)

    def show(self, scene: Scene) -> None:
        """Show the scene as it is now."""
        if not self._console.is_terminal:
            self._write(scene)
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()
        self._live.update(render(scene), refresh=True)

    def _write(self, scene: Scene) -> None:
        campaign = scene.campaign
        if campaign is None:
            return
        totals, title = campaign.totals, campaign.terms.title
        for milestone in scene.milestones:
            key = _key(campaign.campaign_id, milestone)
            if scene.is_news(milestone.position) and key not in self._said:
                self._said.append(key)
                amount = money(milestone.total_minor, totals.currency)
                self.say(f"{title}: {milestone_words(milestone)}, at {amount}")
        if totals.percent - self._percent_said.get(campaign.campaign_id, 0) >= PLAIN_STEP_PERCENT:
            self._remember(campaign.campaign_id, totals.percent - totals.percent % PLAIN_STEP_PERCENT)
            if scene.is_news(campaign.as_of):
                pledged = money(totals.pledged_minor, totals.currency)
                self.say(f"{title}: {pledged}, {totals.percent} %, {totals.backers} backers")

    def _remember(self, campaign_id: str, percent: int) -> None:
        self._percent_said[campaign_id] = percent
        if len(self._percent_said) > CAMPAIGNS_MAX:
            del self._percent_said[next(iter(self._percent_said))]


def _key(campaign_id: str, milestone: Milestone) -> str:
    return f"{campaign_id} {milestone.position} {milestone.type} {milestone.step}"
