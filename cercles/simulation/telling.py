"""Tells a plan's story: to a file, or to a gateway."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from cercles.simulation.plan import Plan
from cercles.simulation.story import arrivals, launches
from producers.sending import Launcher, Line, Pace, Sender, batches
from schemas.events import encode

SHOWN_EVERY_EVENTS: Final = 500

Advance = Callable[[int, int], None]
"""Is told of how many more events, and of how many more pledges, there is news."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where campaigns are launched, where everything else is sent, in batches of how many events, and how fast.

    Without a pace it goes as fast as the gateway takes it.
    """

    launcher: Launcher
    sender: Sender
    batch_events: int
    pace: Pace | None = None


def write(plan: Plan, file: BinaryIO, advance: Advance) -> None:
    """Write every event as a line of JSON, the launches first. Raises OSError."""
    events = begun = 0
    file.writelines(encode(event) + b"\n" for event in launches(plan))
    advance(plan.campaigns, 0)
    for told in arrivals(plan):
        file.write(encode(told.event) + b"\n")
        events, begun = events + 1, begun + told.pledges
        if events == SHOWN_EVERY_EVENTS:
            advance(events, begun)
            events = begun = 0
    file.flush()
    advance(events, begun)


def send(plan: Plan, doors: Doors, advance: Advance) -> None:
    """Launch the campaigns and send the events, in the order in which `write` writes them.

    Raises producers.sending.RefusedError and GatewayAwayError. Sending the same plan again changes nothing.
    """
    for launch in launches(plan):
        _hold_back(doors.pace, 1)
        doors.launcher.launch(launch.data)
        advance(1, 0)
    begun = shown = 0

    def lines() -> Iterator[Line]:
        nonlocal begun
        for number, told in enumerate(arrivals(plan), start=plan.campaigns + 1):
            begun += told.pledges
            yield Line(number, encode(told.event))

    for batch in batches(lines(), doors.batch_events):
        _hold_back(doors.pace, len(batch))
        doors.sender.send(batch)
        advance(len(batch), begun - shown)
        shown = begun


def _hold_back(pace: Pace | None, events: int) -> None:
    if pace is not None:
        pace.wait(events)
