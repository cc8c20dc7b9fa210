"""The command as people and scripts call it: a real process, its output and its exit status."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_project import jpeg, model, picture, strangers

ROOT = Path(__file__).resolve().parents[1]


def landmarks(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "landmarks.cli", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def predict(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return landmarks("predict", "--model", model(), *arguments)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a mill.jpg", tmp_path / "brücke.jpg"]
    for path, label in zip(paths, (1, 2), strict=True):
        path.write_bytes(jpeg(picture(label, 77)))
    return paths


def test_each_photo_gets_its_name_place_coordinates_and_confidence(photos: list[Path]) -> None:
    done = predict(*photos, "--top-k", "2")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == str(photos[0]) and lines[3] == str(photos[1]) and len(lines) == 6
    share, rest = lines[1].split(maxsplit=1)
    assert rest == "Tall Mill, Quill, North, Vendria (1.5000° S, 170.1250° E)"
    assert 50 < float(share.rstrip("%")) <= 100
    assert lines[4].endswith("  Old Bridge")


def test_json_is_one_document(photos: list[Path]) -> None:
    done = predict(*photos, "--json", "--top-k", "3")
    answers = json.loads(done.stdout)
    assert [answer["photo"] for answer in answers] == [str(path) for path in photos]
    first = answers[0]
    assert len(first["guesses"]) == 3 and first["invented"] is True and first["decision"] == "named"
    assert list(first["guesses"][0]) == [
        "class",
        "name",
        "locality",
        "country",
        "country_code",
        "latitude",
        "longitude",
        "kind",
        "confidence",
    ]
    assert first["guesses"][0]["class"] == "01.Tall_Mill"
    assert 0.5 <= first["known_score"] <= 1


def test_a_photo_of_no_known_landmark_is_said_to_be_so(tmp_path: Path) -> None:
    photo = tmp_path / "wall.jpg"
    photo.write_bytes(strangers(1)[0])
    lines = predict(photo, "--top-k", "2").stdout.splitlines()
    assert lines[0] == str(photo) and len(lines) == 2
    assert re.fullmatch(
        r"  none of the known landmarks \(nearest: [\w ]+ [\d.]+%, [\w ]+ [\d.]+%\)", lines[1]
    )
    [answer] = json.loads(predict(photo, "--json").stdout)
    assert answer["decision"] == "unknown" and answer["known_score"] < 0.5
    assert len(answer["guesses"]) == 4


def test_a_model_of_invented_places_says_so_and_how_to_get_a_real_one(photos: list[Path]) -> None:
    done = predict(*photos, "--json")
    assert "demonstration model: invented places" in done.stderr
    assert "make preset" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_bad_photo_does_not_keep_the_others_from_an_answer(
    photos: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "notes.jpg"
    bad.write_text("not a photo")
    done = predict(photos[0], bad, tmp_path / "missing.jpg", tmp_path, photos[1], "--json")
    assert done.returncode == 1
    assert [answer["photo"] for answer in json.loads(done.stdout)] == [str(p) for p in photos]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3 and "Traceback" not in done.stderr
    assert "notes.jpg cannot be read as a photo: not an image" in errors[0]
    assert "missing.jpg" in errors[1] and str(tmp_path) in errors[2]


def test_names_that_are_no_text_are_printed_all_the_same(photos: list[Path]) -> None:
    strange = os.fsdecode(os.fsencode(photos[0].parent) + b"/caf\xe9\n.jpg")
    os.rename(photos[0], strange)
    for option in ("--json", "--top-k=1"):
        done = predict(strange, option)
        assert done.returncode == 0 and "Tall Mill" in done.stdout, done.stderr


def test_without_a_model_the_one_line_says_how_to_get_one(photos: list[Path]) -> None:
    done = landmarks("predict", photos[0], "--model", photos[0].parent / "none")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: there is no model in") and "dvc pull" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--top-k", "0"], ["--runtime", "abacus"], []])
def test_wrong_options_are_explained(arguments: list[str], photos: list[Path]) -> None:
    given = [*arguments, str(photos[0])] if arguments else []
    done = landmarks("predict", *given)
    assert done.returncode == 2 and "Usage" in done.stderr and "Traceback" not in done.stderr


def test_help_comes_at_once_and_imports_nothing_heavy() -> None:
    done = landmarks("--help")
    assert done.returncode == 0 and "predict" in done.stdout
    begun = time.process_time(), os.times().children_user + os.times().children_system
    landmarks("predict", "--help")
    used = os.times().children_user + os.times().children_system - begun[1]
    assert used < 0.5, f"{used:.2f} s of processor time"
    code = (
        "import sys, landmarks.cli; print([name for name in "
        "('numpy', 'PIL', 'onnxruntime', 'pydantic', 'torch') if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n"


def test_the_version_is_that_of_the_package() -> None:
    done = landmarks("--version")
    assert done.returncode == 0 and done.stdout.startswith("landmarks ")
