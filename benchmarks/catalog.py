"""Every benchmark, by its name."""

from typing import Final

from benchmarks.fold import FOLD
from benchmarks.harness import Benchmark
from benchmarks.memory import MEMORY
from benchmarks.peers import PEERS_BENCHMARK
from benchmarks.restore import RESTORE
from benchmarks.scaling import SCALING
from benchmarks.worker import WORKER

_ALL: Final = (
    FOLD,
    WORKER,
    RESTORE,
    MEMORY,
    SCALING,
    PEERS_BENCHMARK,
)
CATALOG: Final[dict[str, Benchmark]] = {benchmark.name: benchmark for benchmark in _ALL}
