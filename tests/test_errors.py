"""What a program says at its end when it was told to end."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Libraries written in other languages turn whatever is raised into an error of their own.
SWALLOWS = """
import os, signal
from landmarks.errors import LandmarksError, run

def main():
    try:
        os.kill(os.getpid(), signal.{name})
    except BaseException:
        raise LandmarksError("the weights are damaged", hint="Fetch them again.") from None

run(main)
"""


@pytest.mark.parametrize(
    ("name", "status", "line"),
    [("SIGTERM", 143, "error: ended by SIGTERM;"), ("SIGINT", 130, "error: interrupted;")],
)
def test_the_end_is_not_taken_for_the_mistake_that_a_library_makes_of_it(
    name: str, status: int, line: str
) -> None:
    command = [sys.executable, "-c", SWALLOWS.format(name=name)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status
    assert done.stderr.startswith(line) and "damaged" not in done.stderr
