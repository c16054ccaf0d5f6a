"""`make bench`: measures what is named, all by default, and keeps the results."""

import argparse
import json
import signal
import sys
import warnings
from pathlib import Path

from benchmarks.catalog import CATALOG, TRIALS
from benchmarks.harness import RUNS_DEFAULT, Benchmark, Sizes, measure
from benchmarks.report import RESULTS, as_json, keep, show


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for. Returns the exit code: 1 when a trial does not hold."""
    asked = _parse(arguments)
    sizes = Sizes(asked.events, asked.runs, dict(asked.set))
    names = asked.names or list(CATALOG)
    holding = [TRIALS[name].run(sizes, asked.results) for name in names if name in TRIALS]
    lines = [_run(CATALOG[name], sizes, asked.results) for name in names if name in CATALOG]
    if asked.json:
        for line in filter(None, lines):
            sys.stdout.write(line + "\n")
    return 0 if all(holding) else 1


def _run(benchmark: Benchmark, sizes: Sizes, directory: Path) -> str | None:
    with benchmark.prepare(sizes) as rows:
        results = [measure(row, sizes.runs) for row in rows]
    if not results:
        return None
    show(benchmark.name, benchmark.measures, results)
    keep(benchmark.name, results, directory)
    return json.dumps(as_json(benchmark.name, results), ensure_ascii=False)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    words = "\n".join(f"  {one.name:10} {one.measures}" for one in CATALOG.values())
    long = "\n".join(f"  {one.name:10} {one.measures}" for one in TRIALS.values())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"benchmarks:\n{words}\ntrials, only when named; the exit code is 1 when one does not hold:\n{long}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="what to measure; none: everything")
    parser.add_argument(
        "--runs", type=int, default=RUNS_DEFAULT, help="paired runs of ours and its floor (%(default)s)"
    )
    parser.add_argument("--events", type=int, default=None, help="events a run; none: the benchmark's own number")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", type=_option, action="append", default=[], help="an option of one benchmark's own"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON for each benchmark")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to append results (%(default)s)")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.names) - set(CATALOG) - set(TRIALS))
    if unknown:
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are: {', '.join([*CATALOG, *TRIALS])}")
    return asked


def _option(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # kafka-python reads its protocol by functions that Python deprecates
    # As Ctrl-C does, so that servers and their directories go as they came.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
