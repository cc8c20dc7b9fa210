"""A last training on train and validation photos, run as DVC runs it: `python -m stages.refit`."""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT
from mistakes.running import Running, Setting, server
from numpy.typing import NDArray
from safetensors.torch import load_file
from small_training import TINY

from landmarks import models
from landmarks.data.photos import COLUMNS
from landmarks.files import write_json
from landmarks.inference import Normalized, run_module

CLASSES = ("00.Rows", "01.Columns", "02.Checks")
WEIGHTS, FINAL = "models/scratch/weights.safetensors", "models/scratch/final.safetensors"
EPOCHS = 8


def photos() -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.str_]]:
    """Return patterns with their labels and roles; nearly all checks are validation photos."""
    noise = np.random.default_rng(5)
    labels = np.arange(150) % 3
    y, x = np.mgrid[:32, :32] // 4 % 2
    patterns = np.stack([y, x, y ^ x])[labels, ..., None] * 90.0
    pixels = patterns + noise.uniform(0, 100, (150, 1, 1, 3)) + noise.normal(0, 8, (150, 32, 32, 3))
    roles = np.array(["train"] * 60 + ["val"] * 45 + ["test"] * 45)
    checks = labels == 2
    roles[:60][checks[:60]] = "val"
    roles[2] = "train"  # every class has a train photo
    return pixels.clip(0, 255).astype(np.uint8), labels, roles


@pytest.fixture(scope="module", autouse=True)
def preloaded() -> Iterator[None]:
    """Stages start at once: they are forks of a process that has imported PyTorch."""
    with server():
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has just trained its scratch CNN, with refit switched on."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    folder.mkdir()
    tree = yaml.safe_load((ROOT / "presets/sample.yaml").read_text())
    changes = TINY | {"epochs": EPOCHS, "dropout": 0.0, "lr": 0.01, "auto_augment": "none"}
    tree["train"]["scratch"] |= {k: v for k, v in changes.items() if k in tree["train"]["scratch"]}
    tree["refit"]["scratch"] = True
    (folder / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    pixels, labels, roles = photos()
    (folder / "data/photos").mkdir(parents=True)
    np.save(folder / "data/photos/pixels.npy", pixels)
    table = pd.DataFrame({name: [""] * len(pixels) for name in COLUMNS})
    table["id"] = np.arange(len(pixels))
    table["class"] = [CLASSES[label] for label in labels]
    table[["width", "height", "bytes"]] = 32
    table.to_csv(folder / "data/photos/photos.csv", index=False)
    split = table[["id", "class"]].assign(role=roles, reason="")
    split.to_csv(folder / "data/split.csv", index=False)
    write_json(folder / "data/normalization.json", {"mean": [0.5] * 3, "std": [0.25] * 3})
    said(folder, "train")
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy of that project."""
    return Path(shutil.copytree(trained, tmp_path / "project"))


@pytest.fixture(scope="module")
def final(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The final weights of that project, refitted without a disturbance."""
    copy = shutil.copytree(trained, tmp_path_factory.mktemp("final") / "project")
    said(copy, "refit")
    return (copy / FINAL).read_bytes()


def start(project: Path, stage: str, **env: str) -> Running:
    return Running(project, (f"stages.{stage}", "scratch"), Setting(env))


def said(project: Path, stage: str, **env: str) -> str:
    """Run a stage to its end and return what it printed."""
    done = start(project, stage, **env).finish()
    assert done.status == 0, done.err
    return done.out


def checks_named(weights: Path) -> float:
    """Return the share of the checks among the test photos that a network names rightly."""
    pixels, labels, roles = photos()
    asked = np.flatnonzero((labels == 2) & (roles == "test"))
    network, info = models.load_weights(weights)
    module = Normalized(network, info.input_size, info.mean, info.std)
    answers = run_module(module, pixels, asked, "checks", torch.device("cpu"))
    return float((answers.argmax(axis=1) == 2).mean())


def epochs(said: str) -> list[int]:
    return [int(number) for number in re.findall(r"^epoch +(\d+)/", said, re.MULTILINE)]


def test_the_final_weights_know_what_only_validation_photos_show(
    project: Path, final: bytes
) -> None:
    history = pd.read_csv(project / "metrics/scratch/training.csv")
    out = said(project, "refit")
    [chosen] = re.findall(r"(\d+) epochs$", out.strip())
    assert history["val_accuracy"].max() == history["val_accuracy"][int(chosen) - 1]
    assert epochs(out) == list(range(1, int(chosen) + 1))
    assert "trained on 105 train and validation photos" in out
    assert (project / FINAL).read_bytes() == final, "not the same bytes twice"
    assert checks_named(project / WEIGHTS) < 0.5 < 0.8 < checks_named(project / FINAL)


def test_confidence_is_fitted_on_photos_that_the_network_had_not_seen(
    project: Path, final: bytes
) -> None:
    def calibrated() -> tuple[dict[str, Any], dict[str, Any], torch.Tensor]:
        said(project, "calibrate")
        told = [
            json.loads((project / name).read_text())
            for name in ("models/scratch/calibration.json", "metrics/scratch/validation.json")
        ]
        means = load_file(project / "models/scratch/statistics.safetensors")["means"]
        return told[0], told[1], means

    (project / FINAL).write_bytes(final)
    calibration, figures, means = calibrated()
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("  scratch: true\n", "  scratch: false\n"))
    out = said(project, "refit")
    assert "stay as validation chose them (refit.scratch is false)" in out
    assert (project / FINAL).read_bytes() == (project / WEIGHTS).read_bytes()
    before = calibrated()
    assert (calibration, figures) == before[:2], "it was fitted on photos that it had learned"
    assert figures["accuracy"] < 0.8
    # Where a class lies among the features only the network that is exported can tell.
    assert means.shape == before[2].shape and not torch.allclose(means, before[2], atol=0.05)


def test_killed_half_way_it_continues_and_ends_with_the_same_bytes(
    project: Path, final: bytes
) -> None:
    process = start(project, "refit")
    process.wait_until(lambda: bool(list((project / ".state").glob("*.pt"))))
    process.signal(signal.SIGKILL)
    assert process.finish().status == -signal.SIGKILL and not (project / FINAL).exists()
    out = said(project, "refit")
    assert 1 not in epochs(out) and epochs(out)[-1] > 1
    assert (project / FINAL).read_bytes() == final
    assert not list((project / ".state").glob("*.pt"))


def test_two_processes_share_it(project: Path, final: bytes) -> None:
    out = said(project, "refit", LANDMARKS_PROCESSES="2")
    assert epochs(out)[0] == 1 and len(epochs(out)) == len(set(epochs(out)))
    assert checks_named(project / FINAL) > 0.8
