"""Campaigns are not equally popular, and a campaign has one partition: how full is the fullest?

The popularity of campaigns follows Zipf's law, the n-th having a weight of n to the power of -exponent. Which campaign
is how popular is drawn by a seed; which partition it has is what the log's writers compute (murmur2 of its id).
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from statistics import median
from typing import Final

from kafka.partitioner.default import murmur2

from benchmarks.events import campaign_ids

CAMPAIGNS: Final = 20_000
"""Live at one time; the more there are, the less the first weighs."""

SEEDS: Final = range(5)
PARTITIONS_TRIED: Final = (24, 48, 96, 192, 384, 768, 1536)


def weights(campaigns: int, exponent: float) -> list[float]:
    """Return the share of the events that each campaign has, the most popular first; together 1."""
    raw = [rank**-exponent for rank in range(1, campaigns + 1)]
    whole = sum(raw)
    return [one / whole for one in raw]


def sharing(campaigns: int, events: int) -> float:
    """Return how many of so many events are of one campaign, on average of those that have any; all equally popular."""
    return events / (campaigns * (1 - (1 - 1 / campaigns) ** events))


@cache
def hashes(campaigns: int) -> Sequence[int]:
    """Return what the partitioner makes of each campaign's id; its remainder is the partition."""
    return [murmur2(campaign_id.encode()) & 0x7FFFFFFF for campaign_id in campaign_ids(campaigns)]


def shares(partitions: int, exponent: float, seed: int, campaigns: int = CAMPAIGNS) -> list[float]:
    """Return the share of all events that each partition has."""
    ranked = list(hashes(campaigns))
    random.Random(seed).shuffle(ranked)
    found = [0.0] * partitions
    for key, weight in zip(ranked, weights(campaigns, exponent), strict=True):
        found[key % partitions] += weight
    return found


@cache
def fullest(partitions: int, workers: int, exponent: float) -> float:
    """Return the share of the fullest worker, partitions dealt out in turn: the median of the seeds."""
    return median(max(_dealt(one, workers)) for one in _drawn(partitions, exponent))


def partitions_for(share_max: float, exponent: float) -> int | None:
    """Return the least number of partitions tried of which none has more than that share; None when all have."""
    return next((count for count in PARTITIONS_TRIED if fullest(count, count, exponent) <= share_max), None)


def workers_for(partitions: int, share_max: float, exponent: float) -> int:
    """Return the least number of workers of which none has more than that share. There is one for `partitions_for`."""
    return next(count for count in range(1, partitions + 1) if fullest(partitions, count, exponent) <= share_max)


@cache
def _drawn(partitions: int, exponent: float) -> list[list[float]]:
    return [shares(partitions, exponent, seed) for seed in SEEDS]


def _dealt(partition_shares: Sequence[float], workers: int) -> Iterator[float]:
    return (sum(partition_shares[worker::workers]) for worker in range(workers))
