""".ci/run installs what a bare machine lacks, then checks, then tests, and fails when one of them does."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.project.documents import ROOT

TOOLS: Final = ("bash", "dirname", "env")
STEPS: Final = ("check", "coverage", "faults ARGS=--short --json", "test")
"""What it makes, in this order; pytest's closing line comes last."""


class Runner:
    """A clone with nothing but .ci/run, and a PATH with nothing on it but programs that write down their calls."""

    def __init__(self, directory: Path) -> None:
        self.clone = directory / "a clone"
        self.programs = directory / "bin"
        self.journal = directory / "journal"
        (self.clone / ".ci").mkdir(parents=True)
        self.programs.mkdir()
        shutil.copy(ROOT / ".ci" / "run", self.clone / ".ci")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.programs / tool).symlink_to(found)
        for name in ("git", "make", "python3", "prometheus", "promtool", "chromium", "apt-get"):
            self.program(name)
        self.program("id", "echo 0")

    def program(self, name: str, body: str = "") -> None:
        path = self.programs / name
        body = body or f'[ $1 = -c ] || echo "{name} $* CI=$CI" >>"{self.journal}"'
        path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / "bash", self.clone / ".ci" / "run"],
            cwd="/",
            env={"PATH": str(self.programs)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        return self.journal.read_text(encoding="utf-8").splitlines() if self.journal.exists() else []


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_checks_then_tests(runner: Runner) -> None:
    """Where nothing is missing nothing is installed; skips count as failures, whoever calls it."""
    assert runner.run().returncode == 0
    assert runner.calls() == [f"make {step} CI=true" for step in STEPS]


@pytest.mark.parametrize(
    ("missing", "packages"),
    [
        ("git", "git"),
        ("make", "make"),
        ("python3", "python3 python3-venv"),
        ("prometheus", "prometheus"),
        ("promtool", "prometheus"),
        ("chromium", "chromium"),
    ],
)
def test_what_is_missing_is_installed_first(runner: Runner, missing: str, packages: str) -> None:
    """A bare Debian gets just what it lacks."""
    (runner.programs / missing).unlink()
    runner.run()
    installed = [call.partition(" CI=")[0] for call in runner.calls() if call.startswith("apt-get")]
    assert installed == ["apt-get update", f"apt-get install --yes --no-install-recommends {packages}"]


def test_old_python_is_no_python(runner: Runner) -> None:
    """What ops/bootstrap.sh would refuse is installed anew."""
    runner.program("python3", "exit 1")
    runner.run()
    assert any("install --yes --no-install-recommends python3 python3-venv" in call for call in runner.calls())


@pytest.mark.parametrize(("failing", "calls"), [(step, number) for number, step in enumerate(STEPS, 1)])
def test_failure_is_a_failure(runner: Runner, failing: str, calls: int) -> None:
    """Nothing after a failure makes up for it."""
    runner.program("make", f'echo "make $1" >>"{runner.journal}"; [ "$*" != "{failing}" ]')
    assert runner.run().returncode != 0
    assert len(runner.calls()) == calls


def test_machine_without_a_way_to_install_is_told_what_it_lacks(runner: Runner) -> None:
    """The words name what is missing."""
    for name in ("git", "apt-get"):
        (runner.programs / name).unlink()
    result = runner.run()
    assert result.returncode == 1
    assert "this machine lacks git" in result.stderr
