"""The import contracts hold, and each of them can fail: a contract that matches nothing would hold for ever."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.project.documents import ROOT

PACKAGES: Final = ("cercles", "producers", "readers", "schemas", "sinks", "stream_processors")

LAYERS: Final = "Folders import only schemas; cercles imports all"
SCAFFOLDING: Final = "Nothing of ours imports tests or tools"
LEDGER: Final = "The ledger imports only what cannot reach outside"
RESOLVER: Final = "The resolver imports only what cannot reach outside"
PURE: Final = "What the pure folds import does no input or output"
FAUST: Final = "Faust stays in stream_processors"
AIOKAFKA: Final = "Only what publishes in an event loop, and Faust, need aiokafka"
READERS: Final = "Readers read rows, not topics"

WRONG: Final = {
    "schemas -> producers": ("schemas/money.py", "import producers.settings", LAYERS),
    "producers -> sinks": ("producers/settings.py", "import sinks.settings", LAYERS),
    "sinks -> readers": ("sinks/settings.py", "from readers import settings", LAYERS),
    "readers -> stream_processors": ("readers/settings.py", "import stream_processors.refusals", LAYERS),
    "stream_processors -> cercles": ("stream_processors/settings.py", "import cercles.process", LAYERS),
    "within a function": ("sinks/settings.py", "def late() -> None:\n    import producers.settings", LAYERS),
    "sinks -> tests": ("sinks/settings.py", "import tests.project", SCAFFOLDING),
    "ledger -> time": ("stream_processors/ledger/__init__.py", "import time", LEDGER),
    "ledger -> a new library": ("stream_processors/ledger/percent.py", "import httpx", LEDGER),
    "ledger -> the shell": ("stream_processors/ledger/percent.py", "import stream_processors.settings", LEDGER),
    "ledger -> tables": ("stream_processors/ledger/percent.py", "from schemas import tables", LEDGER),
    "resolver -> time": ("stream_processors/resolver/fold.py", "import time", RESOLVER),
    "resolver -> a new library": ("stream_processors/resolver/fold.py", "import httpx", RESOLVER),
    "resolver -> the ledger": ("stream_processors/resolver/fold.py", "import stream_processors.ledger.fold", RESOLVER),
    "resolver -> topics": ("stream_processors/resolver/batch.py", "from schemas import topics", RESOLVER),
    "events -> os": ("schemas/events.py", "import os", PURE),
    "refusals -> settings of Kafka": ("stream_processors/refusals.py", "import schemas.connections", PURE),
    "producers -> faust": ("producers/settings.py", "import faust", FAUST),
    "clock -> aiokafka": ("producers/clock/closing.py", "import aiokafka", AIOKAFKA),
    "readers -> kafka": ("readers/settings.py", "from kafka import KafkaConsumer", READERS),
}


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages of that directory: the working directory comes before the installed ones."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", "--config", ROOT / ".importlinter"],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(directory), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of our packages that a test may spoil."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=lambda _, names: [n for n in names if n == "__pycache__"]
        )
    return tmp_path


def test_contracts_hold() -> None:
    """Nobody crosses a folder, and the pure parts are pure."""
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("path", "statement", "contract"), WRONG.values(), ids=WRONG.keys())
def test_wrong_import_breaks_its_contract(copy: Path, path: str, statement: str, contract: str) -> None:
    """One import too many, and the contract that forbids it says so."""
    file = copy / path
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{statement}\n", encoding="utf-8")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert any(line.startswith(f"{contract} BROKEN") for line in result.stdout.splitlines()), result.stdout
