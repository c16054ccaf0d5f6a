"""Free ports on loopback for the parts of an embedded stack."""

import random
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


PORTS: Final = range(20_000, 32_768)
"""Below the range from which Linux picks the near end of outgoing connections (32768 on, `ip(7)`): such a connection
could take the port of a process that is just being restarted."""

CHOICES_MAX: Final = 200


class NoFreePortError(Exception):
    """None of the ports that were tried is free."""


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
