"""What the exit codes of `cercles` mean."""

from typing import Final

EXIT_CLEAN: Final = 0

EXIT_FAILED: Final = 1
"""It did not do what it was asked to; the last line of standard error says why."""

EXIT_SETTINGS: Final = 2
"""It was asked wrongly: a setting, an option or an argument. Trying again can't help."""

EXIT_UNREACHABLE: Final = 3
"""A broker, database or gateway can't be reached: trying again later may help."""

EXIT_INTERRUPTED: Final = 130
"""Somebody interrupted it before it was done; what shells give for a command that Ctrl-C ended."""
