"""A folder of class folders becomes a trained, exported model with a catalogue, in one command."""

import csv
import io
from pathlib import Path

import pytest
import yaml
from stories import quick
from stories.clone import Clone

from landmarks import Predictor
from landmarks.data.sample.archive import class_name, draw_photo, encode
from landmarks.data.sample.integer import Stream
from landmarks.errors import LandmarksError
from tools import dvc_cli, own

pytestmark = pytest.mark.usefixtures("warm")

ROOT = Path(__file__).resolve().parents[2]
SHOWN = (0, 6, 12)
"""Landmarks of the sample that look nothing alike."""
WEIGHTS = "presets/backbones/sample.safetensors"
HEAD = b"class,name,locality,country,country_code,latitude,longitude,kind\n"
OPTIONS = ("--weights", WEIGHTS, "--backbone", "mobilenet_v3_small")


def draw(landmark: int, number: int) -> bytes:
    """Return a drawn photo as the bytes of a file; drawn twice as large, as a camera's would be."""
    pixels = draw_photo(landmark, number, 77, 2)
    return encode(pixels, Stream("own", 77, str(landmark), number))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 20 photos in each of some class folders, named as people name folders."""
    folder = tmp_path_factory.mktemp("my photos")
    for landmark in SHOWN:
        place = folder / class_name(landmark).partition(".")[2].replace("_", " ")
        place.mkdir()
        for number in range(20):
            (place / f"IMG_{number:04}.jpg").write_bytes(draw(landmark, number))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_folder_becomes_a_model_with_a_catalogue(photos: Path, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "project", tmp_path / "home")
    clone.home.mkdir()
    quick.copy_files(clone.folder)
    (clone.folder / "dvc.lock").unlink(missing_ok=True)
    clone.run("git", "init", "--quiet")
    said = clone.python("tools.own", str(photos), *OPTIONS).stdout
    assert "accuracy on test" in said and "fill in catalogues/own.csv" in said
    table = clone.folder / own.CATALOGUE
    names = sorted(path.name for path in photos.iterdir())
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [row["class"] for row in rows] == names
    predictor = Predictor.load(clone.folder / "models/landmarks")
    assert not predictor.card.invented
    unseen = [(place, draw(place, 100 + n)) for place in SHOWN for n in range(4)]
    right = [
        predictor.predict(photo).best.class_name.replace(" ", "_")
        == class_name(place).partition(".")[2]
        for place, photo in unseen
    ]
    assert sum(right) >= 8, f"{sum(right)} of {len(right)} unseen photos are named right"
    # Filled in, the place comes to the answer, and nothing is trained for it.
    rows[0] |= {"country": "Auremark", "country_code": "XA", "latitude": "-47", "longitude": "9"}
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    again = clone.run("dvc", "repro", "export@transfer").stdout
    assert "Running stage 'export@transfer'" in again and "Running stage 'train" not in again
    first = Predictor.load(clone.folder / "models/transfer").card.classes[0]
    assert (first.country, first.latitude, first.longitude) == ("Auremark", -47, 9)


def test_a_catalogue_keeps_what_was_filled_in() -> None:
    text = own.completed("", ["Old Mill", "07.Red_Gate"])
    assert text.splitlines()[1:] == ["Old Mill,Old Mill,,,,,,", "07.Red_Gate,Red Gate,,,,,,"]
    edited = text.replace("Old Mill,Old Mill,", 'Old Mill,The Mill,"Quill, North"')
    more = own.completed(edited, ["New Bridge", "Old Mill"])
    assert more == edited + "New Bridge,New Bridge,,,,,,\n"


def test_a_folder_whose_name_ends_with_a_space_has_one_row() -> None:
    names = ["Old Mill ", "Red Gate"]
    text = own.completed("", names)
    assert own.completed(text, names) == text


def test_what_is_filled_in_while_the_archive_comes_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / own.CATALOGUE
    table.parent.mkdir()
    table.write_text(own.completed("", ["Old Mill"]), encoding="utf-8")
    filled = own.completed("", ["Old Mill"]).replace("Old Mill,,,,,,", "The Mill,Quill,,,,,")

    def repro(*arguments: str) -> None:
        if "download" in arguments:
            table.write_text(filled, encoding="utf-8")

    monkeypatch.setattr(own, "ROOT", tmp_path)
    monkeypatch.setattr(own, "settings", lambda *given: "")
    monkeypatch.setattr(own, "classes", lambda: ["Old Mill", "Red Gate"])
    monkeypatch.setattr(own, "metrics", lambda cnn: {})
    monkeypatch.setattr(dvc_cli, "run", repro)
    monkeypatch.setattr("sys.argv", ["own", "photos"])
    own.main()
    assert table.read_text(encoding="utf-8") == filled + "Red Gate,Red Gate,,,,,,\n"


def test_a_catalogue_that_a_spreadsheet_saved_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    assert own.filled_in(table) == ""
    text = own.completed("", ["Old Mill", "Red Gate"])
    table.write_text(text, encoding="utf-8-sig", newline="\r\n")
    saved = own.filled_in(table)
    assert own.completed(saved, ["Old Mill", "Red Gate"]) == saved
    more = own.completed(saved, ["New Bridge", "Old Mill", "Red Gate"])
    assert more == text + "New Bridge,New Bridge,,,,,,\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"class;name;locality\nOld Mill;The Mill;Quill\n", "own.csv:1: no column"),
        (b"Old Mill,The Mill, North,,,,,,\n", "own.csv:2: more or fewer cells"),
        ("Old Mill,Die Mühle,,,,,,\n".encode("latin-1"), "own.csv is not UTF-8"),
    ],
)
def test_a_catalogue_that_cannot_be_read_stops_it_before_anything_is_done(
    content: bytes, said: str, tmp_path: Path
) -> None:
    head = b"" if content.startswith(b"class") else HEAD
    (tmp_path / "own.csv").write_bytes(head + content)
    with pytest.raises(LandmarksError, match=said):
        own.filled_in(tmp_path / "own.csv")


def test_settings_name_photos_weights_and_any_backbone(photos: Path, tmp_path: Path) -> None:
    weights = tmp_path / "released.safetensors"
    weights.write_bytes(b"weights")
    made = yaml.safe_load(own.settings(str(photos), {"weights": str(weights)}, "resnet18"))
    assert made["download"]["source"] == str(photos)
    assert made["train"]["transfer"]["weights"] == str(weights)
    assert made["train"]["transfer"]["backbone"] == "resnet18"
    assert made["export"]["catalogue"] == own.CATALOGUE
    with pytest.raises(LandmarksError, match="no backbone 'resnet9'"):
        own.settings(str(photos), {}, "resnet9")
    with pytest.raises(LandmarksError, match="vit_b_16 needs .* to be equal"):
        own.settings(str(photos), {"weights": str(weights)}, "vit_b_16")
    with pytest.raises(LandmarksError, match="PHOTOS=folder"):
        own.settings("", {}, "")
    with pytest.raises(LandmarksError, match="^PHOTOS=.*: there is no such file or folder"):
        own.settings(str(tmp_path / "nowhere"), {}, "")
