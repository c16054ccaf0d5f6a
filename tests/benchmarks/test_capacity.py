"""The capacity page: its arithmetic, its simulations, and that its figures are those that are pinned."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from benchmarks.capacity import __main__ as command
from benchmarks.capacity import skew
from benchmarks.capacity.inputs import PINNED, SOURCES, Inputs, as_text, pinned, taken
from benchmarks.capacity.model import UTILIZATION_MAX, by_pledges, by_rate, ceiling, processes
from benchmarks.capacity.restart import NOTICED_SECONDS, Load, restart
from benchmarks.capacity.tables import TABLES, PlaceError, with_tables
from benchmarks.events import campaign_ids
from cercles.topic_reader import partitioner


def test_every_figure_has_a_source() -> None:
    """And the pinned file is written as it would be written."""
    assert set(SOURCES) == set(Inputs.__struct_fields__)
    assert as_text(pinned()) == PINNED.read_text(encoding="utf-8")


def test_the_newest_result_of_the_right_row_replaces_a_figure(tmp_path: Path) -> None:
    """Others stay as they are, and so does everything where there are no results."""
    row = {"label": "20,000 posts of one event, 2 processes", "cpu_us": {"ours": 500.0}, "runs": 5}
    batches = {"label": "posts of 100 events, 2 processes", "cpu_us": {"ours": 50.0}, "runs": 5}
    about = {"date": "2026-01-05T12:00:00+00:00", "commit": "abc", "cpus": 2, "cpu": "a CPU"}
    older = about | row | {"cpu_us": {"ours": 900.0}, "rows": []}
    lines = (json.dumps(one) for one in (older, about | row | {"rows": [batches]}))
    (tmp_path / "gateway.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = taken(pinned(), tmp_path)
    assert (found.gateway_post_us.value, found.gateway_batch_event_us.value) == (500.0, 50.0)
    assert found.gateway_post_us.taken == "2026-01-05, commit abc, 2 × a CPU, 5 runs"
    assert found.worker_event_us == pinned().worker_event_us
    assert taken(pinned(), tmp_path / "nothing") == pinned()


def test_processes_are_given_70_percent_of_a_core() -> None:
    """At least one."""
    assert UTILIZATION_MAX == 0.7
    assert processes(70_000, 10.0) == 1
    assert processes(70_001, 10.0) == 2
    assert processes(0, 10.0) == 1
    assert ceiling(20.0) == 50_000
    assert ceiling(20.0, 0.7) == 35_000


def test_ten_times_the_load_needs_ten_times_as_much() -> None:
    """But for rounding up to whole processes."""
    small, large = by_rate(pinned(), 100_000), by_rate(pinned(), 1_000_000)
    assert large.log_bytes_per_year == pytest.approx(10 * small.log_bytes_per_year)
    assert 10 * (small.workers - 1) < large.workers <= 10 * small.workers
    few, many = by_pledges(pinned(), 10**8), by_pledges(pinned(), 10**9)
    assert many.memory_bytes == pytest.approx(10 * few.memory_bytes)
    assert many.restore_checkpoint_seconds == pytest.approx(few.restore_checkpoint_seconds, rel=0.1)


def test_popularity_adds_up() -> None:
    """By Zipf's law the second campaign has half of the first's events at exponent 1."""
    weights = skew.weights(1_000, 1.0)
    assert sum(weights) == pytest.approx(1)
    assert weights[0] == pytest.approx(2 * weights[1])
    assert skew.weights(4, 0.0) == [0.25] * 4


def test_campaigns_have_the_partitions_that_the_log_gives_them() -> None:
    """The simulation deals out as the log's writers do."""
    ids = campaign_ids(500)
    partition_of = partitioner(24)
    assert [key % 24 for key in skew.hashes(500)] == [partition_of(one.encode()) for one in ids]


def test_the_same_seed_deals_the_same() -> None:
    """And another one otherwise."""
    assert skew.shares(24, 1.0, 1, 500) == skew.shares(24, 1.0, 1, 500)
    assert skew.shares(24, 1.0, 1, 500) != skew.shares(24, 1.0, 2, 500)
    assert sum(skew.shares(24, 1.0, 1, 500)) == pytest.approx(1)


def test_the_fullest_partition_has_the_first_campaign_at_least() -> None:
    """So there is a rate for which no number of partitions is enough."""
    first = skew.weights(skew.CAMPAIGNS, 1.0)[0]
    assert skew.fullest(1536, 1536, 1.0) >= first
    assert skew.partitions_for(first / 2, 1.0) is None


def test_partitions_and_workers_are_the_least_that_are_enough() -> None:
    """One worker for all when all of it fits; otherwise one fewer would be too few."""
    assert (skew.partitions_for(1.01, 1.0), skew.workers_for(24, 1.01, 1.0)) == (24, 1)
    partitions = skew.partitions_for(0.02, 0.6)
    assert partitions == 96
    workers = skew.workers_for(partitions, 0.02, 0.6)
    assert 50 <= workers <= partitions
    assert skew.fullest(partitions, workers - 1, 0.6) > 0.02


LOAD = Load(
    partitions=4,
    pledges=1_000_000,
    events_per_second=10_000,
    live_events_per_second=20_000,
    silent_events_per_second=20_000,
    pledges_per_second=200_000,
)


def test_a_restart_takes_the_noticing_the_restoring_and_the_catching_up() -> None:
    """5 s for the checkpoints, up to 30 s for what came after them, then half of the core against what has piled up."""
    found = restart(LOAD)
    restored = NOTICED_SECONDS + 5
    assert restored < found.first_live_seconds <= found.all_live_seconds <= restored + 30 * 2
    assert found.caught_up_seconds == pytest.approx(2 * found.all_live_seconds, rel=0.5)
    assert found.lag_events_max == pytest.approx(found.first_live_seconds * LOAD.events_per_second, rel=0.5)
    assert restart(LOAD) == found
    assert restart(LOAD, seed=2) != found


def test_without_checkpoints_a_restart_reads_the_log() -> None:
    """4,000,000 events at 20,000 a second."""
    found = restart(replace(LOAD, log_events=4_000_000.0))
    assert found.first_live_seconds == pytest.approx(NOTICED_SECONDS + 200, rel=0.01)


def test_a_worker_with_too_much_to_do_never_catches_up() -> None:
    """Which is said, not simulated for ever."""
    with pytest.raises(ValueError, match="catch up"):
        restart(replace(LOAD, events_per_second=20_000))


def test_a_page_has_a_place_for_each_table_and_no_other() -> None:
    """Text around the tables stays."""
    places = "".join(f"<!-- table {name} -->\n<!-- end -->\n" for name in TABLES)
    page = with_tables(f"before\n{places}after\n", pinned())
    assert (page.startswith("before\n"), page.endswith("after\n")) == (True, True)
    assert with_tables(page, pinned()) == page
    with pytest.raises(PlaceError):
        with_tables(places.replace("table rates", "table rats"), pinned())


def test_a_page_that_is_not_what_the_figures_say_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` writes nothing; without it the page is right afterwards."""
    page = tmp_path / "capacity.md"
    page.write_text("".join(f"<!-- table {name} -->\n<!-- end -->\n" for name in TABLES), encoding="utf-8")
    figures = tmp_path / "inputs.json"
    figures.write_text(as_text(pinned()), encoding="utf-8")
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "PINNED", figures)
    assert command.main(["--check"]) == 1
    assert "not what the code says: capacity.md" in capsys.readouterr().err
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0


def test_pinned_figures_of_an_unknown_name_are_refused() -> None:
    """A figure that nobody uses is a mistake."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"other_us": {"value": 1, "taken": ""}}', type=Inputs)


def test_with_ever_more_campaigns_ever_fewer_events_share_one() -> None:
    """One campaign has them all; of very many each has one."""
    assert skew.sharing(1, 10) == 10
    assert skew.sharing(2, 2) == pytest.approx(4 / 3)
    assert skew.sharing(10**6, 100) == pytest.approx(1, abs=1e-4)
