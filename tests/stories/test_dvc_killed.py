"""DVC alone is killed, or a stage lives without it: no two at once, and the right result."""

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from stories.clone import Clone
from stories.outs import first_difference, leftovers

# The first story builds the clone; the time is for machines that do other things besides.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SUDDEN = Path(__file__).with_name("sudden")
REPRO = (sys.executable, "-m", "dvc", "repro", "--single-item", "train@scratch")
BY_HAND = (sys.executable, "-m", "stages.train", "scratch")
WEIGHTS = "models/scratch/weights.safetensors"
PAUSE = "stages.train scratch|pause|.state/.train-scratch-*.part"


@pytest.fixture
def clone(built: Clone, tmp_path: Path) -> Clone:
    """A copy of `built` without the weights of scratch, which DVC cannot bring back either."""
    copy = built.copy(tmp_path / "copy")
    lock = yaml.safe_load((copy.folder / "dvc.lock").read_text())
    md5 = {out["path"]: out["md5"] for out in lock["stages"]["train@scratch"]["outs"]}[WEIGHTS]
    shutil.rmtree(copy.folder / ".dvc/cache/runs")
    (copy.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    (copy.folder / WEIGHTS).unlink()
    return copy


def pausing(clone: Clone, until: Path, **env: str) -> Clone:
    """The same, where a training pauses before a recovery state is in place until a file exists."""
    death = {"PYTHONPATH": str(SUDDEN), "DEATH": PAUSE, "DEATH_UNTIL": str(until)}
    return Clone(clone.folder, clone.home, {**clone.env, **death, **env})


def wait_for(what: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.05)


def paused(log: Path) -> psutil.Process:
    """Wait until a training pauses, and return it."""
    wait_for(lambda: "pauses" in log.read_text())
    [number] = re.findall(r"process (\d+) pauses", log.read_text())
    return psutil.Process(int(number))


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_training_ends_with_its_dvc_and_the_next_one_is_right(
    built: Clone, clone: Clone, tmp_path: Path, shell: str
) -> None:
    """Debian's sh stands between DVC and the training, bash makes way."""
    if not Path(shell).exists():
        pytest.skip(f"no {shell} here")
    log = tmp_path / "log"
    dvc = pausing(clone, tmp_path / "never", SHELL=shell).start(*REPRO, log=log)
    training = paused(log)
    dvc.send_signal(signal.SIGKILL)
    dvc.wait()
    wait_for(lambda: not training.is_running(), seconds=20)
    assert "what started this stage was killed; `dvc repro` continues" in log.read_text()
    clone.run("dvc", "repro")
    assert first_difference(built, clone) is None
    assert leftovers(clone) == [] and clone.dirt() == ""


def test_a_training_that_lives_without_dvc_is_waited_for(
    built: Clone, clone: Clone, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    by_hand = pausing(clone, tmp_path / "go").start(*BY_HAND, log=first)
    living = paused(first)
    dvc = clone.start(*REPRO, log=second)
    waiting = f"waiting for stage train-scratch: process {living.pid} is at it"
    wait_for(lambda: waiting in second.read_text())
    assert living.is_running() and "epoch" not in second.read_text()
    (tmp_path / "go").touch()
    assert by_hand.wait() == 0 and dvc.wait() == 0
    assert "epoch   2/2" in first.read_text() and "epoch   2/2" in second.read_text()
    assert first_difference(built, clone) is None
    assert leftovers(clone) == []


def test_processes_that_train_together_end_together(clone: Clone, tmp_path: Path) -> None:
    log = tmp_path / "log"
    two = {"LANDMARKS_PROCESSES": "2"}
    launcher = pausing(clone, tmp_path / "never", **two).start(*BY_HAND, log=log)
    first = paused(log)
    both = psutil.Process(launcher.pid).children()
    assert first in both and len(both) >= 2
    os.kill(launcher.pid, signal.SIGKILL)
    launcher.wait()
    wait_for(lambda: not any(process.is_running() for process in both), seconds=20)
    done = Clone(clone.folder, clone.home, {**clone.env, **two}).run(*BY_HAND)
    assert "epoch   2/2" in done.stdout and "waiting" not in done.stderr
    assert leftovers(clone) == []


def test_a_lock_file_that_dvc_did_not_finish_is_taken_back_from_git(
    built: Clone, tmp_path: Path
) -> None:
    """DVC writes dvc.lock in place: the one file that a kill can cut off."""
    copy = built.copy(tmp_path / "copy")
    lock = copy.folder / "dvc.lock"
    before = yaml.safe_load(lock.read_text())
    lock.write_bytes(lock.read_bytes()[: lock.stat().st_size // 2])
    done = copy.run("dvc", "repro", check=False)
    if done.returncode:  # cut where the rest is no YAML
        assert "dvc.lock" in done.stderr
        copy.run("git", "checkout", "--", "dvc.lock")
        assert "Running stage" not in copy.run("dvc", "repro").stdout
    assert first_difference(built, copy) is None
    # Where the rest was YAML, stages may stand in another order.
    assert yaml.safe_load(lock.read_text()) == before and copy.dirt() in ("", " M dvc.lock\n")
