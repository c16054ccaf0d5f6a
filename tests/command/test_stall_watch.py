"""A process that stands still although there is something to do says so, and ends after a bounded time."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from cercles import stall_watch
from cercles.exit_codes import EXIT_FAILED
from cercles.parts import ChildProcess
from cercles.stall_watch import GRACE_SECONDS, StallWatch
from cercles.supervisor import BACKOFF_FIRST_SECONDS, Supervisor
from schemas.headway import Headway
from tests.command.test_processes import FAKE, a_process, log_until, rest_of_log
from tests.conftest import wait_until

ALLOWED_SECONDS = 3
WAIT_SECONDS_MAX = 30
HANG = "threading.Event().wait()"
OBEY = "stop.wait()"
FILL_THE_LOG = "log.info('x' * 1_000_000)"
"""Whoever does not read the log's pipe stops the process in the middle of a write, with the log's lock in its hands."""

WORK = "exec('while not stop.wait(0.5): self.headway.note({})')"


class FakeProcess:
    """A process that does what the test says."""

    name = "fake"

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.headway = Headway()

    def not_ready(self) -> str | None:
        """Return nothing: it always can."""
        return None

    def run(self, stop: threading.Event) -> None:
        """Do nothing."""


class Watched:
    """A fake process with its watch, which looks when the test says."""

    def __init__(self, seconds_max: float) -> None:
        self.process = FakeProcess()
        self.stop = threading.Event()
        self.codes: list[int] = []
        self.watch = StallWatch(self.process, seconds_max, self.stop, end=self.codes.append)

    def look(self, times: int) -> None:
        for _ in range(times):
            self.watch.look()

    def stalled_seconds(self) -> float | None:
        return self.process.registry.get_sample_value("cercles_process_stalled_seconds")


def test_headway_is_no_stall() -> None:
    """However slowly: what counts is that the number changes within the time allowed."""
    watched = Watched(60)
    for _ in range(10):
        watched.process.headway.note({})
        watched.look(15)
        assert watched.watch.complaint() is None
    assert watched.stalled_seconds() == 14
    watched.process.headway.note({})
    watched.look(1)
    assert watched.stalled_seconds() == 0
    assert watched.watch.verdict is None


def test_a_stall_is_said_first_and_ends_the_process_at_last() -> None:
    """Not ready after a quarter of the time; asked to stop after all of it, once, with what stands still named."""
    watched = Watched(60)
    watched.process.headway.note({})
    for _ in range(3):
        watched.process.headway.note({f"partition {number}": 7 for number in range(7)})
    watched.look(1)
    watched.look(15)
    assert (watched.watch.complaint(), watched.stalled_seconds()) == (None, 15)
    watched.look(1)
    complaint = watched.watch.complaint() or ""
    assert complaint.startswith("no progress for 16 s (partition 0 at 7, partition 1 at 7,")
    assert complaint.endswith(" 2 more)")
    watched.look(43)
    assert (watched.watch.verdict, watched.stop.is_set()) == (None, False)
    watched.look(1)
    assert (watched.watch.verdict or "").startswith("no progress for 60 s (partition 0 at 7,")
    assert watched.stop.is_set()


def test_a_process_that_gets_on_again_is_forgiven_before_the_time_is_up() -> None:
    """And has all of its time again."""
    watched = Watched(60)
    watched.look(59)
    watched.process.headway.note({})
    watched.look(60)
    assert (watched.watch.verdict, watched.stalled_seconds()) == (None, 59)


def test_what_does_not_stop_is_ended_after_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the log can't be written any more."""
    monkeypatch.setattr(stall_watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(stall_watch, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(stall_watch, "SPEAK_SECONDS_MAX", 0.05)
    monkeypatch.setattr(stall_watch, "_stacks", threading.Event().wait)
    watched = Watched(0.05)
    watched.watch.start()
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not watched.codes:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert watched.codes == [1]


def test_a_process_that_can_start_no_further_thread_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of threads may be why it stands still; what was to be said then remains unsaid."""
    monkeypatch.setattr(stall_watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(stall_watch, "GRACE_SECONDS", 0.01)
    watched = Watched(0.02)
    watched.watch.start()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    wait_until(lambda: bool(watched.codes), "the process is ended")
    assert watched.codes == [EXIT_FAILED]


@pytest.mark.parametrize(("run", "words"), [(HANG, "it did not stop within"), (OBEY, "ending, to be started again")])
def test_a_stalled_process_ends_with_its_reason(run: str, words: str) -> None:
    """Whether it stops when it is asked or not: exit code 1, its threads' stacks, and the reason as last words."""
    began = time.monotonic()
    with a_process(run, CERCLES_OPERATIONS_STALL_SECONDS_MAX=str(ALLOWED_SECONDS)) as process:
        log = rest_of_log(process)
        assert process.wait(WAIT_SECONDS_MAX) == 1
    assert time.monotonic() - began < ALLOWED_SECONDS + GRACE_SECONDS + WAIT_SECONDS_MAX
    assert "process_stalled" in log
    assert "Thread MainThread:" in log
    assert re.search(r"line \d+, in run\n", log)
    last = log.splitlines()[-1]
    assert "process_ended" in last
    assert f"no progress for {ALLOWED_SECONDS} s" in last
    assert words in last


def test_a_process_that_hangs_in_its_log_ends_too() -> None:
    """Nothing that a thread of it holds can keep the watch from ending it."""
    with a_process(FILL_THE_LOG, CERCLES_OPERATIONS_STALL_SECONDS_MAX="1") as process:
        assert process.wait(WAIT_SECONDS_MAX) == 1


def test_a_process_that_hangs_on_its_way_out_ends_too() -> None:
    """A thread that never ends keeps the interpreter alive after `run` has returned."""
    hang = "threading.Thread(target=threading.Event().wait).start(); stop.wait()"
    with a_process(hang, CERCLES_OPERATIONS_STALL_SECONDS_MAX="2") as process:
        log_until(process, "working")
        process.send_signal(signal.SIGTERM)
        log_until(process, "process_stopped")
        assert process.wait(WAIT_SECONDS_MAX) == 1


def test_a_stall_is_seen_from_outside() -> None:
    """`/readyz` says for how long, before it asks the process itself, which may hang; the metric has the seconds."""
    hang = f"self.not_ready = threading.Event().wait; {HANG}"
    with a_process(hang, CERCLES_OPERATIONS_STALL_SECONDS_MAX="60") as process:
        address = re.search(r"http://127\.0\.0\.1:\d+", log_until(process, "operations_served"))
        assert address is not None
        with httpx.Client(base_url=address.group()) as client:
            deadline = time.monotonic() + WAIT_SECONDS_MAX
            while (seconds := stalled_seconds(client)) <= 15:
                assert time.monotonic() < deadline
                time.sleep(0.5)
            ready = client.get("/readyz")
        assert ready.status_code == 503
        found = re.fullmatch(r"not ready: no progress for (\d+) s\n", ready.text)
        assert found is not None
        assert int(found.group(1)) >= seconds


def stalled_seconds(client: httpx.Client) -> float:
    found = re.search(r"^cercles_process_stalled_seconds (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found.group(1))


def test_a_process_that_was_suspended_is_not_ended_for_it() -> None:
    """The clock has moved on by more than the time allowed; the process has not stood still, it did not run at all."""
    with a_process(WORK, CERCLES_OPERATIONS_STALL_SECONDS_MAX=str(ALLOWED_SECONDS)) as process:
        log_until(process, "working")
        process.send_signal(signal.SIGSTOP)
        time.sleep(ALLOWED_SECONDS + 2)
        process.send_signal(signal.SIGCONT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(ALLOWED_SECONDS + 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS_MAX) == 0


def test_a_stalled_part_is_started_again_and_said_why(tmp_path: Path) -> None:
    """The supervisor of `cercles up` sees an end like any other, waits, and starts it again."""
    said = list[str]()
    script = textwrap.dedent(FAKE).replace("{run}", HANG).replace("{reason}", "")
    environment = dict(os.environ) | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "CERCLES_OPERATIONS_STALL_SECONDS_MAX": "1",
    }
    child = ChildProcess("fake", [sys.executable, "-c", script], environment, tmp_path / "fake.log")
    supervisor = Supervisor([[child]], say=said.append)
    supervisor.start()
    first = child.pid
    deadline = time.monotonic() + WAIT_SECONDS_MAX + GRACE_SECONDS
    while not said or not child.is_running():
        assert time.monotonic() < deadline
        supervisor.tend()
        time.sleep(0.05)
    supervisor.stop()
    assert child.pid != first
    assert said[0].startswith("fake ended (exit code 1): ")
    assert "no progress for 1 s" in said[0]
    assert said[0].endswith(f"It starts again in {BACKOFF_FIRST_SECONDS:g} s")
