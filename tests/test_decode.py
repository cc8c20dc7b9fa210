"""An archive goes in; one array, one table and a verdict for every photo come out."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from landmarks import images
from landmarks.data.decode import decode_archives, describe
from landmarks.data.photos import COLUMNS
from landmarks.data.store import PhotoStore
from landmarks.errors import LandmarksError

ROOT = Path(__file__).resolve().parents[1]
SIZE = 32


def photo(number: int, width: int = 60, height: int = 40, **options: object) -> bytes:
    """Draw a photo that looks like no other number's."""
    random = np.random.default_rng(number)
    cells = Image.fromarray(random.integers(0, 256, (8, 12, 3), dtype=np.uint8))
    file = io.BytesIO()
    cells.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", **options)
    return file.getvalue()


def pack(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def small_archive(folder: Path, **more: bytes) -> dict[str, Path]:
    """Pack two classes, with a test folder, and two negatives."""
    members = {
        f"all/{split}/{label}/{number}.jpg": photo(number)
        for number, (split, label) in enumerate(
            (split, label)
            for label in ("00.Arch", "01.Tower")
            for split in ("test", "train", "train", "train")
        )
    }
    negatives = {"none/street/a.jpg": photo(100), "none/home/b.jpg": photo(101)}
    return {
        "archive": pack(folder / "landmark_images.zip", members | more),
        "negatives": pack(folder / "negatives.zip", negatives),
    }


def contents(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
    }


def test_pixels_and_table_say_the_same(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo(50, 60, 40, exif=exif)
    archives = small_archive(tmp_path, **{"all/train/01.Tower/turned.jpg": turned})
    decode_archives(archives, tmp_path / "photos", size=SIZE, workers=2)
    store = PhotoStore.open(tmp_path / "photos")
    table = store.table
    assert list(table.columns) == list(COLUMNS)
    assert store.pixels.shape == (11, SIZE, SIZE, 3) and store.pixels.dtype == np.uint8
    assert table[["source", "path"]].equals(
        table[["source", "path"]].sort_values(["source", "path"])
    )
    assert list(table["official_split"]) == ["test"] * 2 + ["train"] * 7 + [""] * 2
    assert list(table["class"].tail(2)) == ["home", "street"]

    row = table[table["path"] == "all/train/01.Tower/turned.jpg"].iloc[0]
    expected, _ = images.load(turned, SIZE)
    assert np.array_equal(store.pixels[row["id"]], expected)
    assert (row["width"], row["height"], row["bytes"]) == (40, 60, len(turned))
    assert row["sha1"] == hashlib.sha1(turned).hexdigest()
    assert row["dhash"] == f"{images.dhash(expected):016x}"
    assert (table["verdict"] == "ok").all() and (table["reason"] == "").all()


def test_what_cannot_be_read_keeps_its_row_and_gets_a_reason(tmp_path: Path) -> None:
    bad = {
        "all/train/00.Arch/cut.jpg": photo(60)[:300],
        "all/train/00.Arch/empty.jpg": b"",
        "all/train/00.Arch/page.jpg": b"<html>404</html>",
    }
    archives = small_archive(tmp_path, **bad)
    verdicts = decode_archives(archives, tmp_path / "photos", size=SIZE, workers=2)
    store = PhotoStore.open(tmp_path / "photos")
    refused = store.table[store.table["verdict"] == "refused"].set_index("path")
    assert dict(refused["reason"]) == dict(
        zip(bad, ("truncated", "empty", "not an image"), strict=True)
    )
    assert not store.pixels[refused["id"]].any(), "their pixels are zeros"
    assert refused[["width", "height"]].to_numpy().sum() == 0
    assert refused.at["all/train/00.Arch/page.jpg", "bytes"] == 16
    assert describe(verdicts) == (
        "decode: 10 of 13 photos decoded; refused: 1 empty, 1 not an image, 1 truncated"
    )


def test_a_member_that_is_damaged_in_the_archive_is_refused(tmp_path: Path) -> None:
    archives = small_archive(tmp_path)
    data = bytearray(archives["archive"].read_bytes())
    at = data.find(photo(1)) + 200
    data[at] ^= 0xFF
    archives["archive"].write_bytes(data)
    verdicts = decode_archives(archives, tmp_path / "photos", size=SIZE, workers=2)
    refused = [verdict.reason for verdict in verdicts if verdict.verdict == "refused"]
    assert refused == ["damaged in the archive"]


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    archives = small_archive(
        tmp_path, **{f"all/train/00.Arch/m{n}.jpg": photo(n) for n in range(200, 240)}
    )
    for workers in (1, 3):
        decode_archives(archives, tmp_path / f"w{workers}", size=SIZE, workers=workers)
    assert contents(tmp_path / "w1") == contents(tmp_path / "w3")


def test_an_archive_without_a_readable_photo_is_an_error(tmp_path: Path) -> None:
    members = {f"{label}/{n}.jpg": b"no photo" for label in ("a", "b") for n in range(3)}
    archives = {"archive": pack(tmp_path / "bad.zip", members)}
    with pytest.raises(LandmarksError, match=r"none of the 6 photos .* \(most: not an image\)"):
        decode_archives(archives, tmp_path / "photos", size=SIZE, workers=1)
    assert not (tmp_path / "photos").exists()


def test_a_failed_run_leaves_the_last_result_alone(tmp_path: Path) -> None:
    archives = small_archive(tmp_path)
    decode_archives(archives, tmp_path / "photos", size=SIZE, workers=1)
    before = contents(tmp_path / "photos")
    archives["archive"].write_bytes(b"no zip")
    with pytest.raises(LandmarksError):
        decode_archives(archives, tmp_path / "photos", size=SIZE, workers=1)
    assert contents(tmp_path / "photos") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "landmark_images.zip",
        "negatives.zip",
        "photos",
    ]


def test_a_disk_that_is_too_small_is_noticed_before_the_work(tmp_path: Path) -> None:
    archives = small_archive(tmp_path)
    with pytest.raises(LandmarksError, match="GB.* has room for .*decode.photo_size"):
        decode_archives(archives, tmp_path / "photos", size=1_000_000, workers=1)


def run(code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


DECODE = """
import re, resource, signal, sys
from pathlib import Path
from landmarks.data.decode import decode_archives
from landmarks.errors import run

def main():
    folder = Path(sys.argv[1])
    archives = {"archive": folder / "landmark_images.zip", "negatives": folder / "negatives.zip"}
    decode_archives(archives, folder / "photos", size=int(sys.argv[2]), workers=2)

if __name__ == "__main__":
    run(main)
    # Not getrusage for the own: it begins with the memory of the process that started this one.
    own = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    print(own // 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def test_a_photo_that_kills_its_process_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Codecs are C code. The workers load sitecustomize, which plays a bad codec here."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "from landmarks import images\n"
        "load = images.load\n"
        "images.load = lambda d, size: os.abort() if d[:6] == b'KILLER' else load(d, size)\n"
    )
    small_archive(
        tmp_path,
        **{f"all/train/00.Arch/m{n}.jpg": photo(n) for n in range(200, 230)},
        **{f"all/train/01.Tower/kill{n}.jpg": b"KILLER" for n in range(2)},
    )
    done = run(DECODE, str(tmp_path), str(SIZE), PYTHONPATH=f"{tmp_path}:{ROOT}")
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    table = PhotoStore.open(tmp_path / "photos").table.set_index("path")
    refused = table[table["verdict"] == "refused"]
    assert dict(refused["reason"]) == {
        f"all/train/01.Tower/kill{n}.jpg": "crashes the decoder" for n in range(2)
    }


def test_processes_that_cannot_start_are_an_error_not_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif '--multiprocessing-fork' in sys.orig_argv: os._exit(3)\n"
    )
    small_archive(tmp_path)
    done = run(DECODE, str(tmp_path), str(SIZE), PYTHONPATH=f"{tmp_path}:{ROOT}")
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 1 and "die before they start" in errors
    assert not (tmp_path / "photos").exists()


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_sudden_death_leaves_no_process_and_nothing_half_written(
    tmp_path: Path, how: signal.Signals
) -> None:
    large = photo(0, 1200, 800)
    small_archive(tmp_path, **{f"all/train/00.Arch/m{n}.jpg": large for n in range(200)})
    started = subprocess.Popen(
        [sys.executable, "-c", DECODE, str(tmp_path), "256"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    part = tmp_path / f".photos.{started.pid}.part/pixels.npy"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_blocks > 2000) and time.monotonic() < deadline:
        time.sleep(0.02)
    # Ctrl-C reaches all processes of a terminal, a kill only the one that is named.
    (os.killpg if how == signal.SIGINT else os.kill)(started.pid, how)
    _, errors = started.communicate(timeout=30)
    assert started.returncode != 0 and "Traceback" not in errors
    assert not (tmp_path / "photos").exists()
    while alive(started.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(started.pid), "a worker outlived its parent"

    again = run(DECODE, str(tmp_path), str(SIZE))
    assert again.wait(60) == 0
    assert len(PhotoStore.open(tmp_path / "photos").table) == 210
    assert not list(tmp_path.glob("*.part"))


def test_memory_is_flat_in_the_number_of_photos(tmp_path: Path) -> None:
    """Ten times the photos, 106 MB of pixels more: less than 25 MB of memory more."""
    peaks = []
    same = {n: photo(n) for n in range(10)}
    for count in (60, 600):
        folder = tmp_path / str(count)
        small_archive(folder, **{f"all/train/00.Arch/m{n}.jpg": same[n % 10] for n in range(count)})
        done = run(DECODE, str(folder), "256")
        out, errors = done.communicate(timeout=60)
        assert done.returncode == 0, errors
        peaks.append([int(part) for part in out.split()])
    (own_few, worker_few), (own_many, worker_many) = peaks
    assert own_many < own_few + 25 and worker_many < worker_few + 25, peaks


def test_the_store_notices_files_that_do_not_belong_together(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    decode_archives(small_archive(tmp_path), folder, size=SIZE, workers=1)
    table = pd.read_csv(folder / "photos.csv", keep_default_na=False)

    def said() -> str:
        with pytest.raises(LandmarksError) as caught:
            PhotoStore.open(folder)
        return str(caught.value)

    table.head(5).to_csv(folder / "photos.csv", index=False)
    assert "holds 10 photos, but photos.csv beside it has 5 rows" in said()
    table.assign(id=7).to_csv(folder / "photos.csv", index=False)
    assert "its ids are not 0, 1, 2" in said()
    table.drop(columns="sha1").to_csv(folder / "photos.csv", index=False)
    assert "photos.csv" in said()
    (folder / "photos.csv").write_text("")
    assert "photos.csv is damaged" in said()
    table.to_csv(folder / "photos.csv", index=False)
    np.save(folder / "pixels.npy", np.zeros((10, 4, 4), np.uint8))
    assert "not photos" in said()
    (folder / "pixels.npy").write_bytes(b"\x93NUMPY")
    assert "pixels.npy is damaged" in said()
    (folder / "pixels.npy").unlink()
    assert "there is no" in said() and "dvc repro" in said()


def test_class_names_stay_as_they_are(tmp_path: Path) -> None:
    """Numbers, `nan` and `None` are names here; pandas would make other things of them."""
    labels = ["1.50", "nan", "None", "007", 'Łódź, "old" town']
    members = {f"{label}/{n}.jpg": photo(n) for label in labels for n in range(3)}
    archives = {"archive": pack(tmp_path / "a.zip", members)}
    decode_archives(archives, tmp_path / "photos", size=SIZE, workers=1)
    assert set(PhotoStore.open(tmp_path / "photos").table["class"]) == set(labels)
