"""Runs one worker as a process of its own, as `cercles worker` does, without the command around it."""

import signal
import threading

from stream_processors.settings import WorkerSettings
from stream_processors.shell.process import WorkerProcess

if __name__ == "__main__":
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    WorkerProcess(WorkerSettings()).run(stop)
