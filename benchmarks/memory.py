"""Memory for each live pledge, with its backer, its capture and its link."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from benchmarks.events import CAMPAIGNS_DEFAULT
from benchmarks.harness import Benchmark, Measurement, Row, Sizes

PLEDGES_DEFAULT: Final = 1_000_000


@contextmanager
def _prepare(sizes: Sizes) -> Iterator[Sequence[Row]]:
    campaigns = int(sizes.options.get("campaigns", CAMPAIGNS_DEFAULT))
    pledges = sizes.events_or(PLEDGES_DEFAULT)

    def ours() -> Measurement:
        command = [sys.executable, "-m", "benchmarks.ledger_memory", str(pledges), str(campaigns)]
        said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        return Measurement(said["bytes"] / pledges)

    label = f"{pledges:,} captures, {campaigns:,} campaigns"
    yield [Row(label, "bytes a pledge", ours, reach="≤ 800, aim 500", warm_up=False)]


MEMORY: Final = Benchmark("memory", "resident memory for each live pledge", _prepare)
