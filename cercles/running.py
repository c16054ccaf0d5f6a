"""Runs one process: logs, signals, operations address, stall watch, exit code."""

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

import structlog
from pydantic import ValidationError
from pydantic_settings import SettingsError

from cercles.exit_codes import EXIT_CLEAN, EXIT_FAILED, EXIT_SETTINGS
from cercles.logs import configure_logs
from cercles.operations import AddressInUseError, OperationsServer
from cercles.process import Process
from cercles.settings import LogSettings, OperationsSettings
from cercles.settings_faults import explain
from cercles.stall_watch import StallWatch
from schemas.failure_points import FailurePointsError, arm_from_environment

log = structlog.get_logger(__name__)


def run_process(name: str, make: Callable[[], Process]) -> int:
    """Make the process from the environment, run it until SIGTERM or SIGINT, and return the exit code.

    0: stopped when asked to. 1: it failed, or stood still; the last line of the log says why. 2: a setting is wrong;
    standard error names the variables.
    """
    try:
        configure_logs(LogSettings())
        armed = arm_from_environment()
        operations = OperationsSettings()
        process = make()
    except (ValidationError, SettingsError, FailurePointsError) as fault:
        for line in [str(fault)] if isinstance(fault, FailurePointsError) else explain(fault):
            sys.stderr.write(f"cercles {name}: {line}\n")
        return EXIT_SETTINGS
    except Exception as error:
        log.exception("process_failed_to_start", process=name)
        log.error("process_ended", process=name, reason=_reason(error))  # noqa: TRY400 - the trace stands above it
        return EXIT_FAILED
    if armed:
        log.warning("failure_points_armed", process=name, points=armed)
    stop = threading.Event()
    _stop_on_signals(stop)
    watch = StallWatch(process, operations.stall_seconds_max, stop)
    try:
        with OperationsServer(process, operations, watch):
            watch.start()
            process.run(stop)
    except AddressInUseError as error:
        log.error("process_ended", process=name, reason=str(error))  # noqa: TRY400 - says all there is to say
        return EXIT_FAILED
    except Exception as error:
        log.exception("process_failed", process=name)
        reason = watch.verdict or _reason(error)
        log.error("process_ended", process=name, reason=reason)  # noqa: TRY400 - the trace stands above it
        return EXIT_FAILED
    if watch.verdict is not None or not stop.is_set():
        reason = watch.verdict or "it returned although nobody asked it to stop"
        log.error("process_ended", process=name, reason=reason)
        return EXIT_FAILED
    log.info("process_stopped", process=name)
    return EXIT_CLEAN


def _stop_on_signals(stop: threading.Event) -> None:
    """Ask for a clean stop at the first signal; a second one of the same kind ends the process at once."""

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a signal handler
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
