"""The demo from its first line to its exit code."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from kafka.errors import KafkaError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from cercles.attendance import NotReadyError
from cercles.data_directory import DataDirectory, DataDirectoryError
from cercles.demo import report
from cercles.demo.follower import UnansweredError
from cercles.demo.performance import Performance, Result, UnsettledError
from cercles.demo.story import LES_ANGES_ANONYMES, StoryError, load
from cercles.demo.storyteller import NotTakenError
from cercles.display import Display
from cercles.embedded.jars import JarsError
from cercles.exit_codes import EXIT_CLEAN, EXIT_FAILED, EXIT_INTERRUPTED
from cercles.interruption import Interrupted, interruptible
from cercles.parts import StartError
from cercles.ports import NoFreePortError
from cercles.supervisor import HopelessError


class StoryDiffersError(Exception):
    """What came out is not what the story says; the differences have been shown."""


_FAILURES: Final = (
    DataDirectoryError,
    HopelessError,
    JarsError,
    KafkaError,
    NoFreePortError,
    NotReadyError,
    NotTakenError,
    SQLAlchemyError,
    StartError,
    StoryError,
    StoryDiffersError,
    UnansweredError,
    UnsettledError,
    httpx.HTTPError,
)
"""What can go wrong on a machine; anything else is a defect, and shows its traceback."""


def show(*, as_json: bool, stay: bool, pace_seconds: float, story_path: Path | None, data: Path | None) -> int:
    """Run the demo; return its exit code. Progress goes to standard error, the result to standard output.

    `pace_seconds` is what telling the story takes at least; `data` a directory to keep, else a temporary one is used,
    which is kept only when something failed.
    """
    with Display() as display:
        try:
            with interruptible(), _directory(data, display) as directory:
                story = load(story_path or LES_ANGES_ANONYMES)
                performance = Performance(story, directory, display)
                return _perform(performance, display, as_json=as_json, stay=stay, pace_seconds=pace_seconds)
        except Interrupted as interruption:
            display.say(f"interrupted by {interruption}")
            return EXIT_INTERRUPTED
        except _FAILURES as failure:
            display.say(f"the demo failed: {type(failure).__name__}: {failure}")
            return EXIT_FAILED


def _perform(performance: Performance, display: Display, *, as_json: bool, stay: bool, pace_seconds: float) -> int:
    with performance.stage() as attendance:
        result = performance.tell(attendance, pace_seconds)
        if stay and not result.differences:
            _print(result, display, as_json=as_json)
            display.say("everything keeps running: Ctrl-C ends it")
            with contextlib.suppress(Interrupted):
                performance.stay(attendance)
    if result.differences:
        for difference in result.differences:
            display.say(str(difference))
        raise StoryDiffersError(f"{len(result.differences)} numbers are not the story's")
    if not stay:
        _print(result, display, as_json=as_json)
    return EXIT_CLEAN


def _print(result: Result, display: Display, *, as_json: bool) -> None:
    display.rest()
    if as_json:
        sys.stdout.write(report.as_json(result) + "\n")
    else:
        report.write(result, Console(highlight=False))
    sys.stdout.flush()


@contextmanager
def _directory(data: Path | None, display: Display) -> Iterator[DataDirectory]:
    """Yield a fresh data directory, held. A temporary one is removed, unless something failed that its logs explain."""
    if data is not None and data.exists() and any(data.iterdir()):
        raise DataDirectoryError(f"{data} is not empty: the demo begins afresh, name a directory that does not exist")
    path = data or Path(tempfile.mkdtemp(prefix="cercles-demo-"))
    directory = DataDirectory(path)
    try:
        with directory.held():
            yield directory
    except Interrupted:
        _remove(path, keep=data is not None)
        raise
    except Exception:
        display.say(f"the logs are in {directory.logs}")
        raise
    _remove(path, keep=data is not None)


def _remove(path: Path, *, keep: bool) -> None:
    if not keep:
        shutil.rmtree(path)
