"""Every benchmark and every trial, by its name."""

from typing import Final

from benchmarks.fold import FOLD
from benchmarks.gateway import GATEWAY
from benchmarks.harness import Benchmark, Trial
from benchmarks.latency import LATENCY
from benchmarks.memory import MEMORY
from benchmarks.peers import PEERS_BENCHMARK
from benchmarks.readers import READERS
from benchmarks.restore import RESTORE
from benchmarks.scaling import SCALING
from benchmarks.sink import SINK
from benchmarks.sizes import SIZES
from benchmarks.soak.run import SOAK
from benchmarks.worker import WORKER

_ALL: Final = (
    FOLD,
    WORKER,
    RESTORE,
    MEMORY,
    SINK,
    SIZES,
    GATEWAY,
    LATENCY,
    READERS,
    SCALING,
    PEERS_BENCHMARK,
)
CATALOG: Final[dict[str, Benchmark]] = {benchmark.name: benchmark for benchmark in _ALL}
TRIALS: Final[dict[str, Trial]] = {trial.name: trial for trial in (SOAK,)}
