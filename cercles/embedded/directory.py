"""The embedded broker's data directory: its lock, its ports, its settings, and Kafka's first metadata.

    kafka/        Kafka's own logs and metadata; the cluster's id is in its meta.properties
    broker.log    the broker's warnings and errors of this run; .1 to .3 are earlier runs, or earlier parts
    address.json  the ports of the last run, taken again when they are free
    lock          held by whoever prepares the directory, and by the broker while it lives
    server.properties, log4j2.xml, tmp/   written anew at every start

It may be moved while the broker is down: no file in it names another by its full path.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
import shutil
import socket
import subprocess
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cercles.embedded.java import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LOOPBACK", "DataDirectory", "EmbeddedKafkaError", "is_free"]

LOOPBACK = "127.0.0.1"
# Below the range from which Linux (32768) and macOS (49152) pick the near end of outgoing connections: there a client
# that keeps trying a stopped broker's port can be given that very port, connect to itself, and hold it.
PORTS = range(20_000, 32_768)
PORT_CHOICES_MAX = 200
DIRECTORY_WAIT_SECONDS_MAX = 10.0  # for a broker whose owner has just died
FORMAT_SECONDS_MAX = 60.0
LOG_TAIL_LINES = 20
LOG_TAIL_BYTES_MAX = 20_000
POLL_SECONDS = 0.1
MESSAGE_BYTES_MAX = 1_048_576 + 65_536  # 1 MiB of message, and its batch's and headers' overhead


class EmbeddedKafkaError(RuntimeError):
    """The embedded broker can't start or isn't running; the message says why and what to do."""


class DataDirectory:
    """One broker's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.log_path = self.path / "broker.log"
        self.temporary_path = self.path / "tmp"

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the directory, made if need be; yields the lock's descriptor, for the broker to inherit.

        The lock then ends with the last of them, so that two brokers never share a directory. Raises
        `EmbeddedKafkaError` when it can't be written to, or when another holds it for longer than a broker takes to
        follow its dead owner.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("ab")
        except OSError as error:
            raise self._unusable(error) from error
        with file:
            deadline = time.monotonic() + DIRECTORY_WAIT_SECONDS_MAX
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EmbeddedKafkaError(
                            f"another embedded Kafka is running on {self.path}: end it, or name another directory"
                        ) from None
                    time.sleep(POLL_SECONDS)
            yield file.fileno()

    def prepare(self) -> None:
        """Write what every start writes anew. Raises `EmbeddedKafkaError` when that is impossible."""
        try:
            # Java unpacks its compression libraries there, and leaves them behind when it is killed.
            shutil.rmtree(self.temporary_path, ignore_errors=True)
            self.temporary_path.mkdir(exist_ok=True)
            logging_settings = Path(__file__).with_name("log4j2.xml").read_bytes()
            (self.path / "log4j2.xml").write_bytes(logging_settings)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> EmbeddedKafkaError:
        return EmbeddedKafkaError(
            f"the data directory {self.path} can't be used: {error}. Make it writable, or name another"
        )

    def format(self, java: list[str], timeout_seconds: float) -> str:
        """Give a new directory its cluster id and Kafka's first metadata; return the cluster id, new or old.

        Raises `EmbeddedKafkaError` with what Kafka's tool printed.
        """
        final, draft = self.path / "kafka", self.path / "kafka.draft"
        if not final.exists():
            # Formatted under another name, so that a directory half formatted is never taken for a whole one.
            shutil.rmtree(draft, ignore_errors=True)
            self._write("server.properties", broker_settings(PORTS[0], PORTS[1], directory_name=draft.name))
            self._run_format([*java, "kafka.tools.StorageTool", "format"], timeout_seconds)
            draft.rename(final)
            _sync(self.path)
        try:
            properties = (final / "meta.properties").read_text(encoding="utf-8").splitlines()
            return next(line.partition("=")[2] for line in properties if line.startswith("cluster.id="))
        except (OSError, StopIteration) as error:
            raise EmbeddedKafkaError(
                f"{final / 'meta.properties'} does not name Kafka's cluster ({error}): restore the directory, or name"
                " another"
            ) from error

    def _run_format(self, command: list[str], timeout_seconds: float) -> None:
        try:
            subprocess.run(  # noqa: S603 - our own command
                [*command, "--config", "server.properties", "--cluster-id", _new_cluster_id()],
                cwd=self.path,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=min(FORMAT_SECONDS_MAX, max(POLL_SECONDS, timeout_seconds)),
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            printed = (getattr(error, "stdout", None) or b"").decode(errors="replace")
            raise EmbeddedKafkaError(f"Kafka could not format {self.path}: {error}\n{printed}") from error

    def write_settings(
        self, port: int, controller_port: int, *, flush_every_message: bool, extra: Mapping[str, str]
    ) -> None:
        """Write server.properties; `extra` wins over ours."""
        settings = broker_settings(port, controller_port, directory_name="kafka")
        if flush_every_message:
            settings["log.flush.interval.messages"] = "1"
        self._write("server.properties", {**settings, **extra})

    def _write(self, name: str, settings: Mapping[str, str]) -> None:
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self.path / name).write_text(text, encoding="latin-1")

    def choose_ports(self, fixed_port: int | None, *, remembered: bool) -> tuple[int, int]:
        """The client's port and the controller's: the last run's if they are to be remembered and are free.

        Raises `EmbeddedKafkaError` when the fixed port, or every port tried, is in use.
        """
        if fixed_port is not None and not is_free(fixed_port):
            raise EmbeddedKafkaError(
                f"port {fixed_port} of {LOOPBACK} can't be listened on (in use, or reserved): name another, or none"
            )
        candidates = [port for port in self._last_ports() if port in PORTS] if remembered else []
        candidates += random.sample(PORTS, PORT_CHOICES_MAX)
        free = (port for port in dict.fromkeys(candidates) if port != fixed_port and is_free(port))
        try:
            return next(free) if fixed_port is None else fixed_port, next(free)
        except StopIteration:
            raise EmbeddedKafkaError(f"none of {PORT_CHOICES_MAX} ports tried on {LOOPBACK} is free") from None

    def _last_ports(self) -> tuple[int, ...]:
        try:
            last = json.loads((self.path / "address.json").read_bytes())
            return int(last["port"]), int(last["controller_port"])
        except (OSError, ValueError, KeyError, TypeError):
            return ()  # only a convenience: without it the broker has another address

    def remember_ports(self, port: int, controller_port: int) -> None:
        draft = self.path / "address.json.draft"
        draft.write_text(json.dumps({"port": port, "controller_port": controller_port}), encoding="utf-8")
        draft.replace(self.path / "address.json")

    def log_tail(self) -> str:
        """The last lines of the broker's log of this run; empty when there is none."""
        try:
            with self.log_path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL_BYTES_MAX))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        except OSError:
            return ""


def broker_settings(port: int, controller_port: int, *, directory_name: str) -> dict[str, str]:
    """The lines of server.properties. Retention is not among them: every topic declares its own."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": directory_name,
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MESSAGE_BYTES_MAX),
        # A broker killed and started again is let in when the session of its former self has ended: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        # The default of 128 MiB is a quarter of the heap, touched at start; this still compacts a million keys a pass.
        "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
    }


def _new_cluster_id() -> str:
    while True:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        if not cluster_id.startswith("-"):  # Kafka's tool would take it for an option
            return cluster_id


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As Java does: a connection of the past is no hindrance.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
