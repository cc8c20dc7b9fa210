"""A visit to the page: its server in a process of its own, and a real browser."""

import base64
import io
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_export
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from landmarks import card
from landmarks.errors import LandmarksError
from landmarks.files import write_json
from landmarks.tagging import worldmap
from landmarks.tagging.places import Position
from tools import draw_app, draw_report

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = (
    *("torch", "torchvision", "dvc", "lightning_fabric", "onnx", "safetensors"),
    *("scipy", "sklearn", "matplotlib", "yaml"),
)
"""What `pip install landmarks[app]` does not bring: a server of the tests cannot import it."""

PLACES = {
    "00.Red rock": ("Red Rock", "Alice", "Australia", "AU", -25.3444, 131.0369),
    "01.Green valley": ("Green Valley", "Sólheimar", "Iceland", "IS", 64.1, -21.9),
    "02.Blue lake": ("Blue Lake", None, None, None, None, None),
}
RED, REDDISH, GREEN, GREY = (250, 20, 20), (150, 98, 98), (20, 240, 30), (90, 90, 90)
PATIENCE = 60_000
"""Milliseconds until something must have happened, on however busy a machine."""


def write_model(folder: Path, *, invented: bool) -> Path:
    """Export the model of three colours, with places: one on land, one far north, one nowhere."""
    small_export.write_export(folder)
    tree = json.loads((folder / card.CARD).read_text())
    columns = ("name", "locality", "country", "country_code", "latitude", "longitude")
    for one in tree["classes"]:
        one.update(zip(columns, PLACES[one["class"]], strict=True))
    write_json(folder / card.CARD, {**tree, "invented": invented})
    return folder


def photo(
    color: tuple[int, int, int], size: tuple[int, int] = (96, 64), kind: str = "PNG"
) -> bytes:
    """Return a photo of one colour, with a little noise so that no two are alike."""
    noise = np.random.default_rng(sum(color)).integers(-4, 5, (size[1], size[0], 3))
    pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def upload(page: Page, *files: tuple[str, bytes], shown: int | None = None) -> None:
    """Choose files in the page, and wait until all of them, or `shown`, are answered."""
    payloads: list[Any] = [
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        for name, content in files
    ]
    before = page.locator("article.photo").count()
    page.locator("input[type=file]").set_input_files(payloads)
    expect(page.locator("article.photo")).to_have_count(shown or before + len(files))
    draw_app.settled(page)


def answer(page: Page, name: str) -> Locator:
    """Return the answer to a photo."""
    return page.locator(f'article.photo[data-photo="{name}"]')


@contextmanager
def serving(folder: Path, script: Path = ROOT / "app/web.py", **environment: str) -> Iterator[str]:
    """Serve the page where nothing but what it needs can be imported, with an empty home."""
    for name in ("home", "banned"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in FORBIDDEN:
        said = f"raise ImportError('the page does without {name}')\n"
        (folder / "banned" / f"{name}.py").write_text(said)
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    inherited = {key: os.environ[key] for key in kept if key in os.environ}
    own = {
        "HOME": str(folder / "home"),
        "PYTHONPATH": str(folder / "banned"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    with draw_app.serving({**inherited, **own, **environment}, folder, script) as address:
        yield address


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start the browser that is installed, with a camera that films nothing real."""
    try:
        program = draw_report.browser()
    except LandmarksError as error:
        pytest.skip(f"{error}")
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, args=[*draw_app.FLAGS, *camera]
        )
        yield chromium
        chromium.close()


@contextmanager
def visiting(chromium: Browser, address: str, width: int = 1280) -> Iterator[Page]:
    """Open the page as somebody new; fail on any error that its scripts report."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".st-key-script", state="attached")
    page.wait_for_selector("h1")
    draw_app.settled(page)
    yield page
    context.close()
    assert not complaints


def keep(page: Page, name: str) -> None:
    """Keep a picture of the whole page where LANDMARKS_SCREENSHOTS says so."""
    folder = os.environ.get("LANDMARKS_SCREENSHOTS")
    if not folder:
        return
    size = page.viewport_size
    assert size is not None
    height = page.locator('[data-testid="stMain"]').evaluate("main => main.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": min(int(height) + 20, 8000)})
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    Path(folder).mkdir(parents=True, exist_ok=True)
    page.screenshot(path=Path(folder) / f"{name}-{size['width']}.png")
    page.set_viewport_size(size)


def drawn_map(image: Locator) -> tuple[float, Position | None]:
    """Look at a map of the world as the browser drew it.

    Returns:
        The share of it that is land, and where the tip of its pin points; None without a pin.
    """
    url = image.evaluate(_AS_PNG)
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    land = float(_near(pixels, worldmap.LAND).mean())
    rows, columns = np.nonzero(_near(pixels, worldmap.MARK))
    if not len(rows):
        return land, None
    height, width = pixels.shape[:2]
    # The pin's white edge is drawn around its tip, which so lies a little lower than its red.
    tip = rows.max(), columns[rows == rows.max()].mean()
    return land, Position(90 - (5 + 145 * (tip[0] + 1) / height), 360 * tip[1] / width - 180)


def hosts(urls: list[str]) -> set[str]:
    """Return where addresses lead to; those that hold their own content lead nowhere."""
    return {url.split("/")[2] for url in urls if re.match(r"(https?|wss?)://", url)}


def _near(pixels: "np.ndarray[Any, Any]", color: str) -> "np.ndarray[Any, Any]":
    wanted = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)])
    close: np.ndarray[Any, Any] = np.abs(pixels - wanted).max(axis=2) < 12
    return close


_AS_PNG = """async (image) => {
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1440, 580];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}"""
