"""A project for stories of storage and versions: the real tools, and stages that take a blink.

It has the real configuration, parameters, declared plots and artifact, and the names of the real
stages and files; only what they compute is small.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import small_export
import yaml
from PIL import Image
from stories.clone import Clone

from landmarks import card

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    *("landmarks", "tools", "ci", "presets", "params.yaml", "Makefile"),
    *(".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", ".gitattributes"),
)
NOISE = 600_000
"""Bytes of the released ONNX file that nothing can compress: enough to be cut in the middle."""

_BOTH = {"cnn": ["scratch", "transfer"]}


def _stage(command: str, deps: list[str], **more: Any) -> dict[str, Any]:
    cmd = f"python quick_stages.py {command}"
    return {"cmd": cmd, "deps": ["quick_stages.py", *deps], **more}


def pipeline() -> dict[str, Any]:
    """Return what dvc.yaml holds."""
    real = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    curve = {"cache": False, "x": "epoch", "y": "val_accuracy"}
    plain = {"cache": False}
    weights = "models/${item.cnn}/weights.safetensors"
    stages = {
        "download": _stage("download", [], params=["download"], outs=["data/landmark_images.zip"]),
        "train": _stage(
            "train ${item.cnn}",
            ["data/landmark_images.zip"],
            matrix=_BOTH,
            params=["train.${item.cnn}"],
            outs=[weights],
            plots=[{"metrics/${item.cnn}/training.csv": curve}],
        ),
        "evaluate": _stage(
            "evaluate ${item.cnn}",
            [weights],
            matrix=_BOTH,
            metrics=[{"metrics/${item.cnn}.json": plain}],
        ),
        "release": _stage(
            "release",
            ["drawn", *(f"metrics/{cnn}.json" for cnn in _BOTH["cnn"])],
            params=["release"],
            outs=["models/landmarks"],
            metrics=[{"metrics/released.json": plain}],
        ),
    }
    return {"stages": stages, "plots": real["plots"][:2], "artifacts": real["artifacts"]}


def make(top: Path) -> Clone:
    """Make, build and commit the project in `top`; nothing is pushed."""
    clone = Clone(top / "the project", top / "home")
    clone.home.mkdir(parents=True)
    copy_files(clone.folder, *COPIED)
    drawn = small_export.write_export(clone.folder / "drawn")
    model = onnx.load(drawn / card.ONNX)
    noise = np.random.default_rng(1).integers(1, 127, NOISE, dtype=np.uint8).tobytes()
    onnx.helper.set_model_props(model, {"noise": noise.decode("ascii")})
    onnx.save(model, drawn / card.ONNX)
    small_export.write_card(drawn)
    shutil.copy(Path(__file__).with_name("quick_stages.py"), clone.folder)
    text = yaml.safe_dump(pipeline(), sort_keys=False)
    (clone.folder / "dvc.yaml").write_text(text, encoding="utf-8")
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.run("dvc", "repro", "--quiet")
    clone.commit()
    return clone


def copy_files(folder: Path, *names: str) -> None:
    """Copy files of the project that Git knows or would take up, all or those named."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def elsewhere(clone: Clone, folder: Path) -> Clone:
    """Clone with Git alone, as another user: no cache, no .dvc/config.local, an empty home."""
    home = folder.with_name(f"{folder.name} home")
    home.mkdir(parents=True)
    clone.run("git", "clone", "--quiet", str(clone.folder), str(folder))
    return Clone(folder, home)


def photo(path: Path) -> Path:
    """Write a photo of the first landmark of the drawn model: a red one."""
    Image.new("RGB", (60, 40), (220, 30, 40)).save(path)
    return path


def answer(clone: Clone, photo: Path) -> list[dict[str, Any]]:
    """Return what `landmarks predict --json` says with the model in the clone."""
    said = clone.python("landmarks.cli", "predict", str(photo), "--json").stdout
    found: list[dict[str, Any]] = json.loads(said)
    return found
