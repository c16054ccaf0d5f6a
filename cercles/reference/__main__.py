"""Write docs/reference: `python -m cercles.reference`, or with `--check` compare only."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cercles.reference import commands, events, http, metrics, settings, topics
from schemas.generated import settle

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "reference"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "commands.md": commands.page,
    "events.md": events.page,
    "http.md": http.page,
    "metrics.md": metrics.page,
    "settings.md": settings.page,
    "topics.md": topics.page,
}


def main(arguments: Sequence[str] | None = None, directory: Path = DIRECTORY) -> int:
    """Write the pages, or compare them; return 1 when the check finds a difference."""
    files = {directory / name: page() for name, page in PAGES.items()}
    return settle(files, "python -m cercles.reference", arguments)


if __name__ == "__main__":
    sys.exit(main())
