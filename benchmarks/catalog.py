"""Every benchmark, by its name."""

from typing import Final

from benchmarks.fold import FOLD
from benchmarks.harness import Benchmark
from benchmarks.sink import SINK

_ALL: Final = (FOLD, SINK)
CATALOG: Final[dict[str, Benchmark]] = {benchmark.name: benchmark for benchmark in _ALL}
