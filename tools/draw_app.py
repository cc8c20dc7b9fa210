"""Photograph the page with an example's answer for the README, with the browser installed here."""

import io
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from landmarks import card, files
from landmarks.errors import LandmarksError, run
from tools.draw_report import browser

ROOT = Path(__file__).resolve().parents[1]
PICTURE = Path("docs/images/app.png")
WIDTH, HEIGHT = 1280, 1000
COLOURS = 256
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
_STARTS, _WAIT = 3, 120  # seconds


@contextmanager
def serving(
    environment: Mapping[str, str], folder: Path, script: Path = ROOT / "app/web.py"
) -> Iterator[str]:
    """Serve the page from a process of its own; yield its address, and end it at last.

    Args:
        environment: of the process, all of it.
        folder: where it is started; `server.log` in it gets what it prints.
        script: what is served.

    Raises:
        LandmarksError: it does not start.
    """
    for _ in range(_STARTS):  # another program may take the port in between
        port = _free_port()
        process = _start(environment, folder, script, port)
        try:
            if _answers(process, port):
                yield f"http://localhost:{port}"
                return
        finally:
            process.terminate()
            process.wait(30)
    said = (folder / "server.log").read_text(encoding="utf-8", errors="replace")[-500:]
    raise LandmarksError(f"the page does not start: {said}")


def settled(page: Page) -> None:
    """Wait until Streamlit has nothing more to draw."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def photograph(chromium: Browser, address: str, picture: Path) -> None:
    """Write a picture of the page with the answer to its first example."""
    page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(_WAIT * 1000)
    page.goto(address)
    page.click(".st-key-example-0 button")
    page.wait_for_selector("article.photo figure.shot img")
    page.mouse.move(0, 0)
    settled(page)
    shot = page.screenshot()
    page.close()
    with Image.open(io.BytesIO(shot)) as image, files.replacing(picture) as temporary:
        # A pin is few pixels, and should keep its red.
        few = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
        few.save(temporary, "PNG", optimize=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _start(
    environment: Mapping[str, str], folder: Path, script: Path, port: int
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    options = ["--server.headless=true", f"--server.port={port}"]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            [*command, *options],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Wait for a server; tell whether it came up."""
    until = time.monotonic() + _WAIT
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5):
                return process.poll() is None
        except OSError:
            time.sleep(0.1)
    return False


def main() -> None:
    if not card.read("models/landmarks").invented:
        raise LandmarksError(
            "models/landmarks knows real places, and the examples are drawn ones",
            hint="`make preset NAME=sample` and `make repro` come first.",
        )
    environment = {key: value for key, value in os.environ.items() if key != "LANDMARKS_MODEL"}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(environment, Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=browser(), args=[*FLAGS])
        photograph(chromium, address, PICTURE)
        chromium.close()
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    run(main)
