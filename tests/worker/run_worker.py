"""Runs one worker as a process of its own, as `cercles worker` does, without the command around it."""

import signal
import threading

stop = threading.Event()
# Before the rest is imported, which takes a while: a test may stop a worker that is still starting.
signal.signal(signal.SIGTERM, lambda *_: stop.set())

from stream_processors.settings import WorkerSettings  # noqa: E402
from stream_processors.shell.process import WorkerProcess  # noqa: E402

if __name__ == "__main__":
    WorkerProcess(WorkerSettings()).run(stop)
