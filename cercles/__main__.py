"""The command `cercles`; also `python -m cercles`."""

from cercles.commands import app


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    app(prog_name="cercles")


if __name__ == "__main__":
    main()
