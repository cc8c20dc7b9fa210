"""What a program says at its end when it was told to end."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Libraries written in other languages turn whatever is raised into an error of their own.
SWALLOWS = """
import os, signal
from landmarks.errors import LandmarksError, run

def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:
        raise LandmarksError("the weights are damaged", hint="Fetch them again.") from None

run(main)
"""


def test_sigterm_is_not_taken_for_the_mistake_that_a_library_makes_of_it() -> None:
    command = [sys.executable, "-c", SWALLOWS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 143
    assert done.stderr.startswith("error: ended by SIGTERM;") and "damaged" not in done.stderr
