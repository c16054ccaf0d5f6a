"""What the demo prints when it is over: a page for people, or one line of JSON."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cercles.demo.performance import Result
from cercles.panel import backers_note, milestone_words, money
from readers.answers import Milestone


def as_json(result: Result) -> str:
    """Return the result as one line, a JSON object."""
    campaign, totals = result.campaign, result.campaign.totals
    content = {
        "campaigns": [
            {
                "campaign_id": campaign.campaign_id,
                "currency": totals.currency,
                "goal_minor": totals.goal_minor,
                "pledged_minor": totals.pledged_minor,
                "collected_minor": totals.collected_minor,
                "percent": totals.percent,
                "circles": {
                    one.circle: {
                        "pledged_minor": one.pledged_minor,
                        "collected_minor": one.collected_minor,
                        "backers": one.backers,
                    }
                    for one in campaign.circles
                },
                "backers": totals.backers,
                "milestones": [_milestone(one) for one in result.milestones],
            }
        ],
        "events_sent": result.sent,
        "events_applied": result.applied,
        "events_unchanged": result.unchanged,
        "dead_letters": result.dead_letters,
    }
    return json.dumps(content, separators=(",", ":"))


def write(result: Result, console: Console) -> None:
    """Write the result for people."""
    totals = result.campaign.totals
    currency = totals.currency
    console.print(Text(result.campaign.terms.title, style="bold"))
    console.print(
        f"{money(totals.pledged_minor, currency)} of {money(totals.goal_minor, currency)}: {totals.percent} %, "
        f"{totals.backers} backers, {money(totals.collected_minor, currency)} collected"
    )
    console.print()
    console.print(_circles(result))
    if note := backers_note(result.campaign):
        console.print(Text(note, style="bright_black"))
    console.print()
    console.print(_milestones(result))
    console.print()
    console.print(
        f"{result.sent} events sent = {result.applied} applied + {result.unchanged} unchanged (repeats) + "
        f"{result.dead_letters} dead letters"
    )


def _circles(result: Result) -> Table:
    table = Table("circle", box=None, pad_edge=False)
    for heading in ("pledged", "collected", "backers"):
        table.add_column(heading, justify="right")
    currency = result.campaign.totals.currency
    for one in result.campaign.circles:
        amounts = (money(amount, currency) for amount in (one.pledged_minor, one.collected_minor))
        table.add_row(one.circle.replace("_", " "), *amounts, str(one.backers))
    return table


def _milestones(result: Result) -> Table:
    table = Table("milestone", box=None, pad_edge=False)
    table.add_column("at", justify="right")
    for one in result.milestones:
        table.add_row(milestone_words(one), money(one.total_minor, result.campaign.totals.currency))
    return table


def _milestone(milestone: Milestone) -> dict[str, Any]:
    content = {
        "type": milestone.type,
        "step": milestone.step,
        "occurrence": milestone.occurrence,
        "stretch_goal_id": milestone.stretch_goal_id,
        "threshold_minor": milestone.threshold_minor,
        "total_minor": milestone.total_minor,
        "position": milestone.position,
    }
    return {name: value for name, value in content.items() if value is not None}
