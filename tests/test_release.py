"""Users get the CNN that validation prefers, whole, and never one that test preferred."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from landmarks import card
from landmarks.errors import LandmarksError
from landmarks.files import sha256, write_json
from landmarks.release import choose, deliver

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"scratch": 10, "transfer": 20}


def figures(accuracy: float, nll: float = 1.0) -> dict[str, float]:
    return {"accuracy": accuracy, "nll": nll}


@pytest.mark.parametrize(
    ("scratch", "transfer", "expected"),
    [
        (figures(0.7), figures(0.9), "transfer"),
        (figures(0.9), figures(0.7), "scratch"),
        (figures(0.9, nll=0.5), figures(0.9, nll=0.4), "transfer"),
        (figures(0.9, nll=0.4), figures(0.9, nll=0.4), "scratch"),  # the smaller file
    ],
)
def test_best_is_chosen_by_accuracy_then_likelihood_then_size(
    scratch: dict[str, float], transfer: dict[str, float], expected: str
) -> None:
    cnn, reason = choose("best", {"transfer": transfer, "scratch": scratch}, SIZES)
    assert cnn == expected
    assert "validation" in reason


def test_equals_are_parted_by_size_whatever_their_names() -> None:
    alike = {"scratch": figures(0.9), "transfer": figures(0.9)}
    assert choose("best", alike, {"scratch": 20, "transfer": 10})[0] == "transfer"


def test_a_named_cnn_is_released_even_if_it_is_worse() -> None:
    validations = {"scratch": figures(0.6), "transfer": figures(0.9)}
    assert choose("scratch", validations, SIZES)[0] == "scratch"
    with pytest.raises(LandmarksError, match="resnet") as caught:
        choose("resnet", validations, SIZES)
    assert "best, scratch, transfer" in caught.value.hint


def export(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True)
    files = {}
    for name in ("landmarks.onnx", "landmarks.pt"):
        (folder / name).write_bytes(name.encode() + content)
        files[name] = {"sha256": sha256(folder / name), "bytes": len(content)}
    described = {
        "format_version": card.FORMAT_VERSION,
        "name": "landmarks",
        "cnn": folder.name,
        "architecture": "none",
        "invented": True,
        "classes": [{"class": "00.Tower", "name": "Tower"}],
        "input": {"size": 8},
        "temperature": 1.0,
        "known": {"method": "energy", "threshold": 0.5, "kept": 0.95, "tuned_on": ["street"]},
        "thresholds": {"precision": 0.97, "confidence": 0.8, "classes": [0.8]},
        "parameters": 3,
        "data": {},
        "params": "",
        "versions": {},
        "licences": {},
        "files": files,
    }
    write_json(folder / "model.json", described)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_delivery_replaces_the_whole_folder(tmp_path: Path) -> None:
    target = tmp_path / "models" / "landmarks"
    deliver(export(tmp_path / "models" / "scratch", b"1"), target)
    (target / "left over").touch()
    deliver(export(tmp_path / "models" / "transfer", b"2"), target)
    assert names(target) == ["landmarks.onnx", "landmarks.pt", "model.json"]
    assert json.loads((target / "model.json").read_text())["cnn"] == "transfer"
    assert names(tmp_path / "models") == ["landmarks", "scratch", "transfer"]


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_export_leaves_the_released_one_as_it_was(tmp_path: Path, damage: str) -> None:
    target = tmp_path / "landmarks"
    deliver(export(tmp_path / "scratch", b"good"), target)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    bad = export(tmp_path / "transfer", b"new")
    if damage == "changed":
        (bad / "landmarks.pt").write_bytes(b"another model")
    else:
        (bad / "landmarks.pt").unlink()
    with pytest.raises(LandmarksError, match=r"landmarks\.pt"):
        deliver(bad, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert names(tmp_path) == ["landmarks", "scratch", "transfer"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project where validation prefers scratch and test prefers transfer."""
    shutil.copyfile(ROOT / "presets" / "sample.yaml", tmp_path / "params.yaml")
    for cnn, validation, test in (("scratch", 0.8, 0.5), ("transfer", 0.7, 0.99)):
        export(tmp_path / "models" / cnn, cnn.encode())
        write_json(tmp_path / "metrics" / cnn / "validation.json", figures(validation))
        write_json(tmp_path / "metrics" / f"{cnn}.json", {"accuracy": test, "n": 100})
    return tmp_path


def release(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.release"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_the_stage_releases_what_validation_prefers_and_says_why(project: Path) -> None:
    result = release(project)
    assert result.returncode == 0, result.stderr
    assert "released scratch" in result.stdout
    assert "validation accuracy: scratch 80.00%, transfer 70.00%" in result.stdout
    released = json.loads((project / "metrics" / "released.json").read_text())
    assert released == {"accuracy": 0.5, "n": 100, "cnn": "scratch"}
    assert (project / "models/landmarks/landmarks.onnx").read_bytes() == b"landmarks.onnxscratch"


def test_a_tampered_model_ends_the_stage_with_one_line(project: Path) -> None:
    (project / "models/scratch/landmarks.onnx").write_bytes(b"not the exported one")
    result = release(project)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "models/scratch/landmarks.onnx is not the file" in result.stderr
    assert not (project / "models" / "landmarks").exists()
    assert not (project / "metrics" / "released.json").exists()
