"""Somebody builds the models, changes nothing, changes something, makes a mistake."""

import json
from pathlib import Path

import pytest
from stories.clone import Clone
from stories.repro import repro

# The first story builds the clone; the time is for machines that do other things besides.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("warm")]


def test_the_build_leaves_both_cnns_and_the_release(built: Clone) -> None:
    for cnn in ("scratch", "transfer"):
        assert (built.folder / f"models/{cnn}/landmarks.onnx").is_file()
        assert json.loads((built.folder / f"metrics/{cnn}.json").read_text())["n"] > 0
    released = {path.name for path in (built.folder / "models/landmarks").iterdir()}
    assert {"landmarks.onnx", "landmarks.pt", "model.json"} <= released
    shown = built.run("dvc", "metrics", "show").stdout
    assert "metrics/scratch.json" in shown and "metrics/transfer.json" in shown


def test_a_second_build_runs_nothing_and_leaves_git_clean(built: Clone) -> None:
    assert repro(built) == []
    assert built.run("dvc", "status", "--quiet", check=False).returncode == 0
    assert built.dirt() == ""


def test_another_release_trains_nothing(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "copy")
    released = json.loads((clone.folder / "metrics/released.json").read_text())["cnn"]
    other = {"scratch": "transfer", "transfer": "scratch"}[released]
    params = clone.folder / "params.yaml"
    params.write_text(params.read_text().replace("model: best", f"model: {other}"))
    assert repro(clone) == ["release", "report"]
    assert json.loads((clone.folder / "metrics/released.json").read_text())["cnn"] == other


def test_a_misspelt_parameter_is_named_with_the_valid_ones(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "copy")
    params = clone.folder / "params.yaml"
    params.write_text(params.read_text().replace("label_smoothing", "label_smooting", 1))
    weights = clone.folder / "models/transfer/weights.safetensors"
    before = weights.read_bytes()
    done = clone.run("dvc", "repro", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "error: unknown key `train.scratch.label_smooting`" in said
    assert "Did you mean `label_smoothing`?" in said and "random_erase" in said
    assert "Traceback" not in said
    assert weights.read_bytes() == before
    clone.run("git", "checkout", "--", "params.yaml")
    assert "Training" not in clone.run("dvc", "repro").stdout
    assert clone.dirt() == ""


def test_compare_leaves_two_experiments_and_the_work_tree_alone(
    built: Clone, tmp_path: Path
) -> None:
    clone = built.copy(tmp_path / "copy")
    lock = (clone.folder / "dvc.lock").read_bytes()
    # Twice: the names are taken the second time.
    for _ in range(2):
        said = clone.python("tools.compare").stdout
    names = clone.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert sorted(names) == ["scratch", "transfer"]
    losses = [
        json.loads((clone.folder / f"metrics/{cnn}.json").read_text())["nll"]
        for cnn in ("scratch", "transfer")
    ]
    [row] = [line for line in said.splitlines() if line.split()[1:2] == ["nll"]]
    shown = [float(cell) for cell in row.split()[2:]]
    assert shown[:2] == pytest.approx(losses, abs=1e-4)
    assert shown[2] == pytest.approx(losses[1] - losses[0], abs=1e-4)
    assert clone.dirt() == "" and (clone.folder / "dvc.lock").read_bytes() == lock
    for name in names:
        changed = clone.run("dvc", "params", "diff", "HEAD", name, "--json").stdout
        assert json.loads(changed)["params.yaml"]["release.model"]["new"] == name
        assert len(json.loads(changed)["params.yaml"]) == 1
