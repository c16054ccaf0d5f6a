"""One performance of the demo: the stack comes up, the story is told, and what came of it is held against the story."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import httpx
import msgspec
from sqlalchemy import create_engine

from cercles.attendance import Attendance
from cercles.data_directory import DataDirectory
from cercles.demo import examination
from cercles.demo.examination import Difference
from cercles.demo.follower import Follower
from cercles.demo.letters import STRIPE_ACCOUNT
from cercles.demo.story import ADMIN, STRIPE, Again, Chapter, Story
from cercles.demo.storyteller import Storyteller
from cercles.display import Display
from cercles.panel import Pipeline
from cercles.stack import Doors, Stack
from cercles.watch import Watch
from readers.answers import Campaign, Days, Milestone, Milestones

SETTLE_SECONDS_MAX: Final = 60.0
"""From the last event's acceptance to the moment when the reader knows what became of every event."""

ANSWER_SECONDS_MAX: Final = 30.0


class UnsettledError(Exception):
    """Not every event came out at the other end in time."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the story, as the reader answers it, and where that is not what the story says."""

    campaign: Campaign
    milestones: list[Milestone]
    sent: int
    applied: int
    unchanged: int
    dead_letters: int
    differences: list[Difference]


class Performance:
    """Performs a story in a data directory."""

    def __init__(self, story: Story, directory: DataDirectory, display: Display) -> None:
        self._story = story
        self._directory = directory
        self._display = display
        self._stack = Stack(directory, doors_of(story), say=display.say)
        self._addresses = {
            "write": self._stack.gateway_url,
            "read": f"{self._stack.reader_url}/v1/campaigns/{story.campaign.id}",
            "page": f"{self._stack.reader_url}/campaigns/{story.campaign.id}",
            "metrics": self._stack.exporter_url,
            "data": str(directory.path),
        }

    @contextmanager
    def stage(self) -> Iterator[Attendance]:
        """Bring the stack up, yield who attends to it, and bring it down again."""
        try:
            self._stack.prepare()
            self._stack.start()
            with closing(Watch(self._stack.reader_url, self._story.campaign.id)) as watch:
                attendance = Attendance(self._stack, watch, self._display)
                attendance.await_ready()
                yield attendance
        finally:
            self._display.say("stopping")
            self._stack.stop()

    def tell(self, attendance: Attendance, pace_seconds: float) -> Result:
        """Tell the story within about that many seconds, showing it, and return what came of it.

        Raises NotTakenError, UnansweredError, UnsettledError, HopelessError.
        """
        teller = Storyteller(self._story, self._stack.gateway_url, self._directory.secret)
        follower = Follower(self._stack.reader_url, self._directory.secret("read_key"), self._story.campaign.id)
        told, stop = threading.Event(), threading.Event()
        script = _Script(self._story, teller, pace_seconds)
        with closing(teller), closing(follower), ThreadPoolExecutor(2, "demo") as pool:
            try:
                telling = pool.submit(script.run, told, stop)
                following = pool.submit(follower.follow, teller.positions, told, stop)
                attendance.attend(
                    _settled(telling, following),
                    caption=lambda: script.caption,
                    counted=lambda pipeline: _counted(pipeline, teller, follower),
                    addresses=self._addresses,
                )
                telling.result()
                following.result()
            finally:
                stop.set()
        return self._examined(teller, follower)

    def stay(self, attendance: Attendance) -> None:
        """Keep everything running and shown until somebody interrupts."""
        attendance.attend(lambda: False, addresses=self._addresses)

    def _examined(self, teller: Storyteller, follower: Follower) -> Result:
        campaign_id = self._story.campaign.id
        with httpx.Client(timeout=ANSWER_SECONDS_MAX) as client:
            page = f"{self._stack.reader_url}/v1/campaigns/{campaign_id}"
            campaign = msgspec.json.decode(_content(client, page), type=Campaign)
            said = msgspec.json.decode(_content(client, f"{page}/milestones"), type=Milestones).milestones
            days = msgspec.json.decode(_content(client, f"{page}/days"), type=Days)
            metrics = _content(client, self._stack.exporter_url).decode()
        sent = len(teller.positions)
        found: dict[str, examination.Facts] = {
            "reader": examination.campaign_facts(campaign, said),
            "reader, days": examination.day_facts(days),
            "reader, events": examination.event_facts(sent, follower.counts, follower.reasons),
            "exporter": examination.metric_facts(metrics, campaign_id),
        }
        engine = create_engine(self._directory.database_url)
        with engine.connect() as connection:
            found |= examination.row_facts(connection, campaign_id)
        engine.dispose()
        expected = examination.expected_facts(self._story)
        return Result(
            campaign=campaign,
            milestones=said,
            sent=sent,
            applied=follower.counts["applied"],
            unchanged=follower.counts["no_change"],
            dead_letters=follower.counts["refused"],
            differences=[
                one for where, facts in found.items() for one in examination.differences(expected, where, facts)
            ],
        )


class _Script:
    """The steps and their pace. `caption` may be read from any thread."""

    def __init__(self, story: Story, teller: Storyteller, pace_seconds: float) -> None:
        self._story = story
        self._teller = teller
        self._pace_seconds = pace_seconds
        self.caption = ""

    def run(self, told: threading.Event, stop: threading.Event) -> None:
        """Launch the campaign and tell every step at its time, until `stop` is set; then set `told`."""
        try:
            self._teller.launch()
            all_steps = self._teller.steps()
            captions = [_caption(chapter) for chapter in self._story.chapters for _ in chapter.steps]
            began = time.monotonic()
            for number, step in enumerate(all_steps):
                due = began + self._pace_seconds * number / len(all_steps)
                if stop.wait(max(0.0, due - time.monotonic())):
                    return
                self.caption = captions[number]
                self._teller.tell(step)
        finally:
            self.caption = ""
            told.set()


def doors_of(story: Story) -> Doors:
    """Return the doors that the story uses, also those whose word its campaign does not take."""
    used = {line.door for chapter in story.chapters for line in chapter.steps if not isinstance(line, Again)}
    sources = {door for door in used if door is not None} - {ADMIN, STRIPE}
    return Doors(tuple(sorted(sources)), (STRIPE_ACCOUNT,))


def _caption(chapter: Chapter) -> str:
    return f"{-chapter.day} {'day' if chapter.day == -1 else 'days'} ago: {chapter.title}"


def _settled(telling: "Future[None]", following: "Future[None]") -> Callable[[], bool]:
    """Return whether both are at their end. Raises UnsettledError when following takes too long after telling."""
    deadline: float | None = None

    def settled() -> bool:
        nonlocal deadline
        if following.done() or (telling.done() and telling.exception() is not None):
            return True
        if telling.done():
            deadline = deadline or time.monotonic() + SETTLE_SECONDS_MAX
            if time.monotonic() > deadline:
                raise UnsettledError(f"{SETTLE_SECONDS_MAX:.0f} s after the last event, some are not stored yet")
        return False

    return settled


def _counted(pipeline: Pipeline, teller: Storyteller, follower: Follower) -> Pipeline:
    counts = follower.counts
    sent = len(teller.positions)
    return replace(
        pipeline,
        sent=sent,
        applied=counts["applied"],
        unchanged=counts["no_change"],
        dead_letters=counts["refused"],
        lag=sent - counts.total(),
    )


def _content(client: httpx.Client, url: str) -> bytes:
    answer = client.get(url)
    answer.raise_for_status()
    return answer.content
