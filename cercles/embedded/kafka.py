"""A real Apache Kafka, one node on loopback, from pip-installed things alone: no Docker, no system Java, no Maven.

    owner (this class) ──pipe──▶ supervisor.py ──▶ java kafka.Kafka, in its data directory (directory.py)

The broker is combined with its controller (KRaft). Acknowledged records survive the end of the broker, of its owner
and, by default, of the machine.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from cercles.embedded.directory import LOOPBACK, DataDirectory, EmbeddedKafkaError
from cercles.embedded.jars import Progress, ensure_jars
from cercles.embedded.java import environment, java_command

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EmbeddedKafka", "EmbeddedKafkaError"]

LAUNCH_ATTEMPTS_MAX = 5  # each with other ports, when someone took one between our look and Kafka's bind
HEAP_MEBIBYTES = 512
LOG_BYTES_MAX = 2 * 1024 * 1024  # per file; supervisor.py keeps 3 more
OWNER_GONE_GRACE_SECONDS = 3.0
KILL_SECONDS_MAX = 20.0
POLL_SECONDS = 0.1
CONNECT_SECONDS_MAX = 0.5
REQUEST_SECONDS_MAX = 2.0

log = logging.getLogger(__name__)


class _PortTakenError(EmbeddedKafkaError):
    """Someone bound a port between our look and the broker's bind."""


class EmbeddedKafka:
    """One durable Kafka node on loopback. Call it from one thread at a time; `is_running` from any.

    `data_directory` is made if it does not exist; started again on it, the broker has its records and, when its port is
    still free, its address. `cache_directory` and `progress` go to `ensure_jars`. `heap_mebibytes` is Java's -Xmx.
    `flush_every_message` makes an acknowledged record survive the machine's sudden end, not only the broker's: switch
    it off for benchmarks and tests alone. `port` insists on a port instead of choosing one. `extra_settings` are lines
    of server.properties that win over ours.
    """

    def __init__(
        self,
        data_directory: Path,
        *,
        cache_directory: Path | None = None,
        heap_mebibytes: int = HEAP_MEBIBYTES,
        flush_every_message: bool = True,
        port: int | None = None,
        extra_settings: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._directory = DataDirectory(data_directory)
        self._cache_directory = cache_directory
        self._heap_mebibytes = heap_mebibytes
        self._flush_every_message = flush_every_message
        self._fixed_port = port
        self._extra_settings = dict(extra_settings or {})
        self._progress = progress
        self._port: int | None = None
        self._pid: int | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients, as of the last start. Raises `EmbeddedKafkaError` before the first one."""
        if self._port is None:
            raise EmbeddedKafkaError("the embedded Kafka has no address yet: start() it first")
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of the broker's Java. Raises `EmbeddedKafkaError` when it is not running."""
        if self._pid is None or not self.is_running():
            raise EmbeddedKafkaError("the embedded Kafka is not running")
        return self._pid

    def is_running(self) -> bool:
        """Whether the broker's process lives (a paused one does)."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def start(self, timeout_seconds: float = 60.0) -> None:
        """Start the broker and return when it answers; nothing happens when it is running.

        The timeout does not include downloading the jars, the first time. Raises `EmbeddedKafkaError` with the end of
        the broker's log when it does not come up, and what `ensure_jars` raises.
        """
        if self.is_running():
            return
        self._release()
        java = self._java()
        deadline = time.monotonic() + timeout_seconds
        with self._directory.locked() as lock_descriptor:
            self._directory.prepare()
            cluster_id = self._directory.format(java, timeout_seconds)
            for attempt in range(1, LAUNCH_ATTEMPTS_MAX + 1):
                ports = self._directory.choose_ports(self._fixed_port, remembered=attempt == 1)
                flush = self._flush_every_message
                self._directory.write_settings(*ports, flush_every_message=flush, extra=self._extra_settings)
                try:
                    self._launch(java, lock_descriptor)
                    self._await_answer(ports[0], cluster_id, deadline)
                except _PortTakenError:
                    self._release()
                    if attempt == LAUNCH_ATTEMPTS_MAX or self._fixed_port is not None:
                        raise
                    log.info("port %d or %d was taken before the broker had it: trying others", *ports)
                    continue
                except BaseException:
                    self.kill()
                    raise
                self._directory.remember_ports(*ports)
                self._port = ports[0]
                return

    def terminate(self, timeout_seconds: float = 30.0) -> None:
        """End the broker in order (SIGTERM), by force (SIGKILL) when that takes longer than the timeout."""
        if self._signal(signal.SIGTERM, signal.SIGCONT) and not self._ended(timeout_seconds):
            log.warning("the embedded Kafka did not end within %s s of SIGTERM: killing it", timeout_seconds)
            self.kill()
        self._release()

    def kill(self) -> None:
        """End the broker at once (SIGKILL), and return when it is gone. `start` brings it back with its records."""
        if self._signal(signal.SIGKILL) and not self._ended(KILL_SECONDS_MAX):
            raise EmbeddedKafkaError(f"the embedded Kafka (process {self._pid}) outlived SIGKILL: is its disk hanging?")
        self._release()

    def pause(self) -> None:
        """Stop the broker in mid-step (SIGSTOP). Raises `EmbeddedKafkaError` when it is not running."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused broker go on (SIGCONT). Raises `EmbeddedKafkaError` when it is not running."""
        os.kill(self.pid, signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines of the broker's log of this run; empty when there is none."""
        return self._directory.log_tail()

    def _java(self) -> list[str]:
        jars = [str(path) for path in ensure_jars(self._cache_directory, progress=self._progress)]
        if any(os.pathsep in jar for jar in jars):
            raise EmbeddedKafkaError(
                f"Java can't read jars below a directory with {os.pathsep!r} in its name: {jars[0]}. Name another cache"
                " directory (XDG_CACHE_HOME)"
            )
        return java_command(
            os.pathsep.join(jars),
            heap_mebibytes=self._heap_mebibytes,
            temporary_directory=self._directory.temporary_path,
        )

    def _launch(self, java: list[str], lock_descriptor: int) -> None:
        log_path = self._directory.log_path
        arguments = (os.getpid(), OWNER_GONE_GRACE_SECONDS, log_path, LOG_BYTES_MAX, lock_descriptor)
        supervisor = Path(__file__).with_name("supervisor.py")
        # -I and -S: neither this directory (its kafka.py) nor site-packages on the path, and a start in milliseconds.
        command = [sys.executable, "-I", "-S", str(supervisor), *map(str, arguments)]
        with log_path.open("ab") as errors:
            self._supervisor = subprocess.Popen(  # noqa: S603 - our own command
                [*command, *java, "kafka.Kafka", "server.properties"],
                cwd=self._directory.path,  # paths in the settings are relative: no character in it can disturb them
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=[lock_descriptor],
                # Out of the terminal's reach: Ctrl-C goes to the owner, which ends the broker when it is ready to.
                start_new_session=True,
            )
        output = self._supervisor.stdout
        first_line = output.readline().strip() if output is not None else b""
        if not first_line:
            self._supervisor.wait(KILL_SECONDS_MAX)
            raise EmbeddedKafkaError(f"the embedded Kafka's supervisor failed; {self._what_to_do()}")
        self._pid = int(first_line)

    def _await_answer(self, port: int, cluster_id: str, deadline: float) -> None:
        while time.monotonic() < deadline:
            if not self.is_running():
                kind = _PortTakenError if "Address already in use" in self.log_tail() else EmbeddedKafkaError
                raise kind(f"the embedded Kafka ended while it started; {self._what_to_do()}")
            if _answers(port, cluster_id):
                return
            time.sleep(POLL_SECONDS)
        raise EmbeddedKafkaError(f"the embedded Kafka did not answer on port {port} in time; {self._what_to_do()}")

    def _what_to_do(self) -> str:
        return (
            "its last words follow. Remedy what they name and start it again: its records are kept. The whole is in"
            f" {self._directory.log_path}\n{self.log_tail() or '(it said nothing)'}"
        )

    def _signal(self, *signals: signal.Signals) -> bool:
        """Whether there was a broker to send them to. Its id is not another's: the supervisor ends right after it."""
        if self._pid is None or not self.is_running():
            return False
        try:
            for number in signals:
                os.kill(self._pid, number)
        except ProcessLookupError:
            return True  # it ended by itself just now, and its supervisor is about to
        return True

    def _ended(self, timeout_seconds: float) -> bool:
        if self._supervisor is None:
            return True
        try:
            self._supervisor.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _release(self) -> None:
        """Close the pipes to a supervisor; one that still lives takes that as its owner's end."""
        if self._supervisor is None:
            return
        for pipe in (self._supervisor.stdin, self._supervisor.stdout):
            if pipe is not None:
                pipe.close()
        self._supervisor.wait(KILL_SECONDS_MAX)
        self._supervisor = self._pid = None


def _answers(port: int, cluster_id: str) -> bool:
    """Whether our cluster (not another that took the port) answers, with its one broker ready for clients."""
    try:
        socket.create_connection((LOOPBACK, port), CONNECT_SECONDS_MAX).close()  # or kafka-python logs every refusal
        milliseconds = int(REQUEST_SECONDS_MAX * 1_000)
        client = KafkaAdminClient(
            bootstrap_servers=f"{LOOPBACK}:{port}",
            request_timeout_ms=milliseconds,
            bootstrap_timeout_ms=milliseconds,
        )
    except (OSError, KafkaError):
        return False
    try:
        cluster = client.describe_cluster()
    except (OSError, KafkaError):
        return False
    finally:
        client.close()
    ready = [broker for broker in cluster["brokers"] if not broker.get("is_fenced", False)]
    return bool(ready) and cluster["cluster_id"] == cluster_id
