"""`landmarks serve` as a real process on a free port, and photos to send it."""

import functools
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from conftest import ROOT
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from tag_folder import write_model

PATIENCE = 60
"""Seconds until a test gives up: a busy machine must not fail it."""


@functools.cache
def model() -> Path:
    """Write the model of three colours once for all tests of a run."""
    return write_model(Path(tempfile.mkdtemp(prefix="landmarks-serving-")) / "model")


def picture(format: str = "JPEG", size: tuple[int, int] = (32, 24), number: int = 0) -> bytes:
    """Return a reddish picture under noise, so that its file is not small either."""
    noise = np.random.default_rng(number).integers(0, 40, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(noise + np.array([180, 20, 20], np.uint8))
    image.save(buffer, format, compress_level=1)
    return buffer.getvalue()


class Served:
    """A process that serves, and what it says."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        self.url = str(self.said("serving")["url"])
        self.port = int(self.url.rpartition(":")[2])
        self.client = self.new_client()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self.lines.append('{"event": "end of the log", "level": "info"}')
            self._news.notify_all()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every line of the log."""
        return [json.loads(line) for line in list(self.lines)]

    def said(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for an event that has these fields, and return it."""

        def find() -> dict[str, Any] | None:
            wanted = {"event": event} | fields
            return next((one for one in self.events if wanted.items() <= one.items()), None)

        with self._news:
            found = self._news.wait_for(
                lambda: find() or "end of the log" in "".join(self.lines), PATIENCE
            )
        assert isinstance(found, dict), f"{event} {fields}: not in the log\n{''.join(self.lines)}"
        return found

    def new_client(self) -> httpx.Client:
        """Return another client; without certificates, which take a while to read."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False, verify=False)

    def predict(self, *photos: bytes, **options: Any) -> httpx.Response:
        """Post photos as a form."""
        files = [("file", (f"{n}.jpg", photo)) for n, photo in enumerate(photos)]
        return self.client.post("/v1/predict", files=files, **options)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        samples = [one for family in families for one in family.samples if one.name == name]
        return sum(one.value for one in samples if labels.items() <= one.labels.items())

    def memory(self) -> int:
        """Return the resident bytes of the process."""
        return int(self.metric("process_resident_memory_bytes"))

    def connect(self) -> socket.socket:
        """Return a plain connection."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def service(folder: Path | None = None, *before: str, **settings: Any) -> Iterator[Served]:
    """Run the command with these settings; `before` are words that stand before it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LANDMARKS_SERVE_")}
    given = {"model": folder or model(), "port": 0} | settings
    ours = {f"LANDMARKS_SERVE_{name.upper()}": str(value) for name, value in given.items()}
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "landmarks.cli", "serve"],
        cwd=ROOT,
        env=kept | ours | {"PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Served(process)
    finally:
        process.kill()
        process.wait()


def head(path: str = "/v1/predict", **headers: str) -> bytes:
    """Return the head of a POST request."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer from a connection to its end: status, headers, body; 0 if there is none."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(1)  # no further: the next answer may follow at once
        if not piece:
            return 0, {}, received
        received += piece
    top, _, body = received.partition(b"\r\n\r\n")
    first, *rest = top.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        piece = connection.recv(length - len(body))
        assert piece, "the answer is cut off"
        body += piece
    return int(first.split()[1]), headers, body


def is_closed(connection: socket.socket) -> bool:
    """Wait for the next byte; whether the end came instead.

    A byte of ours that crosses the end of the connection on its way turns it into a reset.
    """
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.02)
