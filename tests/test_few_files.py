"""Few files, however many photos: what makes `dvc repro` with nothing to do a matter of a second.

DVC looks at every file beneath every dep and out, each time. benchmarks/rebuild.py measures it.
"""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import declared
import numpy as np
from PIL import Image

from tools.preset import set_value

ROOT = Path(__file__).resolve().parents[1]
# Those after them leave files that dvc.yaml names one by one, but for the release.
BY_PHOTOS = ("download", "decode", "attribution", "split", "stats")


def archive(path: Path, photos: int) -> None:
    """Write a zip of so many small photos in two classes, a fifth of them for test."""
    noise = np.random.default_rng(1)
    with zipfile.ZipFile(path, "w") as file:
        for number in range(photos):
            buffer = io.BytesIO()
            pixels = noise.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
            role = "test" if number % 10 < 2 else "train"
            file.writestr(f"{role}/0{number % 2}.Class/{number}.png", buffer.getvalue())


def files_by_out(folder: Path, photos: int) -> dict[str, int]:
    """Run the real stages on so many photos; return how many files lie beneath each out."""
    folder.mkdir()
    archive(folder / "photos.zip", photos)
    text = (ROOT / "presets/sample.yaml").read_text(encoding="utf-8")
    text = set_value(text, "download.source", str(folder / "photos.zip"))
    text = text.replace("photo_size: 96", "photo_size: 16")
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    pipeline = declared.stages(ROOT)
    found: dict[str, int] = {}
    for name in BY_PHOTOS:
        subprocess.run(
            [sys.executable, *pipeline[name].cmd.split()[1:]],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        for out in map(folder.joinpath, pipeline[name].outs):
            beneath = [out] if out.is_file() else [p for p in out.rglob("*") if p.is_file()]
            found[out.relative_to(folder).as_posix()] = len(beneath)
    table = (folder / "data/photos/photos.csv").read_text(encoding="utf-8")
    assert len(table.splitlines()) == photos + 1
    return found


def test_only_two_outs_are_folders() -> None:
    outs = {Path(out) for stage in declared.stages(ROOT).values() for out in stage.outs}
    assert {out for out in outs if not out.suffix} == {
        Path("data/photos"),
        Path("models/landmarks"),
    }


def test_five_thousand_photos_are_as_many_files_as_twenty(tmp_path: Path) -> None:
    few = files_by_out(tmp_path / "few", 20)
    assert files_by_out(tmp_path / "many", 5_000) == few
    assert sum(few.values()) <= 7
