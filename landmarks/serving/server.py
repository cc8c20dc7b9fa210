"""One process that serves: its socket, its signals, its start and its stop."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from landmarks.errors import LandmarksError
from landmarks.predictor import DEMONSTRATION
from landmarks.serving import logs
from landmarks.serving.api import create_app
from landmarks.serving.observing import Observed
from landmarks.serving.protocol import bounded
from landmarks.serving.service import Service
from landmarks.serving.settings import Settings

_BACKLOG = 1024
_TICK = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Stops when asked: is not ready at once, waits as the settings say, then answers the rest."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._until = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections, and say so only now: signals are taken already."""
        await super().startup(sockets)
        for one in sockets or []:
            _greet(self._service, one)

    async def on_tick(self, counter: int) -> bool:
        """Do what is due ten times a second; returns whether to stop."""
        self._service.metrics.connections.set(len(self.server_state.connections))
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go on for the time that balancers need to turn away, then answer what was accepted."""
        counter = 0
        while not self.force_exit and time.monotonic() < self._until:
            await self.on_tick(counter)
            counter += 1
            await asyncio.sleep(_TICK)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; the second signal of Ctrl-C means at once."""
        if not self._service.stopping:
            self._service.stopping = True
            self._until = time.monotonic() + self._service.settings.drain_seconds
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals while serving; a stop that was asked for is no failure."""
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        LandmarksError: no model, or the address cannot be used.
    """
    logs.configure(settings.log_level)
    with _listen(settings.host, settings.port) as listening:
        service = Service(settings)
        config = uvicorn.Config(
            Observed(create_app(service), service.metrics),
            http=bounded(settings.header_seconds, settings.max_connections),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            root_path=settings.root_path,
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        )
        Server(config, service).run([listening])
    logs.say("stopped")


def _listen(host: str, port: int) -> socket.socket:
    """Open the socket at once, so that a wrong address is told before anything is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where TCP is named; with it a lone client waits
    # forty milliseconds for every answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        return listening
    except OSError as error:
        listening.close()
        raise LandmarksError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            hint="Name another with --host and --port, or end what uses it.",
        ) from None


def _greet(service: Service, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    card = service.model.card
    if card.invented:
        logs.say(DEMONSTRATION, logging.WARNING)
    logs.say(
        "serving",
        url=f"http://{where}:{port}",
        model=card.version,
        landmarks=len(card.classes),
        keys=len(service.settings.api_keys),
    )
