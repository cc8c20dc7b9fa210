"""download: bring the archives of photos, or draw the built-in sample."""

from pathlib import Path

from landmarks import params
from landmarks.data.download import download
from stages.runner import run

ARCHIVE, NEGATIVES = Path("data/landmark_images.zip"), Path("data/negatives.zip")
STATE = Path(".state/download")


def main() -> None:
    """Run the stage from the project's folder."""
    download(params.load().download, ARCHIVE, NEGATIVES, state=STATE)


if __name__ == "__main__":
    run(main)
