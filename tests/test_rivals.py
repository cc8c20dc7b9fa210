"""The rivals are measured honestly: on the pipeline's split, resumable, best by validation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_training import settings_with, stripes
from torch import nn

from benchmarks import plain, rivals
from landmarks import params
from landmarks.checkpoint import Checkpoint

HOW = plain.Recipe(epochs=3, lr=0.01)
SCALE = ([0.5] * 3, [0.25] * 3)


@pytest.fixture(scope="module")
def photos() -> plain.Photos:
    """Stripes as the pipeline would store and split them: train, val and test."""
    data = stripes(90, plain.SIZE)
    roles = np.where(np.arange(90) < 54, "train", np.where(np.arange(90) < 72, "val", "test"))
    names = [data.classes[label] for label in [*data.train_labels, *data.val_labels]]
    split = pd.DataFrame({"id": np.arange(90), "class": names, "role": roles, "reason": ""})
    return plain.Photos(data.pixels, split)


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, stride=4), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4),
        nn.Flatten(), nn.Sequential(nn.Linear(128, 3)),
    )  # fmt: skip


class Interrupted(Exception):
    """Stands for the kill."""


def test_a_rival_that_was_killed_continues_and_ends_alike(
    photos: plain.Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = plain.PlainTraining(network(), photos, HOW, SCALE)
    whole.fit(Checkpoint("whole", "0" * 64, tmp_path))
    first = plain.PlainTraining(network(), photos, HOW, SCALE)
    epoch = first.epoch

    def dies(number: int) -> None:
        if number == 2:
            raise Interrupted
        epoch(number)

    monkeypatch.setattr(first, "epoch", dies)
    with pytest.raises(Interrupted):
        first.fit(Checkpoint("killed", "0" * 64, tmp_path))
    torch.manual_seed(99)
    second = plain.PlainTraining(network(), photos, HOW, SCALE)
    second.fit(Checkpoint("killed", "0" * 64, tmp_path))
    for key, value in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[key], value), key


def test_a_frozen_backbone_learns_its_head_only(photos: plain.Photos) -> None:
    training = plain.PlainTraining(
        network(), photos, plain.Recipe(epochs=1, lr=0.01, frozen=True), SCALE
    )
    before = {key: value.clone() for key, value in training.network.state_dict().items()}
    training.epoch(0)
    after = training.network.state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved == {"5.0.weight", "5.0.bias"}


def test_the_course_cnn_has_five_blocks_two_linear_layers_and_dropout() -> None:
    built = plain.course_cnn(50)
    kinds = [type(layer) for layer in built]
    assert kinds.count(nn.Conv2d) == kinds.count(nn.MaxPool2d) == 5
    assert kinds.count(nn.Linear) == 2 and nn.Dropout in kinds
    assert built(torch.zeros(2, 3, plain.CROP, plain.CROP)).shape == (2, 50)


def test_the_regression_chooses_its_strength_on_validation(photos: plain.Photos) -> None:
    sample = settings_with("transfer")
    assert isinstance(sample, params.Transfer)
    backbone = rivals.Backbone(sample.backbone, sample.weights, sample.weights_sha256)
    found = rivals.regression(backbone, photos)
    assert found["recipe"]["C"] in rivals.STRENGTHS
    assert found["test_accuracy"] > 0.6 and found["test_n"] == 18
    assert found["test_accuracy_low"] < found["test_accuracy"] < found["test_accuracy_high"] + 1e-9


def test_an_archive_takes_the_split_of_the_real_preset() -> None:
    settings = rivals.chosen("photos.zip", "weights.pth", "")
    assert settings.download.source == "photos.zip"
    assert settings.train.transfer.weights == "weights.pth"
    assert settings.split == params.load(rivals.ROOT / "presets/landmarks50-cpu.yaml").split
    assert rivals.chosen("", "", "").download.source == "sample"


def test_rivals_that_are_measured_at_once_all_stay_in_the_file(tmp_path: Path) -> None:
    target, facts = tmp_path / "rivals.json", {"photos": "these", "backbone": "resnet18"}

    def slow() -> dict[str, float]:
        rivals.measure({"quick": lambda: {"test_accuracy": 0.7}}, target, facts)
        return {"test_accuracy": 0.8}

    def never() -> dict[str, float]:
        pytest.fail("measured a second time")

    assert list(rivals.measure({"slow": slow}, target, facts)) == ["quick", "slow"]
    again = rivals.measure({"quick": never, "slow": never}, target, facts)
    assert {name: found["test_accuracy"] for name, found in again.items()} == {
        "quick": 0.7,
        "slow": 0.8,
    }
    assert list(rivals.measure({"quick": slow}, target, facts | {"photos": "others"})) == ["quick"]
