"""A web server on the loopback that does what a test tells it, right or wrong."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from landmarks.data import fetch as fetches
from landmarks.data.disk import move
from landmarks.data.fetch import Patience

HASTE = Patience(tries=4, first_wait=0.01, longest_wait=0.5, timeout=0.5)
CUT = 200_000


def packed(seed: int, photos: int = 6) -> bytes:
    """Return a zip of incompressible photos-to-be, about 100 kB each."""
    noise, buffer = np.random.default_rng(seed), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(photos):
            name = zipfile.ZipInfo(f"{number % 2:02d}.Name/{number}.jpg")
            archive.writestr(name, noise.bytes(100_000))
    return buffer.getvalue()


CONTENT = packed(seed=1)
OTHER = packed(seed=2)


class Request(BaseHTTPRequestHandler):
    """Answers as the site says; its helpers send right and wrong answers."""

    protocol_version = "HTTP/1.1"
    server: "Site"

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Range", ""))
        answers = self.server.answers
        self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def right(
        self,
        *,
        until: int | None = None,
        lie: int = 0,
        ranges: bool = True,
        marked: bool = True,
        pause: float = 0,
    ) -> None:
        """Send the content; up to byte `until`, with `lie` bytes too many in its headers."""
        body, tag = self.server.content, f'"{hashlib.md5(self.server.content).hexdigest()}"'
        asked = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        same = self.headers.get("If-Range", tag) == tag or not marked
        start = int(asked) if asked and ranges and same else 0
        if start and start >= len(body):
            return self.status(416, {"Content-Range": f"bytes */{len(body)}"})
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start + lie))
        if start:
            span = f"bytes {start}-{len(body) - 1 + lie}/{len(body) + lie}"
            self.send_header("Content-Range", span)
        if marked:
            self.send_header("ETag", tag)
        self.end_headers()
        for at in range(start, until or len(body), 20_000):
            piece = body[at : min(at + 20_000, until or len(body))]
            self.wfile.write(piece)
            self.server.sent += len(piece)
            time.sleep(pause)

    def status(self, code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        # Said, not only done: a client must not send its next request into a closing connection.
        self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        pass


Answer = Callable[[Request], None]
Bring = Callable[..., bytes]


class Site(ThreadingHTTPServer):
    """A server whose requests are answered in turn by `answers`, the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.content = CONTENT
        self.answers: list[Answer] = [Request.right]
        self.asked: list[str] = []
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}/landmark_images.zip"

    def handle_error(self, request: object, client_address: object) -> None:
        pass


def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A fixture: a server that runs, and that no proxy stands before."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Site() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def fetch(
    source: str,
    destination: Path,
    *,
    sha256: str | None,
    state: Path,
    patience: Patience = HASTE,
    progress: bool = False,
) -> None:
    """Copy a file from a URL or a path of this machine, as the stages do."""
    with fetches.fetching(
        source, sha256=sha256, state=state, progress=progress, patience=patience
    ) as partial:
        move(partial.path, destination)


def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bring:
    """A fixture: fetches into `tmp_path` and returns what arrived."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def bring(source: str, sha256: str | None = None, patience: Patience = HASTE) -> bytes:
        whole = tmp_path / "data" / "landmark_images.zip"
        fetch(source, whole, sha256=sha256, state=tmp_path / "state", patience=patience)
        return whole.read_bytes()

    return bring


def breaks(until: int = CUT) -> Answer:
    return lambda request: request.right(until=until)
