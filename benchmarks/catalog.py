"""Every benchmark, by its name."""

from typing import Final

from benchmarks.fold import FOLD
from benchmarks.harness import Benchmark

_ALL: Final = (FOLD,)
CATALOG: Final[dict[str, Benchmark]] = {benchmark.name: benchmark for benchmark in _ALL}
