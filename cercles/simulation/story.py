"""What happens to a simulated campaign, and in which order its events arrive."""

import heapq
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from cercles.simulation.campaign import Campaign
from cercles.simulation.plan import Chance, Plan
from schemas.events import CampaignLaunched, LogEvent

LATE_SECONDS_MAX = 24 * 3600
"""Longest that an event, or its repetition, may be on its way."""


class Told(NamedTuple):
    """An event as it arrives. `pledges`: how many pledges begin with it."""

    arrived_seconds: int
    campaign: int
    number: int
    event: LogEvent
    pledges: int


def launches(plan: Plan) -> Iterator[CampaignLaunched]:
    """Yield the launch of every campaign."""
    for number in range(plan.campaigns):
        yield campaign(plan, number).launch()


def arrivals(plan: Plan) -> Iterator[Told]:
    """Yield what happens to all campaigns, mixed as it arrives.

    Memory holds the links and what is on its way: some 50 bytes a pledge at the default rates.
    """
    return heapq.merge(*(arrivals_of(plan, number) for number in range(plan.campaigns)))


def arrivals_of(plan: Plan, number: int) -> Iterator[Told]:
    """Yield what happens to one campaign after its launch, as it arrives: repeated and late as the plan's rates say."""
    rates, chance = plan.rates, Chance(f"{plan.seed}/{number}/arrivals")
    on_the_way: list[Told] = []
    told = 0
    for happening in campaign(plan, number).happenings():
        while on_the_way and on_the_way[0].arrived_seconds <= happening.told_from_seconds:
            yield heapq.heappop(on_the_way)
        event, pledges = happening.event, happening.pledges
        arrived_seconds = (event.time - plan.opens_at) // timedelta(seconds=1)
        if chance.happens(rates.disorder):
            arrived_seconds += 1 + chance.below(LATE_SECONDS_MAX)
        heapq.heappush(on_the_way, Told(arrived_seconds, number, told, event, pledges))
        told += 1
        if chance.happens(rates.repeat):
            again_seconds = arrived_seconds + chance.below(LATE_SECONDS_MAX)
            heapq.heappush(on_the_way, Told(again_seconds, number, told, event, 0))
            told += 1
    while on_the_way:
        yield heapq.heappop(on_the_way)


def campaign(plan: Plan, number: int) -> Campaign:
    """Return one of the plan's campaigns."""
    return Campaign(plan, plan.campaign_id(number), Chance(f"{plan.seed}/{number}"))
