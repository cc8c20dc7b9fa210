"""A number for every request, its line in the log, and its place in the metrics."""

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from landmarks.serving.logs import say
from landmarks.serving.metrics import Metrics
from landmarks.serving.problems import CLIENT_GONE

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_QUIET = ("/healthz", "/readyz", "/metrics")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]


class Observed:
    """ASGI middleware: numbers, logs and counts what the service is asked.

    The log names the route, never a query, a file or a client: what is seen in a photo, and who
    sent it, is nobody's business. Handlers add to `scope["said"]` what else may be said.
    """

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, received = time.perf_counter(), 0, 0
        number = str(uuid.uuid4())
        said: dict[str, Any] = {}
        scope["number"], scope["said"] = number, said

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", number.encode())
                message["headers"] = [*message["headers"], *_HEADERS, own]
            await send(message)

        try:
            await self._app(scope, receiving, sending)
        finally:
            self._note(scope, status or CLIENT_GONE, time.perf_counter() - started, received)

    def _note(self, scope: Message, status: int, seconds: float, received: int) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in _QUIET else logging.INFO
        say(
            "request",
            level,
            id=scope["number"],
            method=_word(scope["method"]),
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            bytes=received,
            **scope["said"],
        )


def _word(text: str) -> str:
    return text if re.fullmatch("[A-Z]{1,12}", text) else "?"
