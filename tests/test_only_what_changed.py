"""One row a change: which stages `dvc repro` runs, and that no other does.

The stages are stand-ins whose outs differ each time they run (stand_in.py), so a row holds all
that a change can ever cause. What is expected is written down here, not derived from dvc.yaml.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import stand_in
from stand_in import Project

from landmarks.params import NO_TEACHER
from tools import preset

REPORT = {"report"}
RELEASE = {"release"} | REPORT
EVALUATE = {"evaluate@scratch", "evaluate@transfer"}
EXPORT = {"export@scratch", "export@transfer"}
CALIBRATE = {"calibrate@scratch", "calibrate@transfer"}
REFIT = {"refit@scratch", "refit@transfer"}
TRAIN = {"train@scratch", "train@transfer"}
REFITTED = {"refit@scratch", "calibrate@scratch", "export@scratch", "evaluate@scratch"}
SCRATCH = {"train@scratch"} | REFITTED
REFITTED_TRANSFER = {one.replace("scratch", "transfer") for one in REFITTED}
TRANSFER = {"train@transfer"} | REFITTED_TRANSFER
CALIBRATED_TRANSFER = REFITTED_TRANSFER - REFIT

NOTHING: set[str] = set()
SINCE_EVALUATE = EVALUATE | RELEASE
SINCE_EXPORT = EXPORT | SINCE_EVALUATE
SINCE_CALIBRATE = CALIBRATE | SINCE_EXPORT
SINCE_REFIT = REFIT | SINCE_CALIBRATE
SINCE_TRAIN = TRAIN | SINCE_REFIT
SINCE_STATS = {"stats"} | SINCE_TRAIN
SINCE_SPLIT = {"split"} | SINCE_STATS
SINCE_ATTRIBUTION = {"attribution"} | SINCE_SPLIT
SINCE_DECODE = {"decode"} | SINCE_ATTRIBUTION
ALL = {"download"} | SINCE_DECODE
ONE_CNN = {"scratch": SCRATCH | RELEASE, "transfer": TRANSFER | RELEASE}

PARAMETERS = [
    ("download.sample.seed", 2, ALL),
    ("download.attribution", "attribution.csv", SINCE_ATTRIBUTION),
    ("decode.photo_size", 112, SINCE_DECODE),
    ("split.seed", 2, SINCE_SPLIT),
    ("split.validation_share", 0.2, SINCE_SPLIT),
    ("train.scratch.lr", 0.004, ONE_CNN["scratch"]),
    ("train.scratch.width", 16, ONE_CNN["scratch"]),
    ("train.scratch.label_smoothing", 0.0, ONE_CNN["scratch"]),
    ("train.transfer.lr", 0.004, ONE_CNN["transfer"]),
    ("train.transfer.backbone", "mobilenet_v3_large", ONE_CNN["transfer"]),
    ("train.transfer.weights_sha256", "0" * 64, ONE_CNN["transfer"]),
    ("train.transfer.label_smoothing", 0.0, ONE_CNN["transfer"]),
    ("train.transfer.teacher", "models/scratch/weights.safetensors", ONE_CNN["transfer"]),
    ("train.transfer.teacher_share", 0.5, ONE_CNN["transfer"]),
    ("train.transfer.teacher_temperature", 3.0, ONE_CNN["transfer"]),
    ("refit.scratch", True, REFITTED | RELEASE),
    ("refit.transfer", True, REFITTED_TRANSFER | RELEASE),
    ("calibrate.temperature", False, SINCE_CALIBRATE),
    ("exemplars.transfer", True, CALIBRATED_TRANSFER | RELEASE),
    ("export.catalogue", "catalogues/photos50.csv", SINCE_EXPORT),
    ("evaluate.calibration_bins", 10, SINCE_CALIBRATE),
    ("evaluate.confusion_pairs", 10, SINCE_EVALUATE),
    ("release.model", "scratch", RELEASE),
]

# One file of each room, and of what is no room of a stage. Each module that a stage imports is in
# its deps: test_pipeline.py.
FILES = [
    ("landmarks/errors.py", ALL),
    ("landmarks/params.py", ALL),
    ("landmarks/data/fetch.py", ALL),
    ("landmarks/data/sample/scene.py", ALL),
    ("landmarks/images.py", SINCE_DECODE),
    ("landmarks/data/decode.py", SINCE_DECODE),
    ("landmarks/data/attributing.py", SINCE_ATTRIBUTION),
    ("landmarks/data/attribution.py", SINCE_ATTRIBUTION),
    ("landmarks/data/split.py", SINCE_SPLIT),
    ("landmarks/data/stats.py", SINCE_STATS),
    ("landmarks/data/augmentation.py", SINCE_TRAIN),
    ("landmarks/models.py", SINCE_TRAIN),
    ("landmarks/training.py", SINCE_TRAIN),
    ("landmarks/checkpoint.py", SINCE_TRAIN),
    ("landmarks/distillation.py", SINCE_TRAIN),
    ("landmarks/refit.py", SINCE_REFIT),
    ("landmarks/calibration.py", SINCE_CALIBRATE),
    ("landmarks/metrics.py", SINCE_CALIBRATE),
    ("landmarks/deployable.py", SINCE_EXPORT),
    ("landmarks/export.py", SINCE_EXPORT),
    ("landmarks/catalogue.py", SINCE_EXPORT),
    ("landmarks/predictor.py", SINCE_EXPORT),
    ("landmarks/evaluation.py", SINCE_EVALUATE),
    ("landmarks/plots.py", SINCE_EVALUATE),
    ("landmarks/release.py", RELEASE),
    ("landmarks/report/words.py", REPORT),
    ("landmarks/report/page.html", REPORT),
    ("landmarks/cli.py", NOTHING),
    ("stages/decode.py", SINCE_DECODE),
    ("stages/train.py", SINCE_TRAIN),
    ("stages/refit.py", SINCE_REFIT),
    (NO_TEACHER, ONE_CNN["transfer"]),
    ("stages/evaluate.py", SINCE_EVALUATE),
    ("stages/report.py", REPORT),
    ("catalogues/sample.csv", SINCE_EXPORT),
    ("catalogues/landmarks50.csv", NOTHING),
    ("presets/landmarks50.yaml", NOTHING),
    ("tools/preset.py", NOTHING),
    ("benchmarks/speed.py", NOTHING),
    ("notebooks/app.ipynb", NOTHING),
    ("README.md", NOTHING),
]

Change = Callable[[Project], None]


def _row(name: str, change: Change, runs: set[str]) -> object:
    return pytest.param(change, runs, id=name)


ROWS = [
    _row("nothing", lambda project: None, NOTHING),
    *(
        _row(key, lambda project, key=key, value=value: project.set(key, value), runs)  # type: ignore[misc]
        for key, value, runs in PARAMETERS
    ),
    *(
        _row(name, lambda project, name=name: project.append(name), runs)  # type: ignore[misc]
        for name, runs in FILES
    ),
    _row(
        "split.exclude_licences",
        lambda project: project.replace("params.yaml", "licences: []", "licences: [CC BY-NC*]"),
        SINCE_SPLIT,
    ),
    _row("a comment in params.yaml", lambda project: project.append("params.yaml"), NOTHING),
    _row("a comment in dvc.yaml", lambda project: project.append("dvc.yaml"), NOTHING),
    _row(
        "a plot option",
        lambda project: project.replace("dvc.yaml", "x_label: epoch", "x_label: Epoch"),
        NOTHING,
    ),
]


@pytest.fixture(autouse=True)
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, base: Project
) -> None:
    """Let DVC find the stand-ins first, and keep its notes out of the machine's folders."""
    programs = base.folder.parent / "programs"
    monkeypatch.setenv("PATH", os.pathsep.join([str(programs), os.environ["PATH"]]))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "dvc"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it lies in Git; the first test builds it, the others take copies."""
    return stand_in.make(tmp_path_factory.mktemp("only what changed"))


@pytest.fixture
def project(base: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A copy of the project, built."""
    if not (base.folder / "dvc.lock").exists():
        assert set(base.repro(monkeypatch, lock=True)) == ALL
    return base.copy(tmp_path / "project")


@pytest.mark.parametrize(("change", "runs"), ROWS)
def test_a_change_runs_these_stages_once_and_no_other(
    project: Project, monkeypatch: pytest.MonkeyPatch, change: Change, runs: set[str]
) -> None:
    change(project)
    ran = project.repro(monkeypatch, lock=False)
    assert sorted(ran) == sorted(runs)


def test_where_it_runs_changes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDMARKS_DEVICE", "cpu")
    monkeypatch.setenv("LANDMARKS_WORKERS", "3")
    monkeypatch.setenv("LANDMARKS_PROCESSES", "2")
    assert project.repro(monkeypatch, lock=False) == []


def test_another_archive_runs_everything_once_its_hash_is_recorded(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = tmp_path / "my photos.zip"

    def record(content: bytes) -> None:
        archive.write_bytes(content)
        text = preset.make("sample", {"source": str(archive)}, project.folder)
        assert hashlib.sha256(content).hexdigest() in text
        (project.folder / "params.yaml").write_text(text)

    (project.folder / "dvc.lock").unlink()
    record(b"one")
    assert set(project.repro(monkeypatch, lock=True)) == ALL
    # Lies outside the project, so DVC knows the hash alone: docs/decisions.md.
    archive.write_bytes(b"two")
    assert project.repro(monkeypatch, lock=False) == []
    record(b"two")
    assert set(project.repro(monkeypatch, lock=False)) == ALL
