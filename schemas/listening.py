"""How our HTTP servers take their address: before they serve, so that a taken port is known at once."""

import socket


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket bound to the address; port 0 takes a free one. Raises OSError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return tcp(socket.create_server((host, port), family=family, backlog=backlog))


def tcp(listening: socket.socket) -> socket.socket:
    """Return the same socket as one that knows that it is TCP; the one given is no longer to be used.

    asyncio switches Nagle's algorithm off only for such, and without that every small answer waits 40 ms.
    """
    known = socket.socket(fileno=listening.detach())
    known.setblocking(False)
    return known
