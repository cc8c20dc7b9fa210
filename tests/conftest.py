"""What all tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and weights that is not part of the project."""
    folder = Path(os.environ.get("LANDMARKS_SHARED", ROOT.parent / "shared"))
    if not (folder / "photos50").is_dir():
        pytest.skip(f"no real photos at {folder}: set LANDMARKS_SHARED to run this test")
    return folder
