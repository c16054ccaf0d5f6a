"""The commands that run one process: help, settings, signals, operations address, exit codes."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cercles.commands import app
from cercles.processes import DESCRIPTIONS

WAIT_SECONDS_MAX = 15

FAKE = """
    import sys, threading, time
    import structlog
    from prometheus_client import CollectorRegistry, Counter
    from cercles.running import run_process
    from schemas.headway import Headway

    class Fake:
        name = "fake"
        def __init__(self):
            self.registry = CollectorRegistry()
            self.headway = Headway()
            Counter("cercles_fake_things_total", "Things", registry=self.registry).inc(3)
            self.reason = "it is {reason}"
        def not_ready(self):
            return self.reason if "{reason}" else None
        def run(self, stop):
            log = structlog.get_logger("cercles.fake")
            log.info("working", amount_minor=5)
            log.debug("details")
            {run}

    sys.exit(run_process("fake", Fake))
"""
WORK = "stop.wait()"


@contextmanager
def a_process(run: str = WORK, reason: str = "", **settings: str) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CERCLES_")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), **settings}
    script = textwrap.dedent(FAKE).replace("{run}", run).replace("{reason}", reason)
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def log_until(process: subprocess.Popen[str], words: str) -> str:
    """Read the log until a line has these words, and return that line."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"the log ended without {words!r}")


def rest_of_log(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_process_cleanly(number: signal.Signals) -> None:
    """Exit code 0, whichever way it was asked."""
    with a_process() as process:
        log_until(process, "working")
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS_MAX) == 0
        assert "process_stopped" in rest_of_log(process)


def test_health_readiness_and_metrics_are_served_on_the_operations_address() -> None:
    """On a free port, which the log names; the process's own metrics, and those of its memory and processor time."""
    with a_process() as process:
        address = re.search(r"http://127\.0\.0\.1:\d+", log_until(process, "operations_served"))
        assert address is not None
        log_until(process, "working")
        with httpx.Client(base_url=address.group()) as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").text == "ready\n"
            metrics = client.get("/metrics")
            assert client.get("/elsewhere").status_code == 404
        assert metrics.headers["content-type"].startswith("text/plain")
        assert "cercles_fake_things_total 3.0" in metrics.text
        assert "process_resident_memory_bytes" in metrics.text


def test_a_process_that_can_not_work_is_alive_but_not_ready() -> None:
    """`/readyz` is 503 and says why, so that nobody sends it work and nobody kills it either."""
    with a_process(reason="waiting for the moon") as process:
        address = re.search(r"http://127\.0\.0\.1:\d+", log_until(process, "operations_served"))
        assert address is not None
        log_until(process, "working")
        ready = httpx.get(f"{address.group()}/readyz")
        assert (ready.status_code, ready.text) == (503, "not ready: it is waiting for the moon\n")
        assert httpx.get(f"{address.group()}/healthz").status_code == 200


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("raise RuntimeError('the disk is full')", "RuntimeError: the disk is full"),
        ("return", "nobody asked it to stop"),
    ],
)
def test_a_process_that_fails_says_why_in_its_last_line(run: str, words: str) -> None:
    """Exit code 1; the traceback stands in the log before that line, not after it."""
    with a_process(run) as process:
        lines = rest_of_log(process).splitlines()
        assert process.wait(WAIT_SECONDS_MAX) == 1
        assert "process_ended" in lines[-1]
        assert words in lines[-1]


def test_a_taken_operations_port_is_named() -> None:
    """With the variable that chooses another one."""
    with a_process() as first:
        address = re.search(r":(\d+)", log_until(first, "operations_served").partition("http")[2].partition("//")[2])
        assert address is not None
        with a_process(CERCLES_OPERATIONS_PORT=address.group(1)) as second:
            last = rest_of_log(second).splitlines()[-1]
            assert second.wait(WAIT_SECONDS_MAX) == 1
            assert "CERCLES_OPERATIONS_PORT" in last


def test_logs_are_json_when_asked_and_respect_their_level() -> None:
    """One object a line, with time, level, logger and the event's own fields; DEBUG shows ours."""
    with a_process(CERCLES_LOG_FORMAT="json", CERCLES_LOG_LEVEL="DEBUG") as process:
        line = log_until(process, '"working"')
        for words in ('"amount_minor": 5', '"level": "info"', '"logger": "cercles.fake"', '"timestamp": "'):
            assert words in line
        log_until(process, '"details"')


def test_the_root_logger_never_sits_at_debug() -> None:
    """Even when DEBUG is asked for: libraries would format messages that nobody reads."""
    run = "import logging; log.info('root', root_level=logging.getLogger().level); stop.wait()"
    with a_process(run, CERCLES_LOG_FORMAT="json", CERCLES_LOG_LEVEL="DEBUG") as process:
        assert '"root_level": 20' in log_until(process, '"root"')


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"CERCLES_LOG_LEVEL": "LOUD"}, "CERCLES_LOG_LEVEL: Input should be 'DEBUG'"),
        ({"CERCLES_OPERATIONS_PORT": "99999"}, "CERCLES_OPERATIONS_PORT: Input should be less than or equal to 65535"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_means(settings: dict[str, str], words: str) -> None:
    """Exit code 2 and one line, no traceback."""
    with a_process(**settings) as process:
        log = rest_of_log(process)
        assert process.wait(WAIT_SECONDS_MAX) == 2
        assert log.startswith(f"cercles fake: {words}")
        assert log.count("\n") == 1


def test_a_missing_setting_of_a_real_process_is_named() -> None:
    """The gateway needs its admin key and the key of the pseudonyms; it says so, and no secret's value."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CERCLES_")}
    environment["CERCLES_PSEUDONYM_KEY"] = "short"
    done = subprocess.run(
        [sys.executable, "-m", "cercles", "gateway"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "CERCLES_" in done.stderr
    assert "short" not in done.stderr.replace("shorter", "")
    assert "Traceback" not in done.stderr


def test_every_command_has_help() -> None:
    """That says what it does; processes, where their settings are."""
    runner = CliRunner()
    overview = runner.invoke(app, ["--help"])
    assert overview.exit_code == 0
    commands = [*DESCRIPTIONS, "demo", "up", "send", "topics", "db"]
    for command in commands:
        assert command in overview.stdout
        page = runner.invoke(app, [command, "--help"])
        assert page.exit_code == 0
        assert "Usage: " in page.stdout
    assert "docs/reference/settings.md" in runner.invoke(app, ["gateway", "--help"]).stdout
    assert runner.invoke(app, []).exit_code == 2, "without a command, help is not an answer"
