"""A typo in params.yaml is found before anything runs, and said in one line."""

from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from landmarks import params
from landmarks.errors import LandmarksError


@pytest.fixture
def tree() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def test_an_unknown_key_is_named_with_the_valid_ones(tree: dict) -> None:
    tree["train"]["scratch"]["ephocs"] = 3
    with pytest.raises(LandmarksError) as caught:
        params.parse(tree)
    said = str(caught.value)
    assert "`train.scratch.ephocs`" in said and "Did you mean `epochs`?" in said
    assert "label_smoothing" in said and "\n" not in said


def test_an_unknown_group_is_named_with_the_valid_ones(tree: dict) -> None:
    tree["trian"] = {}
    with pytest.raises(LandmarksError, match="Did you mean `train`"):
        params.parse(tree)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("train.scratch.epochs", 0),
        ("train.scratch.epochs", "many"),
        ("train.transfer.label_smoothing", 1.5),
        ("split.validation_share", 1.0),
        ("decode.photo_size", 8),
        ("release.model", "newest"),
        ("calibrate.temperature", "yes"),
        ("download.sha256", "abc"),
        ("split.exclude_licences", "CC BY-NC*"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(tree: dict, path: str, value: object) -> None:
    group = tree
    *parents, key = path.split(".")
    for parent in parents:
        group = group[parent]
    group[key] = value
    with pytest.raises(LandmarksError) as caught:
        params.parse(tree)
    assert f"`{path}`" in str(caught.value) and repr(value) in str(caught.value)


def test_a_missing_key_is_named(tree: dict) -> None:
    del tree["train"]["transfer"]["backbone"]
    with pytest.raises(LandmarksError, match=r"`train\.transfer\.backbone` is missing"):
        params.parse(tree)


def test_a_warm_up_longer_than_the_training_is_refused(tree: dict) -> None:
    tree["train"]["scratch"]["lr_warmup_epochs"] = tree["train"]["scratch"]["epochs"]
    with pytest.raises(LandmarksError, match="lr_warmup_epochs must be smaller than epochs"):
        params.parse(tree)


def test_a_vision_transformer_needs_one_size_for_all(tree: dict) -> None:
    sizes = {"initial_crop_size": 64, "train_crop_size": 64, "val_crop_size": 64}
    tree["train"]["transfer"] |= {"backbone": "vit_b_16", **sizes}
    params.parse(tree)
    for name, other in {"initial_crop_size": 48, "val_crop_size": 96}.items():
        tree["train"]["transfer"] |= sizes | {name: other}
        with pytest.raises(LandmarksError, match=f"vit_b_16 needs .* equal.* they are .*{other}"):
            params.parse(tree)


def test_crops_do_not_shrink(tree: dict) -> None:
    tree["train"]["scratch"] |= {"initial_crop_size": 96, "train_crop_size": 64}
    with pytest.raises(LandmarksError, match="initial_crop_size must not be larger"):
        params.parse(tree)


def test_a_missing_or_broken_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(LandmarksError, match="is missing"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [1")
    with pytest.raises(LandmarksError, match="is not valid YAML"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(LandmarksError):
        params.load(tmp_path / "params.yaml")
