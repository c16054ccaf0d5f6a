"""The command `cercles`; also `python -m cercles`."""

import io
import sys

from cercles.commands import app


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    # A terminal that can't show a sign gets a question mark for it, not a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="cercles")


if __name__ == "__main__":
    main()
