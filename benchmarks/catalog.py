"""Every benchmark, by its name."""

from typing import Final

from benchmarks.fold import FOLD
from benchmarks.gateway import GATEWAY
from benchmarks.harness import Benchmark
from benchmarks.latency import LATENCY
from benchmarks.readers import READERS
from benchmarks.sink import SINK

_ALL: Final = (FOLD, SINK, GATEWAY, LATENCY, READERS)
CATALOG: Final[dict[str, Benchmark]] = {benchmark.name: benchmark for benchmark in _ALL}
