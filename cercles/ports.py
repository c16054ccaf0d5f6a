"""Free ports on loopback for the parts of an embedded stack."""

import errno
import random
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from schemas.listening import listen

LOOPBACK: Final = "127.0.0.1"


PORTS: Final = range(20_000, 32_768)
"""Below the range from which Linux picks the near end of outgoing connections (32768 on, `ip(7)`): such a connection
could take the port of a process that is just being restarted."""

CHOICES_MAX: Final = 200


class NoFreePortError(Exception):
    """None of the ports that were tried is free."""


class PortTakenError(Exception):
    """A port that was asked for can't be had; the message names it, and the option that chooses another."""


def check_free(ports: Mapping[str, int]) -> None:
    """Check that the port of each option can be had, and that no two are the same; 0 is any port.

    Raises PortTakenError.
    """
    with ExitStack() as held:
        for option, port in ports.items():
            if port == 0:
                continue
            try:
                held.enter_context(listen(LOOPBACK, port, backlog=1))
            except OSError as error:
                what = "is in use" if error.errno == errno.EADDRINUSE else f"can't be had ({error.strerror})"
                raise PortTakenError(f"port {port} {what}: choose another with {option}") from error


def free_ports(count: int) -> list[int]:
    """Return that many different free ports. Raises NoFreePortError.

    Someone else may still take one before it is used; the process then says so, ends, and is started again.
    """
    found: list[int] = []
    for port in random.sample(PORTS, CHOICES_MAX):
        if len(found) == count:
            return found
        if is_free(port):
            found.append(port)
    raise NoFreePortError(f"none of {CHOICES_MAX} ports tried on {LOOPBACK} is free")


def is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As servers do: a connection of the past is no hindrance.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
