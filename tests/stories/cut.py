"""A line to a server that is cut after so many bytes, and stays dead until it is mended."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

from stories.storages import Storage

_PIECE = 16_384


class Line:
    """Passes bytes on between a port of its own and that of a server.

    Args:
        port: that of the server.
        up: bytes that go to the server before the line dies; None for no end.
        down: the same from the server.
    """

    def __init__(self, port: int, *, up: int | None = None, down: int | None = None) -> None:
        self._server = port
        self._left = {"up": up, "down": down}
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.dead = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def mend(self) -> None:
        """From now on all bytes are passed on."""
        with self._lock:
            self._left, self.dead = {"up": None, "down": None}, False

    def close(self) -> None:
        self._listener.close()
        self._die()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                if self.dead:
                    caller.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server))
                with self._lock:
                    self._open += [caller, server]
                for way, source, target in (("up", caller, server), ("down", server, caller)):
                    pump = (way, source, target)
                    threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def _pump(self, way: str, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                allowed = self._spend(way, len(piece))
                target.sendall(piece[:allowed])
                if allowed < len(piece):
                    break
            else:
                target.shutdown(socket.SHUT_WR)
                return
            self._die()

    def _spend(self, way: str, size: int) -> int:
        with self._lock:
            left = self._left[way]
            if left is None:
                return size
            self._left[way] = max(0, left - size)
            return min(size, left)

    def _die(self) -> None:
        with self._lock:
            self.dead = True
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open.clear()


@contextmanager
def cut(
    storage: Storage, *, up: int | None = None, down: int | None = None
) -> Iterator[tuple[Storage, Line]]:
    """Yield the same storage at the end of a line that is cut, and the line."""
    port = urlsplit(storage.shared.get("endpointurl", storage.url)).port
    assert port is not None
    line = Line(port, up=up, down=down)
    here, there = f"127.0.0.1:{line.port}", f"127.0.0.1:{port}"
    shared = {name: value.replace(there, here) for name, value in storage.shared.items()}
    try:
        yield replace(storage, url=storage.url.replace(there, here), shared=shared), line
    finally:
        line.close()
