"""An ablation leaves out one ingredient at a time, keeps finished runs, and changes no result."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from small_project import SIZE, project
from small_training import settings_with, stripes

from benchmarks import ablation
from landmarks import params
from landmarks.errors import LandmarksError
from landmarks.params import NO_TEACHER
from landmarks.training import Trainer

ROOT = Path(__file__).resolve().parents[1]
RECIPE = {
    "auto_augment": "trivial",
    "random_erase": 0.1,
    "dropout": 0.1,
    "optimizer": "muon",
    "initial_crop_size": 32,
    "train_crop_size": 40,
    "val_crop_size": 40,
    "weight_decay": 0.05,
    "label_smoothing": 0.0,
}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Give PyTorch back the threads that trainings of this process change."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def real(cnn: str) -> Any:
    return getattr(params.load(ROOT / "presets/landmarks50-cpu.yaml").train, cnn)


def test_each_ingredient_of_the_recipe_is_left_out_and_nothing_else() -> None:
    for cnn, own in (
        ("scratch", {"label_smoothing", "muon", "stochastic_depth"}),
        ("transfer", {"frozen_blocks", "slow_backbone"}),
    ):
        found = ablation.ingredients(real(cnn))
        assert found.keys() == {
            "auto_augment", "random_crop", "random_erase", "dropout", "moving_average",
            "growing_crops", "closer_look", "warm_up", "weight_decay",
            "norms_apart", *own,
        }  # fmt: skip
        before = real(cnn).model_dump()
        for name, changes in found.items():
            after = ablation.changed(real(cnn), changes).model_dump()
            differ = {key for key in before if before[key] != after[key]}
            assert differ and differ <= changes.keys(), name


def test_a_short_schedule_shrinks_all_that_is_counted_in_time() -> None:
    short = ablation.short(real("scratch"), 12)
    assert (short.epochs, short.patience, short.lr_warmup_epochs) == (12, 12, 0.4)
    assert short.model_ema_decay == pytest.approx(0.99)  # of 0.998 for 60 epochs
    sample = params.load(ROOT / "presets/sample.yaml").train.transfer
    frozen = ablation.short(sample, 3)
    assert isinstance(frozen, params.Transfer) and frozen.freeze_epochs == 1
    untouched = ablation.changed(short, real("scratch").model_dump()).model_dump()
    assert untouched == real("scratch").model_dump()


def small(state: Path, inputs: str = "data and code") -> ablation.Ablation:
    return ablation.Ablation(
        "scratch", settings_with("scratch", **RECIPE, epochs=2), stripes(48), inputs, state
    )


def test_a_finished_run_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = small(tmp_path)
    for name in ("recipe", "muon"):
        first.measure(name)
    results = first.results()
    assert results["runs"].keys() == {"recipe", "muon"}
    gain = results["runs"]["muon"]["val_accuracy"] - results["runs"]["recipe"]["val_accuracy"]
    assert results["runs"]["muon"]["gain_over_recipe"] == pytest.approx(gain, abs=1e-6)
    assert results["runs"]["muon"]["changes"] == {"optimizer": "adamw"}
    lines = ablation.table("scratch", results).splitlines()
    assert lines[1].startswith("the whole recipe") and lines[2].startswith("without muon")
    assert not list(tmp_path.glob("*.pt"))  # no state is left of what is finished

    def trained(*_: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(ablation, "train", trained)
    again = small(tmp_path)
    again.measure("muon")
    assert again.results() == results
    with pytest.raises(AssertionError, match="again"):
        small(tmp_path, "other data").measure("muon")


class Interrupted(Exception):
    """Stands for the kill."""


def test_a_run_that_was_killed_continues_with_its_next_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []
    train_epoch, now = Trainer.train_epoch, [0.0]
    monkeypatch.setattr(ablation, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def takes_ten_minutes(trainer: Trainer, epoch: int) -> dict[str, float]:
        now[0] += 600
        return train_epoch(trainer, epoch)

    monkeypatch.setattr(Trainer, "train_epoch", takes_ten_minutes)
    whole = small(tmp_path / "whole")
    whole.measure("dropout")

    def dies_once(trainer: Trainer, epoch: int) -> dict[str, float]:
        epochs.append(epoch)
        if epochs == [0, 1]:
            raise Interrupted
        return takes_ten_minutes(trainer, epoch)

    monkeypatch.setattr(Trainer, "train_epoch", dies_once)
    killed = small(tmp_path / "killed")
    with pytest.raises(Interrupted):
        killed.measure("dropout")
    small(tmp_path / "killed").measure("dropout")
    assert epochs == [0, 1, 1]
    found, expected = (one.results()["runs"]["dropout"] for one in (killed, whole))
    assert found["minutes"] == expected["minutes"] == 20
    assert found == expected


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A built project as `dvc repro` leaves it, as far as training goes."""
    made, folder = project(), tmp_path / "a project"
    (folder / "models").mkdir(parents=True)
    shutil.copytree(made.folder / "photos", folder / "data/photos")
    made.photos.split.to_csv(folder / "data/split.csv", index=False)
    (folder / "data/normalization.json").write_text(
        json.dumps({"mean": [0.5] * 3, "std": [0.2] * 3})
    )
    tree = yaml.safe_load((ROOT / "presets/sample.yaml").read_text())
    tree["train"]["scratch"] = settings_with("scratch", **RECIPE).model_dump()
    tree["decode"]["photo_size"] = SIZE
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    return folder


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_command_measures_a_built_project_and_leaves_it_alone(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(built)
    monkeypatch.setattr(ablation, "ROOT", _elsewhere(tmp_path))
    ours = files_of(tmp_path / "ours")
    call = ["ablation", "--project", str(built), "--cnn", "scratch", "--epochs", "2"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*call, "--only", "dropout", "--name", "small"])
    ablation.main()
    assert files_of(built) == before
    kept = json.loads((tmp_path / "ours/results/small/ablation.json").read_text())
    assert kept["scratch"]["runs"].keys() == {"recipe", "dropout"}
    assert kept["scratch"]["machine"]["torch"], "the other CNN may be of another one"
    assert kept["scratch"]["n"] == len(project().photos.choose(10**6))
    new = {Path(path).parent for path in files_of(tmp_path / "ours").keys() - ours.keys()}
    assert new == {tmp_path / "ours/.state/ablation", tmp_path / "ours/results/small"}
    assert "without dropout" in capsys.readouterr().out


def _elsewhere(tmp_path: Path) -> Path:
    """A checkout of ours that a test may write to."""
    folder = tmp_path / "ours"
    folder.mkdir()
    shutil.copy(ROOT / "dvc.yaml", folder)
    for name in ("landmarks", "stages", "presets"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_other_data_or_other_code_is_another_run(built: Path, tmp_path: Path) -> None:
    first = ablation.fingerprint(built, NO_TEACHER)
    assert ablation.fingerprint(built, NO_TEACHER) == first
    pixels = built / "data/photos/pixels.npy"
    stored = np.load(pixels)
    stored[0, 0, 0, 0] ^= 1
    np.save(pixels, stored)
    assert ablation.fingerprint(built, NO_TEACHER) != first


def test_an_ingredient_that_does_not_exist_is_an_error(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    monkeypatch.setattr(sys, "argv", ["ablation", "--project", str(built), "--only", "salt"])
    with pytest.raises(LandmarksError, match="no ingredient is called 'salt'"):
        ablation.main()
