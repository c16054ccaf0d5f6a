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

    As root it is a tmpfs of its own, and full means no byte left (ENOSPC). Otherwise full means that no file of those
    processes can grow (EFBIG, by RLIMIT_FSIZE): Python, PostgreSQL and Java all get an error from write(2), as on a
    full disk.
    """

    def __init__(self, directory: Path, mebibytes: int) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=755", "tmpfs", str(directory)]
        self._mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        self._limited: list[int] = []

    @property
    def kind(self) -> str:
        """How the disk gets full, in words."""
        return "a small tmpfs, filled to the last byte" if self._mounted else "a limit on the size of files"

    def fill(self, processes: Iterable[int]) -> None:
        """Leave no room; without a disk of its own, for these processes and none that they start later."""
        if self._mounted:
            self._fill_up()
            return
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
                resource.prlimit(process, resource.RLIMIT_FSIZE, (0, most))
                self._limited.append(process)

    def free(self) -> None:
        """Make room again."""
        (self.directory / _BALLAST).unlink(missing_ok=True)
        for process in self._limited:
            with contextlib.suppress(ProcessLookupError):
                _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
                resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
        self._limited.clear()

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
