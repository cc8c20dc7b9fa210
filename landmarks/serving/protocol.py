"""HTTP/1.1 on a connection: uvicorn's, with a bound on what slow and many clients may hold."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from landmarks.serving.problems import MEDIA_TYPE, Problem


class Bounded(H11Protocol):
    """Closes a connection whose request does not begin in time, and refuses too many.

    uvicorn waits for ever for the head of a request. Here it must be whole after `head_seconds`,
    and so must the rest of a body that was answered before its end: it is read and thrown away, so
    that the client sees the answer instead of a broken connection.
    """

    head_seconds: float
    most_connections: int

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or refuse it."""
        super().connection_made(transport)
        self._arm()
        if len(self.connections) > self.most_connections:
            self._refuse("overloaded", "Too many connections are open.")

    def data_received(self, data: bytes) -> None:
        """Take bytes; the clock runs while they are no request that waits for an answer."""
        super().data_received(data)
        if self._answering():
            self._disarm()
        elif self._timer is None:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._disarm()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse("bad-request", msg)

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self._answering() and not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, kind: str, detail: str) -> None:
        problem = Problem(kind, detail)
        body = problem.to_bytes()
        head = (
            f"HTTP/1.1 {problem.kind.status} {problem.kind.title}\r\n"
            f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "retry-after: 1\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def bounded(head_seconds: float, most_connections: int) -> type[Bounded]:
    """Return the protocol with its bounds."""
    bounds = {"head_seconds": head_seconds, "most_connections": most_connections}
    return type("Bounded", (Bounded,), bounds)
