"""Mistakes with weights and settings of a training, and with what it leaves for later stages."""

import json
import pickle
from pathlib import Path
from typing import Any

from mistakes.archives import cut
from mistakes.parameters import setting
from mistakes.photos import at
from mistakes.projects import Project
from mistakes.running import Setting
from mistakes.table import Case, Spoil

TRANSFER, SCRATCH = ("stages.train", "transfer"), ("stages.train", "scratch")
REFIT, CALIBRATE = ("stages.refit", "scratch"), ("stages.calibrate", "scratch")
EXPORT = ("stages.export", "scratch")
EVALUATE, RELEASE = ("stages.evaluate", "scratch"), ("stages.release",)
TRAINED = "models/scratch/weights.safetensors"
# Where torchvision would download from: a proxy that is not there.
_OFFLINE = Setting(environment={"https_proxy": "http://127.0.0.1:9", "TORCH_HOME": "../torch"})


class Payload:
    """What unpickling must never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("trap"),)


def weights(write: Any, name: str = "mine.pth") -> Spoil:
    """Give weights that `write` makes."""

    def spoil(project: Project) -> None:
        write(project.path(name))
        project.params({"train.transfer.weights": name})

    return spoil


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"features.0.weight": Payload()}, protocol=2))


def _saved(path: Path) -> None:
    import torch

    torch.save({"features.0.weight": Payload()}, path)


def _other_architecture(path: Path) -> None:
    import torch

    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)


def _list(path: Path) -> None:
    import torch

    torch.save([torch.zeros(3)], path)


def _emptied(path: Path) -> None:
    path.write_text("epoch,lr\n")


def edited(name: str, change: Any) -> Spoil:
    """Change a JSON file by hand."""

    def spoil(project: Project) -> None:
        path = project.folder / name
        tree = json.loads(path.read_text())
        change(tree)
        path.write_text(json.dumps(tree))

    return spoil


def flip(name: str) -> Spoil:
    """Change one bit in the middle of a file."""

    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return at(name, change)


def refitted(spoil: Spoil) -> Spoil:
    """Spoil a project whose parameters ask for the last training."""

    def both(project: Project) -> None:
        project.params({"refit.scratch": True})
        spoil(project)

    return both


def _both(project: Project) -> None:
    """Give the project the second CNN that a release chooses from: the first one again."""
    import shutil

    shutil.copytree(project.folder / "models/scratch", project.folder / "models/transfer")
    shutil.copytree(project.folder / "metrics/scratch", project.folder / "metrics/transfer")
    shutil.copy(project.folder / "metrics/scratch.json", project.folder / "metrics/transfer.json")


def released(spoil: Spoil) -> Spoil:
    """Spoil a project that has both CNNs."""

    def both(project: Project) -> None:
        _both(project)
        spoil(project)

    return both


def train(id: str, spoil: Spoil, command: tuple[str, ...] = TRANSFER) -> Case:
    return Case(id, command, spoil, "split", again=False)


def after(id: str, spoil: Spoil, command: tuple[str, ...]) -> Case:
    level = "exported" if command in (EVALUATE, RELEASE) else "trained"
    return Case(id, command, spoil, level, again=False)


TRAINING = (
    train("backbone", setting("train.transfer.backbone", "mobilenet_v9")),
    train("weights-missing", setting("train.transfer.weights", "mine.pth")),
    train("weights-checksum", setting("train.transfer.weights_sha256", "0" * 64)),
    train("weights-text", weights(lambda path: path.write_text("weights"))),
    train("weights-cut", at("backbone.safetensors", lambda path: cut(path, 0.5))),
    train("weights-pickle", weights(_pickled)),
    train("weights-saved", weights(_saved)),
    train("weights-list", weights(_list)),
    train("weights-misfit", weights(_other_architecture)),
    train("weights-other", setting("train.transfer.backbone", "resnet18")),
    Case(
        "weights-offline",
        TRANSFER,
        setting("train.transfer.weights", "imagenet"),
        "split",
        _OFFLINE,
        again=False,
    ),
    train("teacher-missing", setting("train.transfer.teacher", TRAINED)),
    train("teacher-table", setting("train.transfer.teacher", "data/split.csv")),
    train("diverges", setting("train.scratch.lr", 1e30), SCRATCH),
    train("memory", setting("train.scratch.width", 80000), SCRATCH),
    train("no-cnn", lambda project: None, ("stages.train",)),
    train("other-cnn", lambda project: None, ("stages.train", "resnet")),
)

LATER = (
    after("refit-missing", at(TRAINED, Path.unlink), REFIT),
    after("refit-epochs", refitted(at("metrics/scratch/training.csv", Path.unlink)), REFIT),
    after("refit-history", refitted(at("metrics/scratch/training.csv", _emptied)), REFIT),
    after("final-missing", at("models/scratch/final.safetensors", Path.unlink), EXPORT),
    after("trained-missing", at(TRAINED, Path.unlink), CALIBRATE),
    after("trained-cut", at(TRAINED, lambda path: cut(path, 0.5)), CALIBRATE),
    after(
        "trained-other",
        lambda p: (p.folder / "backbone.safetensors").replace(p.folder / TRAINED),
        CALIBRATE,
    ),
    after(
        "calibration-key",
        edited("models/scratch/calibration.json", dict.clear),
        EXPORT,
    ),
    after("archive-changed", at("data/landmark_images.zip", Path.unlink), EXPORT),
    after("export-missing", at("models/scratch/model.json", Path.unlink), EVALUATE),
    after("onnx-missing", at("models/scratch/landmarks.onnx", Path.unlink), EVALUATE),
    after("onnx-tampered", flip("models/scratch/landmarks.onnx"), EVALUATE),
    after("torchscript-tampered", flip("models/scratch/landmarks.pt"), EVALUATE),
    after(
        "card-tampered",
        edited("models/scratch/model.json", lambda tree: tree.pop("classes")),
        EVALUATE,
    ),
    after(
        "card-newer",
        edited("models/scratch/model.json", lambda tree: tree.update(format_version=9)),
        EVALUATE,
    ),
    after(
        "card-classes",
        edited("models/scratch/model.json", lambda tree: tree["classes"].reverse()),
        EVALUATE,
    ),
    after(
        "release-figures",
        released(edited("metrics/scratch/validation.json", lambda tree: tree.pop("nll"))),
        RELEASE,
    ),
    after(
        "release-missing",
        released(at("metrics/transfer/validation.json", Path.unlink)),
        RELEASE,
    ),
    after("release-tampered", released(flip("models/scratch/landmarks.pt")), RELEASE),
)
