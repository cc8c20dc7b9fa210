"""Cameras' odd files go through `landmarks tag`: rows with reasons, GPS as exiftool reads it."""

import csv
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tag_folder import landmarks, write_model

from landmarks.tagging.places import Position, distance_km, from_xmp, header, to_xmp


@pytest.fixture(scope="module")
def samples(shared: Path) -> Path:
    return shared / "decode_samples"


@pytest.mark.slow
def test_every_sample_is_a_row_and_none_is_touched(samples: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(samples, tmp_path / "samples"))
    model = write_model(tmp_path / "model")
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    given = ("tag", folder, "--model", model, "--state", tmp_path / "state", "--xmp")
    done = landmarks(*given, "--csv", tmp_path / "rows.csv", "--min-confidence", "0")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    photos = {path.name for path in before if path.suffix != ".csv"}
    assert set(rows) == photos
    bad = {path for path, row in rows.items() if row["decision"] == "unreadable"}
    assert bad == {path for path in photos if path.startswith(("bomb", "truncated"))}
    assert all(rows[path]["reason"] for path in bad)
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in before} == before
    if shutil.which("exiftool") is None:
        pytest.skip("no exiftool: apt-get install libimage-exiftool-perl")
    command = ["exiftool", "-j", "-G1", "-ext", "xmp", str(folder)]
    read = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert len(read) == sum(row["decision"] == "named" for row in rows.values()) > 0
    assert not [tags for tags in read if "ExifTool:Warning" in tags]


def test_gps_is_read_as_exiftool_reads_it(samples: Path) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("no exiftool: apt-get install libimage-exiftool-perl")
    fields = ["-GPS:GPSLatitude", "-GPS:GPSLongitude", "-Composite:GPSPosition"]
    command = ["exiftool", "-j", "-n", *fields, str(samples)]
    done = subprocess.run(command, capture_output=True, check=False)
    theirs = {}
    for tags in json.loads(done.stdout):
        place = str(tags.get("GPSPosition", "")).split()
        if len(place) == 2 and any(float(part) for part in place):
            theirs[Path(tags["SourceFile"]).name] = Position(float(place[0]), float(place[1]))
    assert len(theirs) >= 5
    for path in samples.iterdir():
        ours = header(path.read_bytes()).position
        if path.name in theirs:
            assert ours is not None and distance_km(ours, theirs[path.name]) < 0.001, path.name
        else:
            assert ours is None, path.name


@pytest.mark.parametrize(
    "position",
    [Position(48.8584, 2.2945), Position(-25.344428, 131.036882), Position(89.99999999, -180.0)],
)
def test_positions_survive_xmp(position: Position) -> None:
    again = from_xmp(*to_xmp(position))
    assert again is not None and distance_km(again, position) < 0.00001
    assert "60.0" not in "".join(to_xmp(position))


@pytest.mark.parametrize(
    "text", ["", "48.8", "48,60.5X", "N", "91,0N", "48,51,30,2N", "nanN", "-48,5N", "٤٨,5N" * 999]
)
def test_positions_that_are_none_are_none(text: str) -> None:
    assert from_xmp(text, "2,17.67E") is None


def test_distances_are_those_of_the_globe() -> None:
    paris, sydney = Position(48.8566, 2.3522), Position(-33.8688, 151.2093)
    assert distance_km(paris, sydney) == pytest.approx(16_960, rel=0.005)
    assert distance_km(Position(0, 179.9), Position(0, -179.9)) == pytest.approx(22.24, rel=0.01)
    assert distance_km(paris, paris) == 0
