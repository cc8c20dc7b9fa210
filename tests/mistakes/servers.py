"""Servers that misbehave while `download` asks them: on the loopback."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from loopback import CONTENT, CUT, OTHER, Answer, Request, Site, breaks
from mistakes.archives import DOWNLOAD
from mistakes.projects import anything
from mistakes.running import Setting
from mistakes.table import Case


@contextmanager
def serving() -> Iterator[Site]:
    """Yield a server that runs."""
    with Site() as site:
        threading.Thread(target=site.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield site
        finally:
            site.shutdown()


def _stall(request: Request) -> None:
    request.right(until=CUT)
    time.sleep(1)


def _changes(request: Request) -> None:
    """Break off in the middle; send the rest of another file then, and so on."""
    if request.headers["Range"]:
        del request.headers["If-Range"]
        request.server.content = OTHER
        request.right()
    else:
        request.server.content = CONTENT
        request.right(until=CUT)


def _status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    return lambda request: request.status(code, headers, body)


def _around(request: Request) -> None:
    request.status(302, {"Location": request.server.url})


ANSWERS: dict[str, Answer] = {
    "download-sigint": lambda request: request.right(pause=0.1),
    "download-sigterm": lambda request: request.right(pause=0.1),
    "server-drops": breaks(),
    "server-stalls": _stall,
    "server-too-long": lambda request: request.right(lie=1000, ranges=False),
    "server-too-short": lambda request: request.right(lie=-CUT),
    "server-huge": lambda request: request.right(lie=1 << 60),
    "server-changes": _changes,
    "server-404": _status(404),
    "server-401": _status(401),
    "server-416": _status(416),
    "server-500": _status(500),
    "server-busy": _status(503, {"Retry-After": "3600"}),
    "server-page": _status(200, body=b"<!DOCTYPE html><title>Log in</title>" * 99),
    "server-around": _around,
}
"""What the server answers, by case; once it is mended it answers rightly."""


def case(id: str) -> Case:
    return Case(id, DOWNLOAD, anything)


def gone(id: str, url: str) -> Case:
    return Case(id, DOWNLOAD, lambda project: project.params({"download.source": url}))


SERVERS = (
    case("server-drops"),
    Case("server-stalls", DOWNLOAD, anything, setting=Setting(silence=0.5)),
    case("server-too-long"),
    case("server-too-short"),
    case("server-huge"),
    case("server-changes"),
    case("server-404"),
    case("server-401"),
    case("server-416"),
    case("server-500"),
    case("server-busy"),
    case("server-page"),
    case("server-around"),
    gone("server-off", "http://127.0.0.1:9/photos.zip"),
    gone("server-unknown", "https://nowhere.invalid/photos.zip"),
    gone("protocol", "teleport://bucket/photos.zip"),
)
