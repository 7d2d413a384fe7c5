"""A wire between clients and a server that someone may unplug without a word to either end."""

import socket
import threading
from contextlib import suppress
from typing import Self

from server_process import HOST

BLOCK_NUM_BYTES = 65_536


class Proxy:
    """Passes TCP connections on to a port, until it goes dark; a context manager.

    A connection that was open in the dark stays dark: what it has swallowed is gone. Both ends believe in it.

    Args:
        port: the server's.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._is_dark = threading.Event()
        self._is_closed = False
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Listen."""
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything."""
        self._is_closed = True
        for one in [self._listener, *self._sockets]:
            _close(one)

    def go_dark(self) -> None:
        """Swallow what comes, of old connections and new ones; answer nothing, close nothing."""
        self._is_dark.set()

    def go_light(self) -> None:
        """Pass new connections on again."""
        self._is_dark.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            server = None
            if not self._is_dark.is_set():
                try:
                    server = socket.create_connection((HOST, self._server_port))
                except OSError:
                    _close(client)
                    continue
                self._sockets.append(server)
            wire = _Wire(self._is_dark, is_dead=server is None)
            self._start(wire, client, server)
            if server is not None:
                self._start(wire, server, client)

    def _start(self, wire: "_Wire", source: socket.socket, sink: socket.socket | None) -> None:
        threading.Thread(target=wire.carry, args=(source, sink), daemon=True).start()


class _Wire:
    """One connection; dead for ever once it has swallowed something."""

    def __init__(self, is_dark: threading.Event, *, is_dead: bool) -> None:
        self._is_dark = is_dark
        self._is_dead = is_dead

    def carry(self, source: socket.socket, sink: socket.socket | None) -> None:
        """Pass on what comes from one end; close both when it ends, unless nobody may hear of it."""
        with suppress(OSError):
            while data := source.recv(BLOCK_NUM_BYTES):
                self._is_dead = self._is_dead or self._is_dark.is_set()
                if sink is not None and not self._is_dead:
                    sink.sendall(data)
        if not self._is_dead and not self._is_dark.is_set() and sink is not None:
            _close(sink)
        _close(source)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
