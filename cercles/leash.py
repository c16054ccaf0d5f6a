"""Becomes the given command, but bound to its owner: when the owner is gone, however it went, Linux kills the command.

Run as a plain script by `cercles.parts`, with the standard library alone: `leash.py OWNER_PID COMMAND…`. It asks
for the signal in a process of its own, which has one thread, and then becomes the command; asking between fork and exec
of the owner itself would run Python code in a copy of a process that has many. The signal is SIGKILL: everything here
is made so that it survives that, and no process can decline it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; the setting outlives exec (prctl(2))


def main(arguments: list[str]) -> int:
    """Bind this process to its owner, then become the command. Returns only when the owner is gone already."""
    owner_pid, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(owner_pid):
        return 1  # it died before the question was asked
    return os.execvp(command[0], command)  # noqa: S606 - the owner's command, and no shell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
