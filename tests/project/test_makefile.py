"""The Makefile: standard output is the program's, arguments reach it, and the environment is made first."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.project.documents import ROOT

ENVIRONMENT_KIND: Final = {"demo": "runtime", "up": "runtime", "test": "dev", "bench": "dev", "faults": "dev"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile beside a bootstrap and a Python that only say how they were called, in a path with blanks."""
    directory = tmp_path / "a clone of Cercles"
    (directory / "ops").mkdir(parents=True)
    (directory / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", directory)
    (directory / "ops" / "bootstrap.sh").write_text('echo "bootstrap $1"\n', encoding="utf-8")
    python = directory / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\nfor each in "$@"; do echo "[$each]"; done\nexit "${EXIT:-0}"\n', encoding="utf-8")
    python.chmod(0o755)
    return directory


def make(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # A make that runs the tests tells its children of itself.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=directory, env=inherited | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("target", "program"),
    [
        ("demo", ["cercles", "demo"]),
        ("up", ["cercles", "up"]),
        ("test", ["pytest"]),
        ("bench", ["benchmarks"]),
        ("faults", ["tests.faults"]),
    ],
)
def test_arguments_reach_the_program_and_its_output_is_all(clone: Path, target: str, program: list[str]) -> None:
    """`make demo ARGS=--json | jq` works: neither make nor the environment says a word on standard output."""
    result = make(clone, target, "ARGS=--one --two='a b'")
    assert result.stdout.splitlines() == [f"[{word}]" for word in ["-m", *program, "--one", "--two=a b"]]
    assert result.stderr == f"bootstrap {ENVIRONMENT_KIND[target]}\n"
    assert result.returncode == 0


def test_failure_of_the_program_is_the_failure_of_make(clone: Path) -> None:
    """The exit code tells, and the reason is not on standard output."""
    result = make(clone, "demo", EXIT="3")
    assert result.returncode == 2
    assert result.stdout.splitlines() == ["[-m]", "[cercles]", "[demo]"]


def test_missing_need_stops_before_the_program(clone: Path) -> None:
    """When the environment can't be made, nothing is started in it."""
    (clone / "ops" / "bootstrap.sh").write_text("exit 1\n", encoding="utf-8")
    result = make(clone, "demo")
    assert result.returncode != 0
    assert result.stdout == ""


def test_silent_make_from_elsewhere_adds_nothing(clone: Path, tmp_path: Path) -> None:
    """`make -s -C clone demo` prints what `make demo` prints within it."""
    assert make(tmp_path, "-s", "-C", str(clone), "demo").stdout == make(clone, "demo").stdout


def test_help_lists_every_target_for_people(clone: Path) -> None:
    """`make` alone says what there is."""
    listed = set(re.findall(r"^make (\S+)", make(clone).stdout, re.MULTILINE))
    assert {"demo", "up", "test", "check", "lock", "clean", "help"} <= listed
    assert listed <= set(re.findall(r"^([a-z-]+):", (clone / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_clean_leaves_data(clone: Path) -> None:
    """The environment goes; what `cercles up` keeps stays."""
    (clone / "data").mkdir()
    (clone / "data" / "cercles.db").touch()
    assert make(clone, "clean").returncode == 0
    assert not (clone / ".venv").exists()
    assert (clone / "data" / "cercles.db").exists()
