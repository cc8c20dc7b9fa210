"""Somebody builds the same models elsewhere, and is struck down again and again on the way."""

import signal
import sys
from pathlib import Path

import pytest
from stories.clone import Clone
from stories.outs import first_difference, leftovers, outs

# The first story builds the clone; the time is for machines that do other things besides.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SUDDEN = Path(__file__).with_name("sudden")
# Another place, user, number of processes, umask, character set, time zone, order of sets.
ELSEWHERE = {
    "LANDMARKS_WORKERS": "3",
    "LC_ALL": "C",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONHASHSEED": "4711",
    "PYTHONPATH": str(SUDDEN),
    "PYTHONUTF8": "0",
    "SHELL": "/bin/sh",
    "TZ": "Pacific/Kiritimati",
    "USER": "somebody",
}
# Who dies, at which moment of which file: see sudden/sitecustomize.py. In the order of stages.
DEATHS = [
    "stages.download|half|data/.landmark_images.zip.*.part",
    "stages.download|rename|data/.negatives.zip.*.part",  # one archive is in place
    "stages.decode|half|data/.photos.*.part/pixels.npy",
    "stages.decode|rename|data/.photos.*.part",
    "stages.split|rename|data/.split.csv.*.part",
    "stages.stats|rename|data/.normalization.json.*.part",
    "stages.train scratch|rename|.state/.train-scratch-*.part",
    "stages.train scratch|rename|models/scratch/.weights.*.part",  # the curve is in place
    "stages.train transfer|half|.state/.train-transfer-*.part",
    "stages.calibrate scratch|rename|metrics/scratch/.validation.json.*.part",  # one of two is
    "stages.export scratch|rename|models/scratch/.export.*.part/.model.json.*.part",  # none is
    "stages.export scratch|rename|models/scratch/.export.*.part/landmarks.onnx",  # the .pt is
    "stages.evaluate scratch|rename|metrics/scratch/.per_class.csv.*.part",
    "stages.release|half|models/.landmarks.new.*.part/landmarks.pt",
    "stages.release|rename|metrics/.released.json.*.part",  # the model is in place
    "stages.report|rename|metrics/.report.html.*.part",
]


@pytest.fixture(scope="module")
def struck(built: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The same commit as `built`, built elsewhere with no cache, through all `DEATHS`."""
    top = tmp_path_factory.mktemp("elsewhere")
    clone = Clone(top / "b", top / "somebody", ELSEWHERE)
    clone.home.mkdir()
    built.run("git", "clone", "--quiet", str(built.folder), str(clone.folder))
    clone.run("git", "checkout", "--quiet", "HEAD~1")  # as it was before the build
    said = "".join(strike(clone, death, top / "log") for death in DEATHS)
    said += repro(clone, top / "log")[1]
    assert "cached" not in said, "the run cache answered in a stage's place"
    for stage in ("download", "train@scratch", "evaluate@transfer", "release", "report"):
        assert f"Running stage '{stage}'" in said
    return clone


def repro(clone: Clone, log: Path, umask: int = 0o077) -> tuple[int, str]:
    """Run `dvc repro` in a process group of its own; return exit code and what it said."""
    command = f'umask {umask:o}; exec "$0" -m dvc repro'
    process = clone.start("/bin/sh", "-c", command, sys.executable, log=log)
    return process.wait(), log.read_text(errors="replace")


def strike(clone: Clone, death: str, log: Path) -> str:
    """Run `dvc repro` until it dies as told; return what it said."""
    doomed = Clone(clone.folder, clone.home, {**clone.env, "DEATH": death})
    code, said = repro(doomed, log)
    assert code == -signal.SIGKILL, f"nobody died of {death}:\n{said[-3000:]}"
    return said


def test_every_out_of_every_stage_is_the_same(built: Clone, struck: Clone) -> None:
    compared = outs(built)
    assert {"data/split.csv", "data/photos/pixels.npy", "models/landmarks/model.json"} <= {
        *compared
    }
    assert len(compared) > 30
    assert first_difference(built, struck) is None


def test_dvc_records_the_same_and_nothing_is_left(built: Clone, struck: Clone) -> None:
    assert (struck.folder / "dvc.lock").read_bytes() == (built.folder / "dvc.lock").read_bytes()
    assert leftovers(struck) == []
    assert struck.run("dvc", "status", "--quiet", check=False).returncode == 0
    struck.run("git", "checkout", "--quiet", "--force", "-B", "main", "origin/main")
    assert struck.dirt() == ""
