"""A stage runs alone, on a clean floor, and no longer than what started it."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from landmarks.locks import alone

ROOT = Path(__file__).resolve().parents[1]
STAGE = """
import sys, time
from pathlib import Path
from stages.runner import run

def main():
    Path("started").touch()
    time.sleep(float(sys.argv[1]))
    print("done")

if __name__ == "__main__":
    run(main)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a stage that takes as many seconds as it is told."""
    (tmp_path / "sleep.py").write_text(STAGE)
    return tmp_path


def start(project: Path, seconds: str, *before: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*before, sys.executable, "-m", "sleep", seconds],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_of_a_stage_says_that_it_waits_and_waits(project: Path) -> None:
    with alone(project / ".state/sleep-0.lock", "the test"):
        second = start(project, "0")
        assert second.stderr is not None
        said = second.stderr.readline()
        assert said == f"waiting for stage sleep-0: process {os.getpid()} is at it\n"
        assert not (project / "started").exists()
    assert second.communicate(timeout=60)[0] == "done\n"


def test_another_cnn_of_the_stage_is_not_waited_for(project: Path) -> None:
    with alone(project / ".state/sleep-1.lock", "the test"):
        done = start(project, "0").communicate(timeout=60)
    assert done == ("done\n", "")


def test_what_a_killed_process_left_is_cleared_first(project: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (project / "models/scratch").mkdir(parents=True)
    left = project / f"models/scratch/.weights.safetensors.{dead.pid}.part"
    left.touch()
    start(project, "0").communicate(timeout=60)
    assert not left.exists()


@pytest.mark.parametrize("shell", [False, True])
def test_a_stage_ends_with_the_dvc_that_started_it(project: Path, shell: bool) -> None:
    """`starter` stands for DVC: it starts the stage as DVC does, and is killed."""
    command = [sys.executable, "-m", "sleep", "60"]
    if shell:  # `exit` makes any shell stand between
        command = ["/bin/sh", "-c", f"{shlex.join(command)}; exit $?"]
    code = f"import subprocess; subprocess.run({command!r})"
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "sleep"},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not (project / "started").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    starter.kill()
    # The pipe ends when nobody holds it any more: the stage is gone, long before its minute.
    said = starter.communicate(timeout=30)[1]
    assert said == "error: what started this stage was killed; `dvc repro` continues\n"
