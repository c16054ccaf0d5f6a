"""What every generator of checked-in files does with them: write them, or say how they differ from what is there."""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def settle(files: Mapping[Path, str], command: str, arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with `--check` among the arguments compare them; return 1 when one differs.

    `command` is what a person runs to write them, such as `python -m schemas.asyncapi`.
    """
    parser = argparse.ArgumentParser(prog=command, description="Write " + ", ".join(path.name for path in files) + ".")
    parser.add_argument("--check", action="store_true", help="write nothing; show what would change and fail if any")
    if not parser.parse_args(arguments).check:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    differing = [path for path, text in files.items() if _shown(path, text)]
    if differing:
        names = ", ".join(path.name for path in differing)
        sys.stderr.write(f"not what the code says: {names}. Run {command}\n")
    return 1 if differing else 0


def _shown(path: Path, wanted: str) -> bool:
    """Show how the file differs from what is wanted; return whether it does."""
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = list(
        difflib.unified_diff(
            found.splitlines(keepends=True), wanted.splitlines(keepends=True), f"kept/{path.name}", f"made/{path.name}"
        )
    )
    sys.stderr.writelines(difference)
    return bool(difference)
