"""How the benchmarks watch workers: what they measure should not pay for being measured."""

import pytest

from benchmarks.workers import Look, _pause_seconds


@pytest.mark.parametrize(
    ("looks", "pause_seconds"),
    [
        pytest.param([(0, 0)], 0.05, id="nothing done yet"),
        pytest.param([(0, 0), (3, 100)], 0.05, id="no pace yet"),
        pytest.param([(0, 0), (3, 100), (4, 200)], 0.5, id="far from the end"),
        pytest.param([(0, 0), (3, 100), (11, 940)], 0.2857, id="half of what is left"),
        pytest.param([(0, 0), (3, 100), (12, 999)], 0.05, id="at the end"),
    ],
)
def test_looks_are_rare_until_near_the_end(looks: list[tuple[float, int]], pause_seconds: float) -> None:
    """Seconds and events done so far, of 1,000."""
    so_far = [Look(seconds, done, 0.0) for seconds, done in looks]
    assert _pause_seconds(so_far, 1000) == pytest.approx(pause_seconds, abs=0.001)
