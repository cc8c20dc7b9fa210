"""Photograph the top of metrics/report.html for the README, with the browser that is installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from landmarks import card, files
from landmarks.errors import LandmarksError, run

PAGE, PICTURE = Path("metrics/report.html"), Path("docs/images/report.png")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHT = 1280, 1720
COLOURS = 256
_TIMEOUT = 300  # seconds


def browser() -> str:
    """Return the program of a browser.

    Raises:
        LandmarksError: none is installed.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise LandmarksError(
        "no browser is installed", hint="Debian, Ubuntu: `sudo apt-get install chromium`."
    )


def photograph(page: Path, picture: Path, program: str) -> None:
    """Write the top of a page as PNG, `WIDTH` x `HEIGHT` pixels, with few colours and so small.

    Raises:
        LandmarksError: the browser gave no picture; says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        command = [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--screenshot={shot}",
            page.resolve().as_uri(),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
        if not shot.is_file():
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise LandmarksError(f"{program} made no picture of {page}: {said}")
        with Image.open(shot) as image, files.replacing(picture) as temporary:
            image.convert("RGB").quantize(COLOURS).save(temporary, "PNG", optimize=True)


def main() -> None:
    if not card.read("models/landmarks").invented:
        raise LandmarksError(
            "models/landmarks knows real places, and real photos may not be published",
            hint="`make preset NAME=sample` and `make repro` come first.",
        )
    if not PAGE.is_file():
        raise LandmarksError(f"there is no {PAGE}", hint="Run `dvc repro report`.")
    photograph(PAGE, PICTURE, browser())
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    run(main)
