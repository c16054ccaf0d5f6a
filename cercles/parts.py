"""What a supervisor keeps alive: processes of ours, and the embedded broker."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from cercles.embedded.kafka import EmbeddedKafka, EmbeddedKafkaError

LOG_BYTES_MAX: Final = 8 * 1024 * 1024
"""Size at which a process's log is set aside as `.1`; so two of these are the most that it takes on disk."""

TAIL_BYTES_MAX: Final = 8_192
WORDS_LENGTH_MAX: Final = 300
TERM_SECONDS_MAX: Final = 12.0
"""Time to stop cleanly; the processes promise 10 s."""

KILL_SECONDS_MAX: Final = 5.0
BROKER_START_SECONDS_MAX: Final = 60.0
BROKER_STOP_SECONDS_MAX: Final = 30.0


class StartError(Exception):
    """A part could not be started; the message says why."""


class Part(Protocol):
    """Something that can be started, may die, and can be stopped."""

    @property
    def name(self) -> str: ...
    def start(self) -> None:
        """Start it, the first time or again. Called from one thread only. Raises StartError."""
        ...

    def is_running(self) -> bool: ...
    def exit_code(self) -> int | None:
        """Return how it ended: 0 to 255, or minus the signal's number; None while it runs or when nobody knows."""
        ...

    def last_words(self) -> str:
        """Return the last line of its log, or an empty text."""
        ...

    def ask_to_stop(self) -> None:
        """Ask it to stop, and return at once."""
        ...

    def await_stop(self) -> None:
        """Return once it has stopped; when that takes too long, end it by force."""
        ...

    def tend(self) -> None:
        """Do what has to be done now and then while it runs."""
        ...


class ChildProcess:
    """A command run as a child in a process group of its own, so that a terminal's Ctrl-C reaches the supervisor alone.

    Standard output and error go to the log. It dies with this process. Start it from a thread that lives as long as
    the child shall: Linux takes the end of the thread that started it for the owner's.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log_path: Path) -> None:
        self.name = name
        self._command = tuple(command)
        self._environment = dict(environment)
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, or None before the first start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        leash = Path(__file__).with_name("leash.py")
        # Appending, since `tend` cuts the file short while the child holds it open.
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-I", "-S", str(leash), str(os.getpid()), *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def last_words(self) -> str:
        return last_line(self._log_path)

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()  # nothing happens when it has ended
            self._process.send_signal(signal.SIGCONT)  # it may have been paused

    def await_stop(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(TERM_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(KILL_SECONDS_MAX)

    def tend(self) -> None:
        """Set the log aside when it has grown too large. What is written between the two steps is lost."""
        if self._log_path.exists() and self._log_path.stat().st_size > LOG_BYTES_MAX:
            shutil.copyfile(self._log_path, self._log_path.with_name(self._log_path.name + ".1"))
            os.truncate(self._log_path, 0)


class BrokerPart:
    """The embedded broker. It ends with this process by ways of its own."""

    name: Final = "kafka"

    def __init__(self, kafka: EmbeddedKafka) -> None:
        self._kafka = kafka

    def start(self) -> None:
        try:
            self._kafka.start(BROKER_START_SECONDS_MAX)
        except EmbeddedKafkaError as error:
            raise StartError(str(error)) from error

    def is_running(self) -> bool:
        return self._kafka.is_running()

    def exit_code(self) -> int | None:
        return None

    def last_words(self) -> str:
        return _shortened(self._kafka.log_tail())

    def ask_to_stop(self) -> None:
        """Nothing: it is asked and awaited in one step."""

    def await_stop(self) -> None:
        self._kafka.terminate(BROKER_STOP_SECONDS_MAX)

    def tend(self) -> None:
        """Nothing: its log is kept short by ways of its own."""


def last_line(path: Path) -> str:
    """Return the last line with words of a log file, shortened; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES_MAX))
            return _shortened(file.read().decode(errors="replace"))
    except FileNotFoundError:
        return ""


def _shortened(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:WORDS_LENGTH_MAX] if lines else ""


def await_all(parts: Sequence[Part]) -> float:
    """Ask all to stop, wait for all, and return how many seconds that took."""
    began = time.monotonic()
    for part in parts:
        part.ask_to_stop()
    for part in parts:
        part.await_stop()
    return time.monotonic() - began
