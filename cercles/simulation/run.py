"""Tells a plan's story and works out what it must come to, with a bar on standard error where that is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cercles.simulation.plan import Plan
from cercles.simulation.telling import Advance, Doors, send, write
from cercles.simulation.totals import CampaignTotals, totals_of
from schemas.fields import CIRCLES
from schemas.money import format_amount

CAMPAIGNS_SHOWN_MAX: Final = 50
"""Campaigns that are shown to people; JSON has them all."""


def to_file(plan: Plan, file: BinaryIO) -> list[CampaignTotals]:
    """Write the story; return the totals. Raises OSError."""
    return _told(plan, lambda advance: write(plan, file, advance))


def to_gateway(plan: Plan, doors: Doors) -> list[CampaignTotals]:
    """Send the story; return the totals. Raises producers.sending.RefusedError and GatewayAwayError."""
    return _told(plan, lambda advance: send(plan, doors, advance))


def _told(plan: Plan, tell: Callable[[Advance], None]) -> list[CampaignTotals]:
    with _bar() as progress:
        told = 0
        telling = progress.add_task("0 events", total=plan.campaigns * plan.pledges, unit="pledges")

        def advance(events: int, pledges: int) -> None:
            nonlocal told
            told += events
            progress.update(telling, advance=pledges, description=f"{told} events")

        tell(advance)
        adding = progress.add_task("adding up", total=plan.campaigns, unit="campaigns")
        found = []
        for number in range(plan.campaigns):
            found.append(totals_of(plan, number))
            progress.advance(adding)
        return found


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )
    console = Console(file=sys.stderr)
    # Without a terminal there is nothing to draw on, and rich would leave an empty line behind.
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as progress:
        yield progress


def say_json(found: list[CampaignTotals], stream: TextIO) -> None:
    """Write the totals as one JSON object, on one line."""
    content = {"events": sum(one.events for one in found), "campaigns": found}
    stream.write(msgspec.json.encode(content).decode() + "\n")


def say(found: list[CampaignTotals], stream: TextIO) -> None:
    """Write the totals for people."""
    for one in found[:CAMPAIGNS_SHOWN_MAX]:
        stream.writelines(f"{line}\n" for line in _lines(one))
    if len(found) > CAMPAIGNS_SHOWN_MAX:
        stream.write(f"… and {len(found) - CAMPAIGNS_SHOWN_MAX} more; --json has all of them\n")
    events = sum(one.events for one in found)
    stream.write(f"{events} events of {len(found)} campaign{'' if len(found) == 1 else 's'}\n")


def _lines(one: CampaignTotals) -> Iterator[str]:
    totals, currency = one.totals, one.totals["currency"]
    yield (
        f"{one.campaign_id}: {format_amount(totals['pledged_minor'], currency)} {currency} pledged, "
        f"{format_amount(totals['collected_minor'], currency)} collected, {totals['percent']} % of "
        f"{format_amount(totals['goal_minor'], currency)}, {totals['backers']} backers, {one.events} events"
    )
    for circle in one.circles:
        yield (
            f"  {circle.circle:<{max(map(len, CIRCLES))}}  {format_amount(circle.pledged_minor, currency):>12} pledged "
            f"{format_amount(circle.collected_minor, currency):>12} collected {circle.backers:>6} backers"
        )
