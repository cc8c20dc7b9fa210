"""Files of real cameras and of test collections: each is read rightly or refused."""

import csv
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mistakes.projects import new_project
from mistakes.running import server
from PIL import Image

from landmarks import images

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")

REFUSED = {
    "bomb__decompression_bomb.gif": "too many pixels",
    "bomb__png_decompression_dos.png": "decompression bomb",
    "truncated__broken.png": "damaged",
    "truncated__truncated_jpeg.jpg": "truncated",
    "truncated__unknown_compression_method.png": "damaged",
}
LIMIT = 1_000_000_000


def index(shared: Path) -> list[dict[str, str]]:
    with (shared / "decode_samples/INDEX.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_read_or_refused_with_its_reason(shared: Path) -> None:
    rows = index(shared)
    assert len(rows) == 55
    for row in rows:
        name = row["file"]
        expected = REFUSED.get(name, "truncated" if row["category"] == "truncated" else "ok")
        try:
            pixels, _ = images.load(shared / "decode_samples" / name, 64)
            found = "ok"
            assert pixels.shape == (64, 64, 3), name
        except images.UnreadableImage as error:
            found = error.reason
        assert found == expected, name


def test_the_stage_reads_or_refuses_each_within_a_gigabyte(shared: Path, tmp_path: Path) -> None:
    """One archive of all, as a user would give it: the verdicts in its table, and the memory."""
    project, expected = new_project(tmp_path / "project"), {}
    with zipfile.ZipFile(project.path("data/landmark_images.zip"), "w") as archive:
        for number, row in enumerate(index(shared)):
            name = f"0{number % 3}.Kind/{row['file']}.jpg"
            archive.write(shared / "decode_samples" / row["file"], name)
            cut = "truncated" if row["category"] == "truncated" else ""
            expected[name] = REFUSED.get(row["file"], cut)
    with zipfile.ZipFile(project.path("data/negatives.zip"), "w"):
        pass
    with server():
        done = project.run(("stages.decode",))
    assert done.status == 0, done
    table = pd.read_csv(project.folder / "data/photos/photos.csv", keep_default_na=False)
    assert dict(zip(table["path"], table["reason"], strict=True)) == expected
    assert 50_000_000 < done.workers < LIMIT


def test_content_and_upright_size_are_reported(shared: Path) -> None:
    for row in index(shared):
        if row["pillow"] != "ok":
            continue
        picture = images.decode(shared / "decode_samples" / row["file"], reduce_to=64)
        width, height = eval(row["size"])  # noqa: S307 - a tuple in our own index
        if row["orientation"] in ("5", "6", "7", "8"):
            width, height = height, width
        assert picture.format == row["format"], row["file"]
        assert (picture.width, picture.height) == (width, height), row["file"]


def test_all_nine_orientation_values_show_one_scene(shared: Path) -> None:
    folder = shared / "decode_samples"
    upright, _ = images.load(folder / "orientation__Landscape_1.jpg", 96)
    for value in range(9):
        turned, picture = images.load(folder / f"orientation__Landscape_{value}.jpg", 96)
        assert (picture.width, picture.height) == (1800, 1200)
        # Each file bears its own number in the picture; the rest is the same.
        assert np.abs(turned.astype(int) - upright).mean() < 6, value
        assert (images.dhash(turned) ^ images.dhash(upright)).bit_count() <= 4, value


def test_heic_is_turned_once(shared: Path) -> None:
    picture = images.decode(shared / "decode_samples/heic__heic__IMG_5195.HEIC", reduce_to=64)
    assert (picture.width, picture.height) == (2566, 3313), "a portrait"


def test_cmyk_photo_is_no_negative(shared: Path) -> None:
    """A dark arcade with warm light at its end."""
    pixels, _ = images.load(
        shared / "decode_samples/cmyk__train__jamali_kamali_tomb__img26.jpg", 64
    )
    red, _, blue = pixels[28:36, 26:38].mean(axis=(0, 1))
    assert pixels[:4].mean() < 60 < 90 < red and blue < red - 40


def test_the_first_frame_of_an_animation_is_shown(shared: Path) -> None:
    file = shared / "decode_samples/animated_or_gif__chi.gif"
    with Image.open(file) as animation:
        first = np.asarray(animation.convert("RGB"))
    assert np.array_equal(images.decode(file).pixels, first)


def limited(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that may not take more than `LIMIT` bytes."""
    head = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({LIMIT}, {LIMIT}))\n"
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | one_thread,
    )


def test_all_of_them_fit_in_a_gigabyte(shared: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from landmarks import images

        decoded, too_large = 0, []
        for file in sorted(Path(sys.argv[1]).iterdir()):
            if file.suffix == ".csv":
                continue
            try:
                images.decode(file)
                decoded += 1
            except images.UnreadableImage as error:
                if error.reason == "too many pixels":
                    too_large.append(file.name)
        print(decoded, too_large)
    """
    done = limited(code, str(shared / "decode_samples"))
    assert done.stdout.strip() == "49 ['bomb__decompression_bomb.gif']", done.stderr


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_the_largest_photo_allowed_fits_in_a_gigabyte(tmp_path: Path, format: str) -> None:
    """Fully decoded, turned on its side, just under the budget of its format."""
    side = {"JPEG": 10590, "WEBP": 7270}[format]
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "large"
    Image.new("RGB", (side, side - 8), (9, 99, 199)).save(file, format, exif=exif, method=0)
    code = """
        import sys
        from landmarks import images

        picture = images.decode(sys.argv[1])
        print(picture.pixels.shape, picture.pixels[5, 5].round(-1))
    """
    done = limited(code, str(file))
    assert done.stdout.startswith(f"({side}, {side - 8}, 3)"), done.stderr
