"""The supervisor with real child processes: restarts, order of stopping, and nobody left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cercles.parts import LOG_BYTES_MAX, ChildProcess, last_line
from cercles.supervisor import BACKOFF_FIRST_SECONDS, BACKOFF_SECONDS_MAX, FAILURES_MAX, HopelessError, Supervisor

WAIT_SECONDS_MAX = 10.0

STEADY = """
    import signal, sys, time
    def end(*_):
        print(NAME, "stopped", flush=True)
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    print(NAME, "started", flush=True)
    while True:
        time.sleep(0.05)
"""
STUBBORN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("started", flush=True)
    while True:
        time.sleep(0.05)
"""
DYING = """
    import sys
    print("the cause of it all", flush=True)
    sys.exit(3)
"""


class Hands:
    """A clock's hands, moved by the test."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_child(directory: Path, name: str, script: str, log: str | None = None) -> ChildProcess:
    text = f"NAME = {name!r}\n" + textwrap.dedent(script)
    return ChildProcess(name, [sys.executable, "-c", text], dict(os.environ), directory / f"{log or name}.log")


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has asked about does not (proc(5), state Z)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_stages_stop_in_the_opposite_order(tmp_path: Path) -> None:
    """The last stage is gone before the one before it is asked to stop."""
    names = ("broker", "worker", "gateway")
    supervisor = Supervisor([[a_child(tmp_path, name, STEADY, log="all")] for name in names], say=print)
    supervisor.start()
    log = tmp_path / "all.log"
    eventually(lambda: log.read_text().count("started") == 3)
    supervisor.stop()
    assert [line for line in log.read_text().splitlines() if "stopped" in line] == [
        "gateway stopped",
        "worker stopped",
        "broker stopped",
    ]


def test_what_dies_is_restarted_with_growing_delays_and_its_last_words(tmp_path: Path) -> None:
    """The delay doubles up to a maximum; what is said names the process, how it ended, and its last line of log."""
    hands, said = Hands(), list[str]()
    child = a_child(tmp_path, "sink", DYING)
    supervisor = Supervisor([[child]], say=said.append, clock=hands)
    supervisor.start()
    delays = []
    for _ in range(FAILURES_MAX):
        eventually(lambda: not child.is_running())
        supervisor.tend()
        delays.append(float(said[-1].removesuffix(" s").rpartition(" ")[2]))
        supervisor.tend()
        assert not child.is_running(), "it was restarted before its time"
        hands.seconds += delays[-1]
        supervisor.tend()
    assert said[0] == f"sink ended (exit code 3): the cause of it all. It starts again in {BACKOFF_FIRST_SECONDS:g} s"
    assert delays[:4] == [BACKOFF_FIRST_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert max(delays) == BACKOFF_SECONDS_MAX
    eventually(lambda: not child.is_running())
    with pytest.raises(HopelessError, match="the cause of it all"):
        supervisor.tend()


def test_whom_a_signal_ended_is_not_given_words(tmp_path: Path) -> None:
    """The last line of its log has nothing to do with its end."""
    said = list[str]()
    child = a_child(tmp_path, "sink", STEADY)
    supervisor = Supervisor([[child]], say=said.append, clock=Hands())
    supervisor.start()
    eventually(lambda: last_line(tmp_path / "sink.log") == "sink started")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    eventually(lambda: not child.is_running())
    supervisor.tend()
    assert said == [f"sink ended (signal 9). It starts again in {BACKOFF_FIRST_SECONDS:g} s"]


def test_a_long_life_forgives_earlier_deaths(tmp_path: Path) -> None:
    """Who has run steadily and dies is restarted as quickly as the first time."""
    hands, said = Hands(), list[str]()
    child = a_child(tmp_path, "sink", DYING)
    supervisor = Supervisor([[child]], say=said.append, clock=hands)
    supervisor.start()
    for _ in range(3):
        eventually(lambda: not child.is_running())
        hands.seconds += 61
        supervisor.tend()
        hands.seconds += BACKOFF_FIRST_SECONDS
        supervisor.tend()
    supervisor.stop()
    assert all(words.endswith(f"in {BACKOFF_FIRST_SECONDS:g} s") for words in said)


def test_a_wrong_setting_is_not_tried_again(tmp_path: Path) -> None:
    """Exit code 2 says that a person has to change something first."""
    child = a_child(tmp_path, "reader", "import sys; print('CERCLES_READER_PORT: no'); sys.exit(2)")
    supervisor = Supervisor([[child]], say=print)
    supervisor.start()
    eventually(lambda: not child.is_running())
    with pytest.raises(HopelessError, match="CERCLES_READER_PORT"):
        supervisor.tend()


def test_who_does_not_stop_is_ended_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ignores SIGTERM is killed after its time, with its whole process group."""
    monkeypatch.setattr("cercles.parts.TERM_SECONDS_MAX", 0.3)
    child = a_child(tmp_path, "worker", STUBBORN)
    child.start()
    eventually(lambda: last_line(tmp_path / "worker.log") == "started")
    Supervisor([[child]], say=print).stop()
    assert child.exit_code() == -signal.SIGKILL


def test_children_are_out_of_reach_of_the_terminals_ctrl_c(tmp_path: Path) -> None:
    """Each has a process group of its own: Ctrl-C goes to the foreground group, which is the supervisor's."""
    child = a_child(tmp_path, "worker", STEADY)
    child.start()
    assert child.pid is not None
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    child.ask_to_stop()
    child.await_stop()


def test_no_child_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    """SIGKILL of the supervisor ends its children too, even one that ignores SIGTERM."""
    supervisor = f"""
        import os, sys, time
        from pathlib import Path
        from cercles.parts import ChildProcess
        command = [sys.executable, "-c", {textwrap.dedent(STUBBORN)!r}]
        child = ChildProcess("w", command, dict(os.environ), Path("w.log"))
        child.start()
        print(child.pid, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(supervisor)]
    environment = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child_pid = int(process.stdout.readline())
        eventually(lambda: last_line(tmp_path / "w.log") == "started")
        process.kill()
    eventually(lambda: not lives(child_pid))


def test_a_log_that_grows_is_set_aside(tmp_path: Path) -> None:
    """The child goes on writing to the same file, which starts anew; one earlier part is kept."""
    child = a_child(tmp_path, "worker", STEADY)
    child.start()
    log = tmp_path / "worker.log"
    eventually(lambda: last_line(log) == "worker started")
    with log.open("ab") as file:
        file.write(b"x" * LOG_BYTES_MAX)
    child.tend()
    assert log.stat().st_size == 0
    assert (tmp_path / "worker.log.1").stat().st_size > LOG_BYTES_MAX
    child.ask_to_stop()
    child.await_stop()
    assert log.read_text() == "worker stopped\n"
