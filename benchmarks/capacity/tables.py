"""The tables of docs/capacity.md, as Markdown."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from benchmarks import scaling
from benchmarks.capacity import skew
from benchmarks.capacity.inputs import SOURCES, Inputs
from benchmarks.capacity.model import (
    EVENTS_PER_PLEDGE,
    UTILIZATION_MAX,
    WORKER_MEMORY_BYTES,
    by_pledges,
    by_rate,
    ceiling,
)
from benchmarks.capacity.restart import Load, restart

RATES: Final = (1_000, 10_000, 100_000, 1_000_000)
PLEDGES: Final = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
EXPONENTS: Final = (0.0, 0.6, 0.8, 1.0)
RESTARTED_PARTITIONS: Final = 8
RESTARTED_PLEDGES: Final = (1_000_000, 10_000_000)

_PLACE: Final = re.compile(r"(<!-- table (?P<name>\w+)[^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
_PREFIXES: Final = ("", "k", "M", "G", "T", "P", "E")
_TENS_FROM: Final = 100
_MINUTE_SECONDS: Final = 60.0
_HOUR_SECONDS: Final = 3_600.0


class PlaceError(ValueError):
    """The page has a place for a table that there is not, or none for one that there is."""


def with_tables(page: str, inputs: Inputs) -> str:
    """Return the page with every table in its place. Raises PlaceError."""
    places = [found["name"] for found in _PLACE.finditer(page)]
    if sorted(places) != sorted(TABLES):
        raise PlaceError(f"the page has places for {places}, and there are the tables {list(TABLES)}")
    return _PLACE.sub(lambda found: f"{found[1]}\n{TABLES[found['name']](inputs)}\n{found[3]}", page)


def _inputs(inputs: Inputs) -> str:
    rows = []
    for name, source in SOURCES.items():
        figure = getattr(inputs, name)
        unit = {"us": "µs of CPU", "bytes": "bytes"}.get(name.rpartition("_")[2], "")
        options = f" {source.options}" if source.options else ""
        bench = f'`make bench ARGS="{source.benchmark}{options}"`'
        rows.append((source.words, f"{_whole(figure.value)} {unit}".strip(), bench, figure.taken))
    return _table(("what", "figure", "by", "taken"), rows)


def _rates(inputs: Inputs) -> str:
    columns: list[tuple[str, Callable[[int], str]]] = [
        ("gateways, posts of 100 events", lambda rate: _whole(by_rate(inputs, rate).gateways)),
        ("gateways, one event a post", lambda rate: _whole(by_rate(inputs, rate).gateways_one_event_a_post)),
        ("workers", lambda rate: _whole(by_rate(inputs, rate).workers)),
        ("sinks", lambda rate: _whole(by_rate(inputs, rate).sinks)),
        ("PostgreSQL, cores busy", lambda rate: _whole(by_rate(inputs, rate).postgresql_cores)),
        ("brokers, cores busy", lambda rate: _whole(by_rate(inputs, rate).kafka_cores)),
        ("log, all replicas", lambda rate: f"{_size(by_rate(inputs, rate).log_bytes_per_second)}/s"),
        ("updates, all replicas", lambda rate: f"{_size(by_rate(inputs, rate).updates_bytes_per_second)}/s"),
        ("log after a year", lambda rate: _size(by_rate(inputs, rate).log_bytes_per_year)),
        ("updates kept for a week", lambda rate: _size(by_rate(inputs, rate).updates_bytes)),
    ]
    return _across("events a second", RATES, columns)


def _pledges(inputs: Inputs) -> str:
    columns: list[tuple[str, Callable[[int], str]]] = [
        ("memory of all workers", lambda count: _size(by_pledges(inputs, count).memory_bytes)),
        (
            f"workers with {_size(WORKER_MEMORY_BYTES)} for pledges",
            lambda count: _whole(by_pledges(inputs, count).workers),
        ),
        ("checkpoints", lambda count: _size(by_pledges(inputs, count).checkpoint_bytes)),
        ("restoring all from checkpoints", lambda count: _time(by_pledges(inputs, count).restore_checkpoint_seconds)),
        ("restoring all from the log", lambda count: _time(by_pledges(inputs, count).restore_log_seconds)),
        ("log, all replicas", lambda count: _size(by_pledges(inputs, count).log_bytes)),
        ("table `pledges`", lambda count: _size(by_pledges(inputs, count).pledges_table_bytes)),
        ("table `ledger_entries`", lambda count: _size(by_pledges(inputs, count).entries_table_bytes)),
    ]
    return _across("pledges", PLEDGES, columns)


def _ceilings(inputs: Inputs) -> str:
    rows = [
        (words, _whole(ceiling(each)), _whole(ceiling(each, UTILIZATION_MAX)))
        for words, each in (
            ("a partition of many campaigns, by CPU time", inputs.worker_event_us.value),
            ("one campaign, by CPU time", inputs.worker_one_campaign_event_us.value),
        )
    ]
    measured = inputs.worker_one_campaign_events_per_second.value
    rows.append(("one campaign, measured on the wall clock", _whole(measured), _whole(measured * UTILIZATION_MAX)))
    return _table(("", "events/s at most", f"at {UTILIZATION_MAX * 100:g} % of a core"), rows)


def _sparse(inputs: Inputs) -> str:
    rows = []
    for campaigns, each in (
        (1_000, inputs.fold_1_000_campaigns_event_us),
        (10_000, inputs.fold_10_000_campaigns_event_us),
        (100_000, inputs.fold_100_000_campaigns_event_us),
        (1_000_000, inputs.fold_1_000_000_campaigns_event_us),
    ):
        sharing = skew.sharing(campaigns // scaling.PARTITIONS, scaling.BATCH_EVENTS)
        rows.append((_whole(campaigns), f"{sharing:.3g}", f"{each.value:.3g} µs", _whole(ceiling(each.value))))
    return _table(
        ("campaigns with events", "events that share an update", "CPU time an event", "events/s a core"), rows
    )


def _fullest(_inputs: Inputs) -> str:
    """How much more than its equal part the fullest partition has."""
    rows = []
    for exponent in EXPONENTS:
        first = skew.weights(skew.CAMPAIGNS, exponent)[0]
        each = [_percent(skew.fullest(count, count, exponent)) for count in skew.PARTITIONS_TRIED]
        rows.append((_popularity(exponent), _percent(first), *each))
    return _table(("popularity", "first campaign", *(f"of {count}" for count in skew.PARTITIONS_TRIED)), rows)


def _partitions(inputs: Inputs) -> str:
    rows = [(_popularity(exponent), *(_needed(inputs, rate, exponent) for rate in RATES)) for exponent in EXPONENTS]
    return _table(("popularity", *(f"{_whole(rate)} events/s" for rate in RATES)), rows)


def _needed(inputs: Inputs, events_per_second: int, exponent: float) -> str:
    share_max = ceiling(inputs.worker_event_us.value, UTILIZATION_MAX) / events_per_second
    partitions = skew.partitions_for(share_max, exponent)
    if partitions is None:
        first = skew.weights(skew.CAMPAIGNS, exponent)[0] * events_per_second
        return f"no number: the first campaign has {_whole(first)} events/s"
    workers = skew.workers_for(partitions, share_max, exponent)
    return f"{partitions}, with {workers} worker{'' if workers == 1 else 's'}"


def _restarts(inputs: Inputs) -> str:
    live = ceiling(inputs.worker_event_us.value)
    rows = []
    for utilization in (0.3, UTILIZATION_MAX):
        for pledges in RESTARTED_PLEDGES:
            for words, events in (("checkpoints", None), ("the log", float(pledges * EVENTS_PER_PLEDGE))):
                found = restart(
                    Load(
                        partitions=RESTARTED_PARTITIONS,
                        pledges=pledges,
                        events_per_second=live * utilization,
                        live_events_per_second=live,
                        silent_events_per_second=inputs.restore_log_events_per_second.value,
                        pledges_per_second=inputs.restore_checkpoint_pledges_per_second.value,
                        log_events=events,
                    )
                )
                times = found.first_live_seconds, found.all_live_seconds, found.caught_up_seconds
                rows.append(
                    (_percent(utilization), _whole(pledges), words, *map(_time, times), _whole(found.lag_events_max))
                )
    heads = ("load before", "pledges", "restored from", "first partition", "all partitions", "caught up")
    return _table((*heads, "most events waiting"), rows)


TABLES: Final[Mapping[str, Callable[[Inputs], str]]] = {
    "inputs": _inputs,
    "rates": _rates,
    "pledges": _pledges,
    "ceilings": _ceilings,
    "sparse": _sparse,
    "fullest": _fullest,
    "partitions": _partitions,
    "restarts": _restarts,
}


def _across(name: str, numbers: Sequence[int], rows: Sequence[tuple[str, Callable[[int], str]]]) -> str:
    return _table((name, *map(_whole, numbers)), [(words, *map(show, numbers)) for words, show in rows])


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    names = list(heads)
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _popularity(exponent: float) -> str:
    return "all alike" if exponent == 0 else f"Zipf, exponent {exponent:g}"


def _whole(value: float) -> str:
    """Return a number with at most three digits that say something."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= _TENS_FROM else f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _size(size_bytes: float) -> str:
    value, prefix = size_bytes, 0
    while value >= 1000 and prefix < len(_PREFIXES) - 1:  # noqa: PLR2004 - units of ten
        value, prefix = value / 1000, prefix + 1
    return f"{value:.3g} {_PREFIXES[prefix]}B"


def _time(seconds: float) -> str:
    if seconds < 2 * _MINUTE_SECONDS:
        return f"{seconds:.3g} s"
    if seconds < 2 * _HOUR_SECONDS:
        return f"{seconds / _MINUTE_SECONDS:.3g} min"
    return f"{seconds / _HOUR_SECONDS:.3g} h"
