"""How long `dvc repro` takes with nothing to do, against the same photos as loose files."""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from tqdm import tqdm

from landmarks.errors import LandmarksError, run
from tools import dvc_cli
from tools.collect_results import ROOT

CLASSES, SIDE, ROUNDS = 50, 96, 5
ARCHIVE, LOOSE = "data/landmark_images.zip", "data/landmark_images"
# Built for the files that it leaves, not for what it learns.
HASTY = {
    "epochs": 1,
    "lr_warmup_epochs": 0,
    "batch_size": 64,
    "patience": 1,
    "initial_crop_size": 32,
    "train_crop_size": 32,
    "val_crop_size": 32,
}


def draw(path: Path, photos: int) -> None:
    """Write a zip of so many small photos, each of its own colours, a fifth of them for test."""
    random = np.random.default_rng(1)
    with zipfile.ZipFile(path, "w") as archive:
        for number in tqdm(range(photos), desc="drawing", unit="photo"):
            blots = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
            buffer = io.BytesIO()
            blots.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG")
            role = "test" if number // CLASSES % 5 == 0 else "train"
            name = f"{role}/{number % CLASSES:02}.Class/{number:05}.jpg"
            archive.writestr(name, buffer.getvalue())


def build(folder: Path, photos: int) -> None:
    """Make a copy of this project in `folder` and run its pipeline on so many photos."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for leftover in ("dvc.lock", ".dvc/config.local"):
        (folder / leftover).unlink(missing_ok=True)
    draw(folder.parent / "photos.zip", photos)
    (folder / "params.yaml").write_text(settings(folder.parent / "photos.zip"), encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    dvc_cli.run("repro", root=folder)


def settings(source: Path) -> str:
    """Return what `params.yaml` holds: the sample's parameters, hasty, with these photos."""
    params = yaml.safe_load((ROOT / "presets/sample.yaml").read_text(encoding="utf-8"))
    params["download"]["source"] = str(source)
    params["decode"]["photo_size"] = SIDE
    for cnn in ("scratch", "transfer"):
        params["train"][cnn] |= HASTY
    params["train"]["scratch"]["width"] = 8
    return yaml.safe_dump(params)


def loosen(folder: Path) -> None:
    """Let the project in `folder` track its photos as loose files instead of one archive."""
    with zipfile.ZipFile(folder / ARCHIVE) as archive:
        archive.extractall(folder / LOOSE)
    (folder / ARCHIVE).unlink()
    pipeline = folder / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    pipeline.write_text(text.replace(ARCHIVE, LOOSE), encoding="utf-8")
    dvc_cli.run("commit", "--force", root=folder)


def files(folder: Path) -> int:
    """Return how many files DVC looks at: those beneath the deps and outs in dvc.lock."""
    lock: dict[str, Any] = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    found: set[Path] = set()
    for stage in lock["stages"].values():
        for entry in stage["deps"] + stage["outs"]:
            path = folder / entry["path"]
            found |= {path} if path.is_file() else {p for p in path.rglob("*") if p.is_file()}
    return len({path for path in found if path.suffix != ".pyc"})


def seconds(folder: Path) -> float:
    """Return how long `dvc repro` takes in `folder`, the program's start included."""
    started = time.perf_counter()
    code, said, wrong = dvc_cli.output("repro", root=folder)
    taken = time.perf_counter() - started
    if code or "Running stage" in said:
        raise LandmarksError(f"dvc repro in {folder} had something to do: {said[-500:]}{wrong}")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__)
    parser.add_argument("--photos", type=int, default=5_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="landmarks-rebuild-") as top:
        folders = {"one archive": Path(top) / "archive", "loose files": Path(top) / "loose"}
        ours, rival = folders.values()
        build(ours, arguments.photos)
        shutil.copytree(ours, rival, symlinks=True)
        loosen(rival)
        taken: dict[str, list[float]] = {name: [] for name in folders}
        for _ in range(ROUNDS + 1):
            for name, folder in folders.items():
                taken[name].append(seconds(folder))
        # The first round fills DVC's notes of what it has looked at.
        best = {name: min(times[1:]) for name, times in taken.items()}
        print(f"\ndvc repro with nothing to do, {arguments.photos:,} photos, best of {ROUNDS}")
        print(f"  {'':14}{'files':>8}{'seconds':>10}{'ratio':>8}")
        for name, folder in folders.items():
            ratio = best[name] / best["one archive"]
            print(f"  {name:14}{files(folder):8,}{best[name]:10.2f}{ratio:8.2f}")
        print(f"  Python {sys.version.split()[0]}")


if __name__ == "__main__":
    run(main)
