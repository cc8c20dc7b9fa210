"""The stages from weights to figures, run as DVC runs them, on a project small enough to check."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from small_export import CLASSES, photos, write_export
from small_training import settings_with
from torch import nn

from landmarks import models
from landmarks.data.photos import COLUMNS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Photos of three colours: ids 0-59 train, 60-99 val, 100-199 test; then 40 of nothing."""
    shutil.copyfile(ROOT / "presets" / "sample.yaml", tmp_path / "params.yaml")
    pixels, labels = photos(200)
    grey = np.random.default_rng(8).integers(60, 130, (40, 8, 8, 3), dtype=np.uint8)
    pixels = np.concatenate([pixels, grey])
    folder = tmp_path / "data" / "photos"
    folder.mkdir(parents=True)
    np.save(folder / "pixels.npy", pixels)
    table = pd.DataFrame({name: [""] * 240 for name in COLUMNS})
    table["id"] = np.arange(240)
    kinds = ["street", "nature", "other_building", "object"] * 10
    table["class"] = [CLASSES[label] for label in labels] + kinds
    table[["width", "height", "bytes"]] = 8
    table.to_csv(folder / "photos.csv", index=False)
    roles = ["train"] * 60 + ["val"] * 40 + ["test"] * 100
    roles += ["negative_tuning"] * 20 + ["negative_testing"] * 20
    split = table[["id", "class"]].assign(role=roles, reason="")
    split.to_csv(tmp_path / "data" / "split.csv", index=False)
    return tmp_path


def stage(project: Path, name: str, cnn: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"stages.{name}", cnn],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LANDMARKS_DEVICE": "cpu"},
        capture_output=True,
        text=True,
    )


def outs(project: Path) -> dict[str, bytes]:
    folders = (project / "metrics", project / "models")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(project)): path.read_bytes() for path in paths}


def random_network(path: Path) -> None:
    """Write weights of an untrained CNN whose logits are far too large."""
    torch.manual_seed(3)
    network, info, _ = models.create(settings_with("scratch"), CLASSES, [0.3] * 3, [0.25] * 3)
    for part in network.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=20)
    models.save_weights(path, network.state_dict(), info)


def test_calibration_reads_only_validation_rows_and_repeats_itself(project: Path) -> None:
    random_network(project / "models" / "scratch" / "weights.safetensors")
    result = stage(project, "calibrate", "scratch")
    assert result.returncode == 0, result.stderr
    figures = json.loads((project / "metrics/scratch/validation.json").read_text())
    calibration = json.loads((project / "models/scratch/calibration.json").read_text())
    assert figures["n"] == 40
    assert figures["temperature"] == calibration["temperature"] > 1
    assert figures["nll"] < figures["nll_uncalibrated"]
    assert "temperature" in result.stdout
    assert calibration["known"]["tuned_on"] == ["nature", "object", "street"]
    assert f"known by {calibration['known']['method']}" in result.stdout
    assert figures["known_kept"] >= 0.95 and 0 <= figures["negatives_named"] <= 1
    assert len(calibration["thresholds"]["classes"]) == 3
    assert (project / "models/scratch/statistics.safetensors").is_file()
    first = outs(project)

    pixels = np.load(project / "data/photos/pixels.npy")
    # What the test photos show is not its business, nor negatives that no choice may see.
    pixels[100:200] = 255
    pixels[202:220:4] = 255
    pixels[220:] = 255
    np.save(project / "data/photos/pixels.npy", pixels)
    assert stage(project, "calibrate", "scratch").returncode == 0
    assert outs(project) == first


def test_evaluation_opens_the_test_rows_and_repeats_itself(project: Path) -> None:
    write_export(project / "models" / "scratch")
    result = stage(project, "evaluate", "scratch")
    assert result.returncode == 0, result.stderr
    figures = json.loads((project / "metrics/scratch.json").read_text())
    assert (figures["n"], figures["accuracy"]) == (100, 0.9)
    assert "90.0% of 100 test photos" in result.stdout
    assert figures["negatives_n"] == 20 and "of 20 photos of none" in result.stdout
    assert 0 <= figures["negatives_named_other_building"] <= 1
    assert {"ece_perfect", "auroc", "auroc_street", "precise_recall"} <= figures.keys()
    assert (project / "metrics/scratch/known_scores.csv").is_file()
    first = outs(project)
    assert stage(project, "evaluate", "scratch").returncode == 0
    assert outs(project) == first


def test_evaluation_without_an_export_says_what_to_do_in_one_line(project: Path) -> None:
    result = stage(project, "evaluate", "scratch")
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (project / "metrics").exists()
