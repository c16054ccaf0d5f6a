"""The data directory of an embedded stack: its lock, its secrets, and where each part keeps its things.

lock          held by the supervisor while it runs
secrets/      one file for each secret, readable by their owner alone
kafka/        the embedded broker's
cercles.db    the database, with its -wal and -shm
checkpoints/  the worker's; deleting them loses nothing but time
logs/         one log for each process
"""

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

OURS: Final = frozenset({"lock", "cercles.db"})
"""A directory that has one of these is a data directory."""

SECRET_BYTES: Final = 32
PRIVATE_FILE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700


class DataDirectoryError(Exception):
    """The directory can't be used; the message says why and what to do."""


class DataDirectory:
    """One embedded stack's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.kafka = self.path / "kafka"
        self.logs = self.path / "logs"
        self.secrets = self.path / "secrets"
        self.checkpoints = self.path / "checkpoints"
        self.database_url = f"sqlite:///{self.path / 'cercles.db'}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the directory if need be, and keep every other supervisor out of it meanwhile.

        Raises DataDirectoryError when it can't be written, when another has it, or when it is full of other things.
        """
        self._check_ours()
        try:
            for directory in (self.path, self.logs, self.secrets, self.checkpoints):
                directory.mkdir(parents=True, exist_ok=True)
            self.secrets.chmod(PRIVATE_DIRECTORY)
            lock = (self.path / "lock").open("ab")
        except OSError as error:
            raise DataDirectoryError(
                f"the data directory {self.path} can't be used ({error}): make it writable, or name another with --data"
            ) from error
        with lock:
            try:
                # The kernel frees it when this process is gone, so it is never stale; children don't inherit it.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataDirectoryError(
                    f"another `cercles up` or `cercles demo` is running on {self.path}: stop it, or name another "
                    "directory with --data"
                ) from None
            yield

    def _check_ours(self) -> None:
        """Leave alone what somebody named by mistake: a directory with things in it, none of which is ours."""
        try:
            found = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        except OSError as error:
            raise DataDirectoryError(f"the data directory {self.path} can't be read ({error})") from error
        if found and not found & OURS:
            raise DataDirectoryError(
                f"{self.path} is not empty, and holds no data of Cercles: name an empty or a new directory with --data"
            )

    def secret(self, name: str) -> str:
        """Return the secret of that name, made at the first call: `whsec_` and base64, as Standard Webhooks has it."""
        path = self.secret_path(name)
        if not path.exists():
            draft = path.with_name(path.name + ".draft")
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w") as file:
                file.write("whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii") + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        return path.read_text(encoding="ascii").strip()

    def secret_path(self, name: str) -> Path:
        """Return the file of the secret of that name."""
        return self.secrets / name

    def log_path(self, name: str) -> Path:
        """Return the log of the process of that name."""
        return self.logs / f"{name}.log"
