"""What all tests share."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start would
# ignore it too; stories of Ctrl-C need a program that does not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What tests expect, to the bit at times, is of a CPU; tests of CUDA ask for it themselves.
os.environ.setdefault("LANDMARKS_DEVICE", "cpu")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and weights that is not part of the project."""
    folder = Path(os.environ.get("LANDMARKS_SHARED", ROOT.parent / "shared"))
    if not (folder / "photos50").is_dir():
        pytest.skip(f"no real photos at {folder}: set LANDMARKS_SHARED to run this test")
    return folder
