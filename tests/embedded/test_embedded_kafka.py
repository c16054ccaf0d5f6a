"""The embedded broker, for real: processes, ports, signals, and the jars it is made of."""

from __future__ import annotations

import hashlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from cercles.embedded import directory, jars
from cercles.embedded.kafka import EmbeddedKafka, EmbeddedKafkaError
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOPIC = "pledges"


def produce(bootstrap_servers: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    try:
        futures = [producer.send(TOPIC, value) for value in values]
        for future in futures:
            future.get(timeout=10)
    finally:
        producer.close(timeout=5)


def consume_all(bootstrap_servers: str) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    try:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        found: list[bytes] = []
        deadline = time.monotonic() + 20
        while len(found) < end and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=200).values():
                found += [record.value for record in records]
        return found
    finally:
        consumer.close()


def create_topic(bootstrap_servers: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        admin.close()


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie, which its new parent has not collected yet, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def becomes_true(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@contextmanager
def listening() -> Iterator[int]:
    """A port of loopback, from the broker's own range, that someone else listens on."""
    for port in directory.PORTS:
        with socket.socket() as server:
            try:
                server.bind((directory.LOOPBACK, port))
            except OSError:
                continue
            server.listen()
            yield port
            return


def process_state(pid: int) -> str:
    """Return the state of a process as Linux tells it: R, S, T for stopped, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_records_and_address_survive_kill_9(tmp_path: Path) -> None:
    """A fresh directory, spaces in its path: what was acknowledged is there after SIGKILL, at the same address."""
    values = [b"pledge %d" % number for number in range(500)]
    with EmbeddedKafka(tmp_path / "a directory, with spaces") as broker:
        address, first_pid = broker.bootstrap_servers, broker.pid
        create_topic(address)
        produce(address, values)
        assert consume_all(address) == values

        broker.pause()
        # A signal is sent at once and acted on a moment later.
        wait_until(lambda: process_state(first_pid) == "T", "the broker stands still")
        broker.resume()
        assert consume_all(address) == values

        broker.kill()
        assert not broker.is_running()
        assert not alive(first_pid)
        with pytest.raises(EmbeddedKafkaError, match="not running"):
            _ = broker.pid

        broker.start()
        assert (broker.bootstrap_servers, broker.pid == first_pid) == (address, False)
        assert consume_all(address) == values
        last_pid = broker.pid
    assert not alive(last_pid)


OWNER = """
import os, pathlib, sys, threading, time
from cercles.embedded.kafka import EmbeddedKafka

broker = EmbeddedKafka(pathlib.Path(sys.argv[1]), cache_directory=pathlib.Path(sys.argv[2]))
thread = threading.Thread(target=broker.start)
thread.start()
thread.join()
child = os.fork()  # holds the other ends of all pipes open
if child == 0:
    time.sleep(600)
print(broker.pid, child, flush=True)
time.sleep(600)
"""


def test_broker_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    """The owner dies by SIGKILL: its broker is gone within seconds, though a forked child of the owner lives on.

    The thread that started the broker ended long before, which must not end it. And all of it without a home
    directory, with Java options in the environment that would keep any Java from starting.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {"JAVA_TOOL_OPTIONS": "-XX:NoSuchOption", "_JAVA_OPTIONS": "-XX:NoSuchOption"}
    jars.ensure_jars()
    command = [sys.executable, "-W", "ignore", "-c", OWNER, str(tmp_path), str(jars.default_cache_directory())]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stdout is not None
            broker_pid, child_pid = map(int, owner.stdout.readline().split())
            time.sleep(1.5)
            assert alive(broker_pid), "it ended with the thread that started it"
            owner.kill()
            assert becomes_true(lambda: not alive(broker_pid), 6)
            assert alive(child_pid)
            os.kill(child_pid, signal.SIGKILL)
        finally:
            owner.kill()


def test_broker_does_not_outlive_its_supervisor(tmp_path: Path) -> None:
    """The process in between is killed: Linux kills the broker with it, and the same object can start it again."""
    with EmbeddedKafka(tmp_path) as broker:
        pid = broker.pid
        assert broker._supervisor is not None
        os.kill(broker._supervisor.pid, signal.SIGKILL)
        assert becomes_true(lambda: not alive(pid), 6)
        assert not broker.is_running()


def test_two_brokers_start_in_parallel(tmp_path: Path) -> None:
    """Two starts at the same moment, each in its directory, give two brokers."""
    brokers = [EmbeddedKafka(tmp_path / name) for name in ("one", "two")]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(EmbeddedKafka.start, brokers))
        assert all(broker.is_running() for broker in brokers)
        assert len({broker.bootstrap_servers for broker in brokers}) == 2
    finally:
        for broker in brokers:
            broker.terminate()


def test_a_port_lost_in_the_race_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone took the port after we saw it free: the broker comes up on another."""
    really_free = directory.is_free
    broker = EmbeddedKafka(tmp_path)
    with listening() as taken:
        broker._directory.path.mkdir(exist_ok=True)
        broker._directory.remember_ports(taken, taken + 100)
        monkeypatch.setattr(directory, "is_free", lambda port: port == taken or really_free(port))
        try:
            broker.start()
            assert broker.bootstrap_servers not in ("", f"{directory.LOOPBACK}:{taken}")
        finally:
            broker.terminate()


def test_a_fixed_port_in_use_is_named(tmp_path: Path) -> None:
    """A port that was insisted on and is taken is an error that names it, not another port."""
    with listening() as taken, pytest.raises(EmbeddedKafkaError, match=f"port {taken} .* name another"):
        EmbeddedKafka(tmp_path, port=taken).start()


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    """A data directory that can't be one is an error that says which, and what to do."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddedKafkaError, match=r"file/data can't be used: .* Make it writable, or name another"):
        EmbeddedKafka(tmp_path / "file" / "data").start()


def test_one_directory_has_one_broker_and_failures_quote_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory in use is refused; a setting that the broker refuses is shown in the broker's own words."""
    monkeypatch.setattr(directory, "DIRECTORY_WAIT_SECONDS_MAX", 0.3)
    with EmbeddedKafka(tmp_path, flush_every_message=False) as broker:
        with pytest.raises(EmbeddedKafkaError, match="another embedded Kafka is running on"):
            EmbeddedKafka(tmp_path).start()
        assert broker.is_running()
    wrong = EmbeddedKafka(tmp_path, extra_settings={"num.io.threads": "-3"})
    with pytest.raises(EmbeddedKafkaError, match=r"(?s)start it again.*broker\.log.*num\.io\.threads"):
        wrong.start()
    assert not wrong.is_running()


def test_a_tampered_jar_is_refused_by_name(tmp_path: Path) -> None:
    """One byte more in one cached jar: no broker, and the message names the file and says to delete it."""
    cached = jars.ensure_jars()
    mine = tmp_path / "jars"
    mine.mkdir()
    for path in cached:
        (mine / path.name).symlink_to(path)
    victim = next(path for path in cached if path.name.startswith("kafka-raft-"))
    (mine / victim.name).unlink()
    (mine / victim.name).write_bytes(victim.read_bytes() + b"\0")
    with pytest.raises(jars.JarDiffersError, match=rf"{victim.name} is not .*Delete this file and run again"):
        EmbeddedKafka(tmp_path / "data", cache_directory=tmp_path).start()


def test_the_lock_names_one_kafka() -> None:
    """Every declared jar is locked, and every jar of Kafka's is of the one release."""
    locked = [jar.coordinates for jar in jars.read_lock()]
    assert set(jars.DECLARED_COORDINATES) <= set(locked)
    assert {name.split(":")[2] for name in locked if name.startswith("org.apache.kafka:")} == {jars.KAFKA_VERSION}


CONTENT = bytes(range(256)) * 400
JAR_PATH = "/org/example/thing/1.0/thing-1.0.jar"


class Repository(http.server.ThreadingHTTPServer):
    """A Maven repository with one jar, which can send less than it announced."""

    daemon_threads = True

    def __init__(self) -> None:
        self.body = CONTENT
        self.broken_answers = 0
        self.jar_requests = 0
        super().__init__((directory.LOOPBACK, 0), Answer)


class Answer(http.server.BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        if self.path != JAR_PATH:
            self.send_error(404)
            return
        self.server.jar_requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        broken = self.server.jar_requests <= self.server.broken_answers
        self.wfile.write(self.server.body[: 1000 if broken else None])

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A repository that jgo's configuration file names in Maven Central's place."""
    server = Repository()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\ncentral = http://{directory.LOOPBACK}:{server.server_port}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("NO_PROXY", directory.LOOPBACK)
    monkeypatch.setattr(jars, "DOWNLOAD_RETRY_SECONDS", 0.01)
    digest = hashlib.sha256(CONTENT).hexdigest()
    (tmp_path / "lock").write_text(f"org.example:thing:1.0 sha256={digest} bytes={len(CONTENT)}\n")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_jar_is_downloaded_once_with_progress(repository: Repository, tmp_path: Path) -> None:
    """Progress goes from nothing to all; the second time, nothing is asked of the network."""
    seen: list[tuple[str, int, int]] = []
    for _ in range(2):
        [path] = jars.ensure_jars(tmp_path, progress=lambda *step: seen.append(step), lock_path=tmp_path / "lock")
        assert path.read_bytes() == CONTENT
    assert repository.jar_requests == 1
    assert (seen[0], seen[-1]) == (("thing-1.0.jar", 0, len(CONTENT)), ("thing-1.0.jar", len(CONTENT), len(CONTENT)))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_a_broken_download_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    """An answer cut short leaves nothing behind, and the next attempt is whole."""
    repository.broken_answers = 2
    [path] = jars.ensure_jars(tmp_path, lock_path=tmp_path / "lock")
    assert (path.read_bytes(), repository.jar_requests) == (CONTENT, 3)


def test_a_repository_without_the_jar_is_an_error_with_advice(repository: Repository, tmp_path: Path) -> None:
    """Nothing half is kept, and the message says what to look at."""
    repository.broken_answers = jars.DOWNLOAD_ATTEMPTS_MAX
    with pytest.raises(
        jars.JarsUnavailableError, match=r"org\.example:thing:1\.0 could not be downloaded .* run again"
    ):
        jars.ensure_jars(tmp_path, lock_path=tmp_path / "lock")
    assert [path.name for path in (tmp_path / "jars").iterdir()] == [".lock"]


def test_another_jar_from_the_repository_is_not_kept(repository: Repository, tmp_path: Path) -> None:
    """What arrives is compared with the lock before it gets its name."""
    repository.body = CONTENT[:-1] + b"!"
    with pytest.raises(jars.JarDiffersError, match=r"another thing-1\.0\.jar than the lock names"):
        jars.ensure_jars(tmp_path, lock_path=tmp_path / "lock")
    assert [path.name for path in (tmp_path / "jars").iterdir()] == [".lock"]


def test_processes_download_at_the_same_time_once(repository: Repository, tmp_path: Path) -> None:
    """Three processes want the jar at once: one asks for it, all have it."""
    code = "import sys, pathlib; from cercles.embedded import jars; a, b = map(pathlib.Path, sys.argv[1:]);"
    code += "print(jars.ensure_jars(a, lock_path=b)[0].stat().st_size)"
    command = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "lock")]
    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(lambda _: subprocess.check_output(command), range(3)))
    assert [int(output) for output in outputs] == [len(CONTENT)] * 3
    assert repository.jar_requests == 1


def test_the_cache_follows_the_xdg_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CACHE_HOME counts when it is absolute; without it, the home directory's .cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert jars.default_cache_directory() == tmp_path / ".cache" / "cercles"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert jars.default_cache_directory() == Path("/elsewhere/cercles")
