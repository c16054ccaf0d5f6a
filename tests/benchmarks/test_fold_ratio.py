"""A guard against a fold that has become slow: a ratio taken in one run, never a time."""

from typing import Final

from benchmarks.fold import FOLD
from benchmarks.harness import Sizes, measure

RATIO_MIN: Final = 0.045
"""Less than half of what benchmarks/README.md says is reached: a busy machine must not fail the build."""


def test_the_fold_keeps_its_distance_from_decoding_alone() -> None:
    """All rules and the encoding of what they say cost some ten times what decoding costs, not thirty."""
    sizes = Sizes(events=10_000, runs=7)
    with FOLD.prepare(sizes) as rows:
        result = measure(rows[0], sizes.runs)
    assert result.ratio is not None
    assert result.ratio >= RATIO_MIN, result
