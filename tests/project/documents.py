"""The files and settings of the project as the tests of this folder read them."""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from pydantic_settings import BaseSettings

from cercles.reference.settings import settings_classes
from cercles.settings_faults import variable_name

ROOT: Final = Path(__file__).parents[2]

FENCE: Final = "```"


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return every file of the project: what git knows, and what it would take."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        capture_output=True,
        check=True,
        text=True,
    )
    return tuple(path for name in sorted(set(listing.stdout.split("\0")) - {""}) if (path := ROOT / name).is_file())


def markdown_files() -> tuple[Path, ...]:
    """Return every page of the documentation."""
    return tuple(path for path in tracked_files() if path.suffix == ".md")


def code_blocks(page: str, *languages: str) -> Iterator[str]:
    """Return the fenced blocks of a page that are marked with one of these languages."""
    inside: list[str] | None = None
    for line in page.splitlines():
        if not line.lstrip().startswith(FENCE):
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside = [line.strip().removeprefix(FENCE)]
        else:
            if inside[0] in languages:
                yield "\n".join(inside[1:])
            inside = None


def prose(page: str) -> str:
    """Return a page without its fenced blocks."""
    kept, inside = [], False
    for line in page.splitlines():
        if line.lstrip().startswith(FENCE):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def setting_variables() -> set[str]:
    """Return the environment variable of every setting; a settings class within another has none of its own."""
    return {
        variable_name(kind, name)
        for kind in settings_classes()
        for name, field in kind.model_fields.items()
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings))
    }
