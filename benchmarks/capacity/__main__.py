"""`python -m benchmarks.capacity`: writes the tables of docs/capacity.md; with `--take` newer figures before that."""

import argparse
import sys
from pathlib import Path
from typing import Final

from benchmarks.capacity.inputs import PINNED, as_text, pinned, taken
from benchmarks.capacity.tables import with_tables
from benchmarks.report import RESULTS
from schemas.generated import settle

PAGE: Final = Path(__file__).parents[2] / "docs" / "capacity.md"


def main(arguments: list[str] | None = None) -> int:
    """Write or compare. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__, add_help=False)
    parser.add_argument("--take", action="store_true")
    asked, rest = parser.parse_known_args(arguments)
    inputs = taken(pinned(), RESULTS) if asked.take else pinned()
    page = with_tables(PAGE.read_text(encoding="utf-8"), inputs)
    return settle({PINNED: as_text(inputs), PAGE: page}, "python -m benchmarks.capacity", rest)


if __name__ == "__main__":
    sys.exit(main())
