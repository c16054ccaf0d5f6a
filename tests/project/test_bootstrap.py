"""ops/bootstrap.sh names what is missing with what to do, and does nothing twice."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.project.documents import ROOT

TOOLS: Final = ("cat", "cksum", "dirname", "head", "mv", "rm", "sed", "sh")
DEBIAN: Final = {
    "uname": "case $1 in -s) echo Linux ;; *) echo x86_64 ;; esac",
    "getconf": "echo glibc 2.36",
    "git": ":",
}

PYTHON: Final = """\
case "$*" in
    "--version") echo "Python 3.12.1" ;;
    "-m venv .venv")
        echo "venv" >>"$JOURNAL"
        mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-c import pip") exit 0 ;;
    *" install "*)
        echo "$*" >>"$JOURNAL"
        [ ! -e "$JOURNAL.fail" ] ;;
    "- 3.11") exec "$REAL" - 3.11 ;;
    *) exit 9 ;;
esac
"""
"""An interpreter that is suitable, and only writes down what it is asked to install."""

VENV: Final = "venv"
RUNTIME: Final = "-m pip --disable-pip-version-check --no-input install -q --require-hashes -r requirements.lock"
DEV: Final = "-m pip --disable-pip-version-check --no-input install -q --require-hashes -r requirements-dev.lock"
PROJECT: Final = "-m pip --disable-pip-version-check --no-input install -q --no-deps --no-build-isolation -e ."


class Machine:
    """A clone, and a PATH with nothing on it but what a test puts there."""

    def __init__(self, directory: Path) -> None:
        self.clone = directory / "a clone"
        self.programs = directory / "bin"
        self.journal = directory / "journal"
        (self.clone / "ops").mkdir(parents=True)
        self.programs.mkdir()
        shutil.copy(ROOT / "ops" / "bootstrap.sh", self.clone / "ops")
        for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
            (self.clone / name).write_text(f"{name}, first\n", encoding="utf-8")
        for tool in (*TOOLS, "mkdir", "cp"):
            found = shutil.which(tool)
            assert found is not None
            (self.programs / tool).symlink_to(found)
        for name, body in DEBIAN.items():
            self.program(name, body)

    def program(self, name: str, body: str) -> Path:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def python(self, name: str, fault: str | None = None) -> Path:
        """Put an interpreter on the PATH; a faulty one answers the question for its faults with that."""
        return self.program(name, PYTHON if fault is None else f"cat >/dev/null; echo '{fault}'")

    def bootstrap(self, kind: str = "runtime", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "ops/bootstrap.sh", kind],
            cwd=self.clone,
            env={"PATH": str(self.programs), "JOURNAL": str(self.journal), "REAL": sys.executable} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self) -> list[str]:
        """Return what was made and installed since the last look."""
        lines = self.journal.read_text(encoding="utf-8").splitlines() if self.journal.exists() else []
        self.journal.unlink(missing_ok=True)
        return lines


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def words_of_refusal(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1, result.stdout + result.stderr
    return " ".join(result.stderr.split())


def test_fresh_clone_gets_its_environment(machine: Machine) -> None:
    """The virtual environment, what the lock names checked by hash, and Cercles itself; each step is announced."""
    machine.python("python3")
    result = machine.bootstrap()
    assert result.returncode == 0, result.stderr
    assert machine.done() == [VENV, RUNTIME, PROJECT]
    assert [line for line in result.stdout.splitlines() if not line.startswith("cercles: ")] == []


def test_nothing_is_done_twice(machine: Machine) -> None:
    """The second run changes nothing."""
    machine.python("python3")
    machine.bootstrap()
    machine.done()
    assert machine.bootstrap().stdout == ""
    assert machine.done() == []


def test_tools_of_development_come_on_top(machine: Machine) -> None:
    """`make test` after `make demo` adds to the environment; `make demo` after `make test` has all it needs."""
    machine.python("python3")
    machine.bootstrap("runtime")
    machine.done()
    machine.bootstrap("dev")
    assert machine.done() == [DEV]
    machine.bootstrap("runtime")
    assert machine.done() == []


@pytest.mark.parametrize("kind", ["runtime", "dev"])
def test_another_lock_makes_another_environment(machine: Machine, kind: str) -> None:
    """The environment is exactly what the lock names: a package that left the lock leaves the environment."""
    machine.python("python3")
    machine.bootstrap(kind)
    machine.done()
    (machine.clone / "requirements.lock").write_text("second\n", encoding="utf-8")
    machine.bootstrap(kind)
    assert machine.done()[0] == VENV


def test_changed_project_is_installed_again(machine: Machine) -> None:
    """A new command in pyproject.toml appears without a new environment."""
    machine.python("python3")
    machine.bootstrap()
    machine.done()
    (machine.clone / "pyproject.toml").write_text("second\n", encoding="utf-8")
    machine.bootstrap()
    assert machine.done() == [PROJECT]


def test_moved_clone_gets_a_new_environment(machine: Machine) -> None:
    """A virtual environment has its own path in it."""
    machine.python("python3")
    machine.bootstrap()
    machine.done()
    machine.clone = machine.clone.rename(machine.clone.with_name("moved"))
    machine.bootstrap()
    assert machine.done() == [VENV, RUNTIME, PROJECT]


def test_interrupted_download_goes_on(machine: Machine) -> None:
    """A failed installation says what to do, and the next run does what is left."""
    machine.python("python3")
    fail = Path(f"{machine.journal}.fail")
    fail.touch()
    assert "pip could not install" in words_of_refusal(machine.bootstrap())
    machine.done()
    fail.unlink()
    assert machine.bootstrap().returncode == 0
    assert machine.done() == [RUNTIME, PROJECT]


def test_interrupted_environment_is_made_anew(machine: Machine) -> None:
    """Half a virtual environment is none."""
    machine.python("python3")
    (machine.clone / ".venv" / "bin").mkdir(parents=True)
    (machine.clone / ".venv" / "bin" / "python").touch()
    machine.bootstrap()
    assert machine.done() == [VENV, RUNTIME, PROJECT]


def test_first_suitable_python_is_taken(machine: Machine) -> None:
    """An old `python3` is no hindrance where a newer one stands beside it."""
    machine.python("python3", "is Python 3.9, older than 3.11")
    machine.python("python3.13")
    assert machine.bootstrap().returncode == 0
    assert machine.done() == [VENV, RUNTIME, PROJECT]


def test_python_can_be_chosen(machine: Machine, tmp_path: Path) -> None:
    """PYTHON names an interpreter that is not on the PATH."""
    chosen = machine.python("python3").rename(tmp_path / "my python")
    assert machine.bootstrap(PYTHON=str(chosen)).returncode == 0
    assert machine.done() == [VENV, RUNTIME, PROJECT]


def test_unsuitable_choice_is_refused(machine: Machine) -> None:
    """A choice is not silently replaced by another."""
    machine.python("python3")
    machine.python("python3.10", "is Python 3.10, older than 3.11")
    words = words_of_refusal(machine.bootstrap(PYTHON="python3.10"))
    assert "PYTHON=python3.10 is Python 3.10, older than 3.11" in words
    assert machine.done() == []


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        ({}, ["no Python 3.11 or newer", "apt-get install python3 python3-venv"]),
        ({"python3": "is Python 3.10, older than 3.11"}, ["python3 is Python 3.10, older than 3.11", "PYTHON="]),
        ({"python3": "has no venv"}, ["python3 has no venv", "apt-get install python3-venv"]),
        ({"python3.12": "has no venv"}, ["python3.12 has no venv", "apt-get install python3.12-venv"]),
        ({"python3": "is pypy, not CPython"}, ["python3 is pypy, not CPython"]),
    ],
    ids=["no Python", "old Python", "no venv", "no venv of another version", "another implementation"],
)
def test_missing_python_is_named_with_the_remedy(
    machine: Machine, pythons: dict[str, str], expected: list[str]
) -> None:
    """The words say what is wrong with what is there, and what to install."""
    for name, fault in pythons.items():
        machine.python(name, fault)
    words = words_of_refusal(machine.bootstrap())
    for part in expected:
        assert part in words


@pytest.mark.parametrize(
    ("program", "body", "expected"),
    [
        ("uname", "case $1 in -s) echo Darwin ;; *) echo arm64 ;; esac", "this is Darwin"),
        ("uname", "case $1 in -s) echo Linux ;; *) echo riscv64 ;; esac", "this processor is riscv64"),
        ("ldd", "echo 'musl libc (x86_64)' >&2; exit 1", "the C library here is musl"),
        ("git", None, "git is missing. Debian, Ubuntu: apt-get install git"),
    ],
    ids=["system", "processor", "musl", "git"],
)
def test_missing_need_is_named(machine: Machine, program: str, body: str | None, expected: str) -> None:
    """Each of the README's needs is checked before anything is made."""
    machine.python("python3")
    if program == "ldd":
        machine.program("getconf", "exit 1")
    (machine.programs / program).unlink(missing_ok=True)
    if body is not None:
        machine.program(program, body)
    assert expected in words_of_refusal(machine.bootstrap())
    assert machine.done() == []


def test_this_python_has_no_fault(machine: Machine) -> None:
    """The question that an interpreter is asked is one that a suitable one answers with nothing."""
    script = (machine.clone / "ops" / "bootstrap.sh").read_text(encoding="utf-8")
    question = script.partition("<<'PYTHON'")[2].partition("\n")[2].partition("\nPYTHON\n")[0]
    for oldest, answer in (("3.11", ""), ("3.99", f"is Python {sys.version_info[0]}.{sys.version_info[1]}, older")):
        result = subprocess.run(
            [sys.executable, "-", oldest], input=question, capture_output=True, text=True, check=True
        )
        assert result.stdout.startswith(answer)
        assert bool(result.stdout) == bool(answer)
