"""Small projects, each built by the real stages up to some point, for cases to spoil copies of."""

import functools
import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from conftest import ROOT
from mistakes.running import Done, Running, Setting
from PIL import Image

from landmarks.params import NO_TEACHER
from tools.preset import set_value

CLASSES = ("00.Arch", "01.Mill", "02.Tower")
CATALOGUE = """class,name,locality,country,country_code,latitude,longitude,kind
00.Arch,Red Arch,Ostrava Nova,Vendria,XA,12.5,-45.25,arch
01.Mill,Tall Mill,Quill,Vendria,XA,-1.5,170.125,mill
02.Tower,Old Tower,,,XB,,,tower
"""
SMALL = {
    "download.source": "photos.zip",
    "decode.photo_size": 48,
    "split.near_duplicate_distance": 0,
    "train.scratch.epochs": 1,
    "train.scratch.lr_warmup_epochs": 0,
    "train.scratch.batch_size": 8,
    "train.scratch.initial_crop_size": 32,
    "train.scratch.train_crop_size": 32,
    "train.scratch.val_crop_size": 32,
    "train.scratch.width": 8,
    "train.scratch.threads": 1,
    "train.transfer.epochs": 1,
    "train.transfer.lr_warmup_epochs": 0,
    "train.transfer.batch_size": 8,
    "train.transfer.initial_crop_size": 32,
    "train.transfer.train_crop_size": 32,
    "train.transfer.val_crop_size": 32,
    "train.transfer.threads": 1,
    "train.transfer.weights": "backbone.safetensors",
    "train.transfer.weights_sha256": None,
    "export.catalogue": "places.csv",
}
LEVELS: dict[str, tuple[tuple[str, ...], ...]] = {
    "new": (),
    "downloaded": (("stages.download",),),
    "decoded": (("stages.decode",), ("stages.attribution",)),
    "split": (("stages.split",), ("stages.stats",)),
    "trained": (
        ("stages.train", "scratch"),
        ("stages.refit", "scratch"),
        ("stages.calibrate", "scratch"),
    ),
    "exported": (("stages.export", "scratch"), ("stages.evaluate", "scratch")),
}
"""Names of how far a project is built, in order, and the stages that bring it there."""


@dataclass(frozen=True)
class Project:
    """A folder to run commands in; its parent is the home of its user."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return a path in the folder, its parent made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def params(self, changes: Mapping[str, object]) -> None:
        """Set parameters by dotted key, right or wrong."""
        tree = yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))
        for key, value in changes.items():
            *parents, last = key.split(".")
            functools.reduce(lambda group, name: group[name], parents, tree)[last] = value
        self.path("params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text, (name, old)
        (self.folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    def start(self, command: tuple[str, ...], setting: Setting | None = None) -> Running:
        """Start a command in the folder."""
        return Running(self.folder, command, setting or Setting())

    def run(self, command: tuple[str, ...], setting: Setting | None = None) -> Done:
        """Run a command in the folder to its end."""
        return self.start(command, setting).finish()

    def unlock(self) -> None:
        """Give their user back the rights to folders and files."""
        for path in [self.folder, *self.folder.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))

    def snapshot(self) -> dict[str, str]:
        """Return what stands in the folder: each path and what it is.

        Aside from `.state`, which outlives commands on purpose, and from DVC's own files.
        """
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if name.split("/")[0] in (".state", ".dvc"):
                continue
            if path.is_symlink():
                found[name] = f"link to {path.readlink()}"
            elif path.is_dir():
                found[name] = "folder"
            elif os.access(path, os.R_OK):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def photo(label: int, number: int, side: int = 64) -> bytes:
    """Draw a JPEG whose colour tells its class, and whose cells tell its number."""
    noise = np.random.default_rng(1000 * label + number)
    cells = noise.integers(0, 160, (8, 9, 3), dtype=np.uint8)
    cells[..., label % 3] += 90
    file = io.BytesIO()
    Image.fromarray(cells).resize((side, side), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


def good_members() -> dict[str, bytes]:
    """Return three classes of eight train and three test photos, by name."""
    return {
        f"photos/{part}/{name}/{number:02}.jpg": photo(label, number)
        for label, name in enumerate(CLASSES)
        for part, numbers in (("train", range(8)), ("test", range(8, 11)))
        for number in numbers
    }


def pack(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """Write a zip, the same bytes each time."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def new_project(folder: Path) -> Project:
    """Make a project that has not run yet, with photos, a catalogue and weights of its own."""
    folder.mkdir(parents=True)
    text = (ROOT / "presets/sample.yaml").read_text(encoding="utf-8")
    for key, value in SMALL.items():
        written = set_value(text, key, None if value is None else str(value))
        text = written.replace(f": '{value}'", f": {value}")
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    (folder / "places.csv").write_text(CATALOGUE, encoding="utf-8")
    pack(folder / "photos.zip", good_members())
    shutil.copy(ROOT / "presets/backbones/sample.safetensors", folder / "backbone.safetensors")
    (folder / NO_TEACHER).parent.mkdir()
    shutil.copy(ROOT / NO_TEACHER, folder / NO_TEACHER)
    return Project(folder)


class Projects:
    """Builds each level once, from the one before, and hands out copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._built: dict[str, Project] = {}

    def built(self, level: str) -> Project:
        """Return the project of a level. Nobody changes it."""
        if level not in self._built:
            names = list(LEVELS)
            folder = self.folder / level / "project"
            if level == names[0]:
                self._built[level] = new_project(folder)
            else:
                below = self.built(names[names.index(level) - 1])
                made = self._built[level] = self.copy(below, folder)
                for command in LEVELS[level]:
                    done = made.run(command)
                    assert done.status == 0, (command, done)
        return self._built[level]

    def copy(self, project: Project, folder: Path) -> Project:
        """Return a copy that may be spoilt."""
        shutil.copytree(project.folder, folder, symlinks=True)
        return Project(folder)

    def restore(self, spoilt: Project, level: str) -> None:
        """Mend all that its user did to a copy, and keep what commands left in `.state`."""
        spoilt.unlock()
        for path in spoilt.folder.iterdir():
            if path.name == ".state":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        shutil.copytree(
            self.built(level).folder,
            spoilt.folder,
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".state"),
        )


def anything(*_: Any) -> None:
    """Spoil nothing."""
