"""The small process between the embedded broker and whoever owns it: it ends the broker when the owner is gone.

Run by `kafka.py` as a plain script, with the standard library alone, so that it starts in milliseconds and holds about
15 MB. Why a process of its own:

- PR_SET_PDEATHSIG set straight on the broker would fire when the *thread* that started it ends, and owners start
  brokers from worker threads. This process has one thread, so between it and the broker the signal is right.
- The owner's death is noticed twice: the end of the pipe on stdin (at once), and a changed parent process (within
  `TICK_SECONDS`), because children that the owner forked may hold the other end of the pipe open.

It also copies the broker's output to a log file that is rotated, so that it is bounded whatever Java prints.
"""

from __future__ import annotations

import ctypes
import logging
import logging.handlers
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_SECONDS = 0.5
READ_BYTES_MAX = 65_536
LOG_FILES_KEPT = 3
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(slots=True)
class Order:
    """Set by SIGTERM to this process: end the broker as if the owner were gone."""

    stop: bool = False


def main(arguments: list[str]) -> int:
    """Arguments: owner's process id, seconds of grace, log path, log bytes, lock's descriptor, the broker's command."""
    owner_pid, grace_seconds, log_path, log_bytes_max, lock_descriptor, *command = arguments
    if os.getppid() != int(owner_pid):
        return 1  # the owner died before this process looked
    order = Order()
    signal.signal(signal.SIGTERM, lambda *_: setattr(order, "stop", True))
    log = logging.handlers.RotatingFileHandler(
        log_path, maxBytes=int(log_bytes_max), backupCount=LOG_FILES_KEPT, encoding="utf-8", errors="replace"
    )
    log.terminator = ""
    log.doRollover()  # one file per run of the broker, so that its end explains this run
    logging.raiseExceptions = False  # a full disk must not end the broker from here: it has its own answer to that
    with subprocess.Popen(  # noqa: S603 - the command is the owner's
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
        pass_fds=[int(lock_descriptor)],  # the data directory stays locked until the broker itself is gone
    ) as broker:
        try:
            sys.stdout.write(f"{broker.pid}\n")
            sys.stdout.close()
            _attend(broker, log, order, int(owner_pid), float(grace_seconds))
        except BaseException:
            broker.kill()  # before the with statement waits for it
            raise
    return broker.returncode if broker.returncode >= 0 else 128 - broker.returncode


def _attend(
    broker: subprocess.Popen[bytes],
    log: logging.handlers.RotatingFileHandler,
    order: Order,
    owner_pid: int,
    grace_seconds: float,
) -> None:
    """Copy the broker's output until it ends; once the owner is gone, end it within the seconds of grace."""
    output: IO[bytes] | None = broker.stdout
    if output is None:
        raise RuntimeError("the broker was started without a pipe")
    kill_at: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(TICK_SECONDS):
                data = os.read(key.fd, READ_BYTES_MAX)
                if key.fileobj is output and not data:
                    return  # its last writer is gone
                if key.fileobj is output:
                    log.emit(logging.makeLogRecord({"msg": data.decode(errors="replace")}))
                elif not data:
                    selector.unregister(sys.stdin)
                    order.stop = True
            if kill_at is None and (order.stop or os.getppid() != owner_pid):
                kill_at = time.monotonic() + grace_seconds
                broker.send_signal(signal.SIGTERM)
                broker.send_signal(signal.SIGCONT)  # it may have been paused
            if kill_at is not None and time.monotonic() > kill_at:
                broker.kill()


def _die_with(supervisor_pid: int) -> Callable[[], None]:
    """What the broker's process does before it becomes Java: ask Linux to kill it when this process is killed."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def ask() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor_pid:
            os._exit(1)

    return ask


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
