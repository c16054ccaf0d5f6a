"""The harness: what is compared with what, what is shown and what is kept."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.harness import Benchmark, Measurement, Row, Sizes, Trial, measure, rate


def side(name: str, values: list[float], order: list[str]) -> Callable[[], Measurement]:
    """Return a side that gives these values one after the other, and notes when it was run."""
    remaining = iter(values)

    def run() -> Measurement:
        order.append(name)
        return Measurement(next(remaining), cpu_us=2.0, also={"p99_ms": 5.0})

    return run


def test_a_rate_counts_things_a_second_and_cpu_for_each() -> None:
    """A thousand in half a second, with a quarter of a second of CPU."""
    assert rate(1_000, 0.5, 0.25) == Measurement(2_000.0, 250.0, {})


def test_ours_and_its_floor_take_turns_after_one_run_each_to_warm_up() -> None:
    """A machine that slows down on the way slows down both; who is first changes."""
    order: list[str] = []
    row = Row("a", "events/s", side("ours", [1, 10, 40], order), side("floor", [1, 100, 100], order))
    result = measure(row, runs=2)
    assert order == ["ours", "floor", "floor", "ours", "ours", "floor"]
    assert result.ratios == [0.1, 0.4]
    assert result.ratio == pytest.approx(0.25)
    assert result.spread == pytest.approx(1.2)


def test_what_has_no_floor_has_a_spread_of_its_own_values() -> None:
    """And no ratio."""
    result = measure(Row("a", "bytes", side("ours", [90, 110], []), warm_up=False), runs=2)
    assert (result.ours_value, result.ratio, result.floor_value) == (100, None, None)
    assert result.spread == pytest.approx(0.2)


@contextmanager
def prepared(sizes: Sizes) -> Iterator[Sequence[Row]]:
    """Two rows, or none when so asked."""
    first = Row("first", "events/s", side("ours", [1, 2, 2], []), side("floor", [1, 8, 8], []))
    second = Row("second", "ms", side("ours", [1, 3, 3], []))
    yield [] if sizes.options.get("rows") == "0" else [first, second]


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """One benchmark and two trials, of the tests' own."""
    monkeypatch.setattr(command, "CATALOG", {"mine": Benchmark("mine", "what it measures", prepared)})
    trials = {
        "holding": Trial("holding", "what it tries", lambda _sizes, _directory: True),
        "failing": Trial("failing", "what it tries", lambda _sizes, _directory: False),
    }
    monkeypatch.setattr(command, "TRIALS", trials)


@pytest.mark.usefixtures("catalog")
def test_json_is_the_last_line_and_the_result_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first row is the benchmark's figure; machine and commit stand in the line that is kept."""
    assert command.main(["mine", "--runs", "2", "--json", "--results", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {key: said[key] for key in ("name", "ours", "floor", "ratio", "spread")} == {
        "name": "mine",
        "ours": 2,
        "floor": 8,
        "ratio": 0.25,
        "spread": 0,
    }
    assert [row["label"] for row in said["rows"]] == ["second"]
    (kept,) = (tmp_path / "mine.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(kept).items() >= said.items()
    assert {"date", "commit", "python", "cpu", "load"} <= set(json.loads(kept))


@pytest.mark.usefixtures("catalog")
def test_nothing_measured_is_nothing_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A benchmark whose needs are absent ends cleanly."""
    assert command.main(["--set", "rows=0", "--json", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("catalog")
@pytest.mark.parametrize(
    ("names", "code"), [(["holding"], 0), (["failing"], 1), (["failing", "holding"], 1), (["--set", "rows=0"], 0)]
)
def test_a_trial_that_does_not_hold_is_exit_code_1(names: list[str], code: int, tmp_path: Path) -> None:
    """None is run unless it is named."""
    assert command.main([*names, "--results", str(tmp_path)]) == code


@pytest.mark.usefixtures("catalog")
@pytest.mark.parametrize(("arguments", "reason"), [(["other"], "mine"), (["--set", "rows"], "KEY=VALUE")])
def test_a_name_or_an_option_that_is_none_is_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the names that there are."""
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert reason in capsys.readouterr().err
