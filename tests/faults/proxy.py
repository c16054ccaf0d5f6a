"""A proxy in front of PostgreSQL that can be slow, and that can cut a connection exactly when COMMIT passes."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

COMMIT: Final = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The message Query of PostgreSQL's protocol with the statement COMMIT, as psycopg sends it."""

CHUNK_BYTES_MAX: Final = 65_536

Cut = Literal["before", "after"]
"""Whether the connection is cut before COMMIT has reached the server or after: the client can't tell."""


class DatabaseProxy:
    """Listens on loopback and passes everything on to a server's Unix socket, both ways."""

    def __init__(self, server: Path) -> None:
        self.delay_seconds = 0.0
        """How long each message to the server is held back."""
        self.cuts_done = 0
        self._server = server
        self._cut: Cut | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, name="database-proxy", daemon=True).start()

    def cut_next_commit(self, cut: Cut) -> None:
        """Cut the connection on which the next COMMIT comes."""
        self._cut = cut

    def close(self) -> None:
        """Listen no more; connections that are open end with the server."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                server.connect(str(self._server))
            except OSError:
                client.close()
                server.close()
                continue
            for source, target, on_data in ((client, server, self._to_server), (server, client, _pass_on)):
                threading.Thread(target=_pump, args=(source, target, on_data), daemon=True).start()

    def _to_server(self, data: bytes, target: socket.socket) -> bool:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        cut = self._cut if COMMIT in data else None
        if cut is not None:
            self._cut = None
        if cut != "before":
            target.sendall(data)
        if cut is not None:
            self.cuts_done += 1
        return cut is None


def _pass_on(data: bytes, target: socket.socket) -> bool:
    target.sendall(data)
    return True


def _pump(source: socket.socket, target: socket.socket, on_data: Callable[[bytes, socket.socket], bool]) -> None:
    """Pass on what comes until one side ends or `on_data` says that this is enough; then end both."""
    with contextlib.suppress(OSError):
        while (data := source.recv(CHUNK_BYTES_MAX)) and on_data(data, target):
            pass
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        # Closed only here, by the thread that reads it: the other may still be in recv on it.
    source.close()
