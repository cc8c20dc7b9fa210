"""What decoding at reduced size costs is measured on photos of a camera's size, and counted."""

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tag_folder import BLUE, RED, SIZE, photo, write_model

from benchmarks import reduced_decode
from benchmarks.reduced_decode import Tally
from landmarks import images, params
from landmarks.data.decode import decode_archives
from landmarks.data.roles import labels, rows
from landmarks.data.split import assign_splits
from landmarks.data.store import PhotoStore
from landmarks.errors import LandmarksError
from landmarks.export import Photos
from landmarks.predictor import Predictor
from tools.compact import Photos as Built

NAMES = ["00.Uluru", "01.Hallerbos", "02.Blue_Lake"]
SPLIT = params.Split(
    seed=1, validation_share=0.4, test_share=0.2, near_duplicate_distance=0, exclude_licences=[]
)


def picture(label: int, number: int) -> Image.Image:
    """Draw noise of 30 x 24 pixels that is tinted as its class, but not always most of all."""
    random = np.random.default_rng(1000 * label + number)
    tint = 110 + random.normal(0, 9, 3) + 15 * np.eye(3)[label]
    pixels = tint + random.normal(0, 25, (24, 30, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "colours")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of three colours, as `dvc repro` leaves them."""
    folder = tmp_path_factory.mktemp("project") / "data"
    folder.mkdir()
    with zipfile.ZipFile(folder / "landmark_images.zip", "w") as archive:
        for label, name in enumerate(NAMES):
            for number in range(24):
                content = reduced_decode.jpeg(np.asarray(picture(label, number)))
                archive.writestr(f"{name}/{number:02}.jpg", content)
    archives = {"archive": folder / "landmark_images.zip"}
    decode_archives(archives, folder / "photos", size=SIZE, workers=1)
    photos = PhotoStore.open(folder / "photos").table
    assign_splits(photos, SPLIT).to_csv(folder / "split.csv", index=False)
    return folder


class Confused(Predictor):
    """Answers for the photo decoded at reduced size as for the small one."""

    def classify(self, pixels: Any, top_k: int = 5) -> Any:
        return super().classify(pixels[[0, 1, 0]], top_k)


def test_validation_photos_are_answered_whole_and_reduced(data: Path, model: Path) -> None:
    built, predictor = Built(data), Predictor.load(model, threads=1)
    photos = Photos(built.store, built.split, data / "landmark_images.zip")
    val = rows(photos.split, "val")
    found = reduced_decode.measure(predictor, photos, len(photos.split), [1e-6, 0.1])
    answers = predictor.probabilities(np.array(photos.store.pixels[val])).argmax(1)
    right = int((answers == labels(photos.split, val)).sum())
    assert 0.5 < right / len(val) < 1, "some are wrong, or nothing could change"
    as_it_is, large = found.values()
    assert (as_it_is.n, as_it_is.small, as_it_is.scales) == (len(val), right, {"1/1": len(val)})
    assert as_it_is.confidence == as_it_is.renamed == 0
    assert (large.n, large.small, large.scales) == (len(val), right, {"1/8": len(val)})
    assert 0 < np.mean(large.levels) < 3 and 0 < large.confidence < 0.1
    assert large.reduced - large.whole == large.won - large.lost
    assert abs(large.whole - right) <= 2, "what is large shows the same"


def test_each_photo_that_is_answered_otherwise_is_counted(model: Path) -> None:
    predictor = Confused.load(model)
    tally = Tally()
    for truth in ("00.Uluru", "02.Blue_Lake", "02.Blue_Lake", "01.Hallerbos"):
        reduced_decode.compare(predictor, photo(BLUE), photo(RED), truth, tally)
    reduced_decode.compare(predictor, photo(RED), photo(RED), "00.Uluru", tally)
    counts = (tally.n, tally.small, tally.whole, tally.reduced, tally.lost, tally.won)
    assert counts == (5, 3, 2, 3, 1, 2)
    assert (tally.renamed, tally.redecided) == (4, 0) and tally.confidence > 0.5
    cells = [cell.strip() for cell in tally.row("12 megapixels").split("|")[1:-1]]
    assert cells[:4] == ["12 megapixels", "1/1: 5", "5", "60.00 %"]
    assert cells[4:9] == ["40.00 %", "60.00 %", "+20.00", "1 / 2", "4"]
    assert len(cells) == reduced_decode.HEAD.splitlines()[0].count("|") - 1


def test_a_photo_that_reducing_changes_is_seen(model: Path) -> None:
    """Light and dark lines under one tint: whole, each is clipped; reduced, their mean is not."""
    planes = np.full((128, 128, 3), 128, np.uint8)
    planes[..., 0] = 255 * (np.arange(128) % 2)
    planes[..., 2] = 200
    lines = io.BytesIO()
    Image.fromarray(planes, "YCbCr").save(lines, "JPEG", quality=95, subsampling=0)
    predictor, tally = Predictor.load(model), Tally()
    content = lines.getvalue()
    reduced_decode.compare(predictor, content, content, "00.Uluru", tally)
    assert tally.scales == {"1/8": 1} and tally.levels[0] > 10 and tally.confidence > 0.05


def test_an_enlarged_photo_keeps_its_shape_and_what_it_shows() -> None:
    small = np.asarray(picture(1, 3))
    smooth, detailed = (reduced_decode.enlarge(small, 1.0, detail) for detail in (False, True))
    height, width = small.shape[:2]
    assert smooth.shape == detailed.shape and smooth.shape[2] == 3
    assert smooth.shape[0] * smooth.shape[1] == pytest.approx(1e6, rel=0.05)
    assert smooth.shape[1] / smooth.shape[0] == pytest.approx(width / height, rel=0.05)

    def finest(pixels: images.Pixels) -> float:
        image = Image.fromarray(pixels)
        coarse = image.resize((image.width // 2, image.height // 2)).resize(image.size)
        return float((pixels.astype(float) - np.asarray(coarse)).std())

    assert finest(detailed) > 5 * finest(smooth)
    assert finest(detailed) == pytest.approx(finest(small), rel=0.5)
    again = images.resize(detailed, 12).astype(float) - images.resize(small, 12)
    assert abs(again).mean() < 10
    assert (reduced_decode.enlarge(small, 1e-9, True) == small).all()


def test_the_command_prints_the_table(
    data: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--model", str(model), "--data", str(data)]
    monkeypatch.setattr(sys, "argv", ["x", *given, "--photos", "3", "--megapixels", "0.2", "0.5"])
    reduced_decode.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:4]] == [
        "0.2 megapixels",
        "0.5 megapixels",
    ]
    assert "enlarged, with made-up detail, not of a large camera" in lines[-1]
    monkeypatch.setattr(sys, "argv", ["x", *given, "--megapixels", "0"])
    with pytest.raises(LandmarksError, match="--megapixels"):
        reduced_decode.main()
