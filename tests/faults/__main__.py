"""`make faults`: every fault, on real Kafka and real PostgreSQL, and one table of what it did.

Exits with 1 when anything was lost, counted twice, or otherwise not as the oracle wants it.
"""

import argparse
import secrets
import signal
import sys
import warnings

from tests.faults.run import catalog, run
from tests.faults.table import as_json, show


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a short form of every fault, in under ten minutes")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON: a list of the table's rows")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run's choices; none: a new seed")
    parser.add_argument("--only", metavar="NAME", action="append", help="only faults named so; repeatable")
    asked = parser.parse_args()
    faults = [one for one in catalog() if asked.only is None or any(name in one.name for name in asked.only)]
    if not faults:
        parser.error("no fault has that in its name; there are: " + ", ".join(one.name for one in catalog()))
    warnings.simplefilter("ignore")  # kafka-python reads its protocol by functions that Python deprecates
    # As Ctrl-C does, so that servers and disks go as they came.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = secrets.randbelow(2**31) if asked.seed is None else asked.seed
    report = run(faults, seed, short=asked.short)
    closing = f"seed {seed}, {'short' if asked.short else 'full'}, {report.seconds:.0f} s; full disks: {report.disks}"
    show(report.rows, closing=closing)
    for complaint in report.complaints:
        sys.stdout.write(f"WRONG: {complaint}\n")
    if asked.json:
        sys.stdout.write(as_json(report.rows) + "\n")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
