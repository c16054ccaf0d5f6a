"""Small disks that can be filled up: a tmpfs where this process may mount one, else a limit on the size of files."""

import contextlib
import errno
import os
import resource
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_BALLAST: Final = "ballast"
_MEBIBYTE: Final = 1024 * 1024


class Disk:
    """A directory whose disk can be full for the processes that write to it.

    As root it is a tmpfs of its own, and full means no byte left (ENOSPC). Where nothing may be mounted, full means
    that no file of those processes can grow (EFBIG, by RLIMIT_FSIZE): PostgreSQL and Java get an error from write(2),
    as on a full disk. A process of ours would lose its log with that; for it, a file stands where its directory was.
    """

    def __init__(self, directory: Path, mebibytes: int) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", str(directory)]
        self._mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self._limited: list[int] = []
        self._obstructed: Path | None = None

    @property
    def kind(self) -> str:
        """How the disk gets full, in words."""
        return "a small tmpfs, filled to the last byte" if self._mounted else "a limit on the size of files"

    def fill(self, processes: Iterable[int]) -> None:
        """Leave no room; without a disk of its own, for these processes and those that they start."""
        if self._mounted:
            self._fill_up()
            return
        for process in processes:
            _limit_files(process, 0)
            self._limited.append(process)

    def fill_for_us(self, directory: Path) -> None:
        """Leave no room; without a disk of its own, nothing can be written to that directory of it."""
        if self._mounted:
            self._fill_up()
            return
        directory.rename(_aside(directory))
        directory.touch()
        self._obstructed = directory

    def free(self) -> None:
        """Make room again."""
        (self.directory / _BALLAST).unlink(missing_ok=True)
        for process in self._limited:
            _limit_files(process, resource.RLIM_INFINITY)
        self._limited.clear()
        obstructed, self._obstructed = self._obstructed, None
        if obstructed is not None:
            obstructed.unlink()
            _aside(obstructed).rename(obstructed)

    def remove(self) -> None:
        """Unmount it; what was on it is gone."""
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.directory)], check=True)

    def _fill_up(self) -> None:
        with (self.directory / _BALLAST).open("wb", buffering=0) as ballast:
            for size in (_MEBIBYTE, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(b"\0" * size)
            free = os.statvfs(self.directory).f_bavail
        if free:
            raise OSError(errno.EBUSY, f"{free} blocks are still free on {self.directory}")


def _aside(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.aside")


def _limit_files(process: int, size_bytes: int) -> None:
    """Set the process's own limit on the size of files, as the user that it runs as: in a container root may not."""
    try:
        owner = Path(f"/proc/{process}").stat()
    except FileNotFoundError:
        return  # it has ended
    limit = "unlimited" if size_bytes == resource.RLIM_INFINITY else str(size_bytes)
    command = ["prlimit", f"--pid={process}", f"--fsize={limit}:"]
    done = subprocess.run(
        command, user=owner.st_uid, group=owner.st_gid, capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode and Path(f"/proc/{process}").exists():
        raise PermissionError(done.stderr.strip())
