"""The built-in sample: the same bytes anywhere, and hard enough to mean something."""

import ast
import csv
import hashlib
import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from landmarks.data import sample
from landmarks.data.sample import LANDMARKS, class_name, draw_negative, draw_photo, write_sample
from landmarks.data.sample.__main__ import main
from landmarks.data.sample.integer import reciprocal
from landmarks.errors import LandmarksError
from landmarks.params import Sample

ROOT = Path(__file__).resolve().parents[1]
SMALL = Sample(seed=1, train_photos=12, test_photos=6, negatives=36)
TINY = Sample(seed=5, train_photos=2, test_photos=1, negatives=4)

GOLDEN_PIXELS = "1f69fa655cd87b71476fd21c23da0e2ddc8c467656950e632c1e5c796a2a6a8a"
GOLDEN_ARCHIVE = "7eeff1793beb4a1a365f794041230866230edd225a7689f6d11d8bd6d6c5bb9a"
GOLDEN_NEGATIVES = "8e81b54d503581fbc28129ef3f5f2b7956588ce3c3e6119c53913cf141e28a51"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """A small sample: the members of its archive, and those of its negatives."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder / "photos.zip", folder / "negatives.zip", SMALL)
    return members(folder / "photos.zip"), members(folder / "negatives.zip")


def test_pixels_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256()
    for landmark in range(0, len(LANDMARKS), 3):
        digest.update(draw_photo(landmark, 11, seed=1).tobytes())
    for number in range(10):  # all kinds: their shares are 34, 26, 24 and 16 percent
        kind, pixels = draw_negative(number, seed=1)
        digest.update(kind.encode() + pixels.tobytes())
    assert digest.hexdigest() == GOLDEN_PIXELS


def test_reciprocals_are_exact_where_32_bits_are_one_too_few() -> None:
    near = [n for bit in range(31) for n in (2**bit - 1, 2**bit, 2**bit + 1)]
    found = reciprocal(np.array([-7, *near, 2**31 - 1, 3, 1000], dtype=np.int32))
    assert found.dtype == np.int64
    expected = [2**32 // max(n, 1) for n in (-7, *near, 2**31 - 1, 3, 1000)]
    assert found.tolist() == expected


def test_archive_bytes_do_not_depend_on_the_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workers in ("0", "2"):
        monkeypatch.setenv("LANDMARKS_WORKERS", workers)
        photos, negatives = tmp_path / f"photos{workers}.zip", tmp_path / f"none{workers}.zip"
        write_sample(photos, negatives, TINY)
        assert sha256(photos) == GOLDEN_ARCHIVE, f"with {workers} processes"
        assert sha256(negatives) == GOLDEN_NEGATIVES, f"with {workers} processes"


def test_the_painter_knows_no_fractions() -> None:
    """Floating-point results may differ in the last bit from processor to processor."""
    for path in (ROOT / "landmarks/data/sample").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Div), f"{path.name} divides into fractions"
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path.name
            used = node.attr if isinstance(node, ast.Attribute) else ""
            assert not used.startswith(("float", "random", "mean", "sqrt", "sin", "cos")), (
                f"{path.name} uses .{used}"
            )


def test_archive_has_the_shape_of_the_course_archive(
    drawn: tuple[dict[str, bytes], dict[str, bytes]],
) -> None:
    photos, negatives = drawn
    counts = Counter(name.rsplit("/", 1)[0] for name in photos)
    assert counts == {
        f"landmark_images/{part}/{class_name(landmark)}": count
        for part, count in (("train", 12), ("test", 6))
        for landmark in range(len(LANDMARKS))
    }
    assert len(negatives) == 36
    assert {name.split("/")[1] for name in negatives} == {
        "street",
        "nature",
        "object",
        "other_building",
    }


def test_drawn_files_are_marked_and_of_many_sizes(
    drawn: tuple[dict[str, bytes], dict[str, bytes]],
) -> None:
    sizes: Counter[tuple[int, int]] = Counter()
    for content in (drawn[0] | drawn[1]).values():
        image = Image.open(io.BytesIO(content))
        assert sample.is_drawn(image)
        assert image.mode == "RGB"
        assert 90 <= min(image.size) <= max(image.size) <= 144
        sizes[image.size] += 1
    assert len(sizes) > 60
    assert sum(n for (width, height), n in sizes.items() if height > width) > 50  # portraits


def test_a_few_photos_are_stored_turned_and_a_viewer_turns_them_back(
    drawn: tuple[dict[str, bytes], dict[str, bytes]],
) -> None:
    images = [Image.open(io.BytesIO(content)) for content in drawn[0].values()]
    turned = [image for image in images if image.getexif().get(0x0112, 1) != 1]
    assert len(images) // 40 < len(turned) < len(images) // 8
    for orientation in range(1, 9):
        pixels = draw_photo(1, 0, seed=2)
        upright = Image.fromarray(pixels)
        stored = upright
        if orientation > 1:
            stored = upright.transpose(sample.archive._STORED[orientation])
        stored.getexif()[0x0112] = orientation
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(stored)), pixels), orientation


def test_mean_colours_do_not_give_the_landmark_away(
    drawn: tuple[dict[str, bytes], dict[str, bytes]],
) -> None:
    colors: dict[str, list[list[float]]] = {"train": [], "test": []}
    labels: dict[str, list[str]] = {"train": [], "test": []}
    for name, content in drawn[0].items():
        _, part, folder, _ = name.split("/")
        pixels = np.asarray(Image.open(io.BytesIO(content)), dtype=np.float64)
        colors[part].append(pixels.mean(axis=(0, 1)).tolist())
        labels[part].append(folder)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(colors["train"], labels["train"])
    assert model.score(colors["test"], labels["test"]) < 0.30


def test_photos_are_not_copies_of_each_other(
    drawn: tuple[dict[str, bytes], dict[str, bytes]],
) -> None:
    hashes = []
    for content in (drawn[0] | drawn[1]).values():
        small = np.asarray(Image.open(io.BytesIO(content)).convert("L").resize((9, 8)), dtype=int)
        hashes.append((small[:, 1:] > small[:, :-1]).ravel())
    bits = np.array(hashes, dtype=int)
    distances = bits @ (1 - bits.T) + (1 - bits) @ bits.T
    near = (distances <= 3).sum() - len(bits)
    assert near < len(bits) // 25


def test_more_photos_leave_those_before_them_as_they_were(
    drawn: tuple[dict[str, bytes], dict[str, bytes]], tmp_path: Path
) -> None:
    fewer = Sample(seed=1, train_photos=2, test_photos=1, negatives=2)
    write_sample(tmp_path / "photos.zip", tmp_path / "negatives.zip", fewer)
    assert members(tmp_path / "photos.zip").items() <= drawn[0].items()
    assert members(tmp_path / "negatives.zip").items() <= drawn[1].items()


def test_another_seed_draws_other_photos() -> None:
    one, other = draw_photo(0, 0, seed=1), draw_photo(0, 0, seed=2)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_catalogue_names_every_invented_place() -> None:
    with (ROOT / "catalogues/sample.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == [class_name(k) for k in range(len(LANDMARKS))]
    assert [row["kind"] for row in rows] == [landmark.design for landmark in LANDMARKS]
    for row in rows:
        assert row["class"][3:].replace("_", " ") == row["name"]
        assert row["country_code"][0] == "X", "XA to XZ are user-assigned in ISO 3166-1"
        assert -90 <= float(row["latitude"]) <= 90
        assert -180 <= float(row["longitude"]) <= 180


def test_a_person_draws_one_photo_for_the_demonstration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "photo.jpg"
    command = ["sample", "--photo", str(out), "--landmark", "3", "--number", "2", "--scale", "2"]
    monkeypatch.setattr("sys.argv", command)
    main()
    assert class_name(3) in capsys.readouterr().out
    assert max(Image.open(out).size) > 200


def test_an_unknown_landmark_is_refused_with_the_valid_numbers() -> None:
    with pytest.raises(LandmarksError, match=f"0 to {len(LANDMARKS) - 1}"):
        draw_photo(len(LANDMARKS), 0, seed=1)


def test_a_photo_from_elsewhere_is_not_taken_for_a_drawn_one(tmp_path: Path) -> None:
    Image.fromarray(draw_photo(0, 0, seed=1)).save(tmp_path / "camera.jpg", comment=b"holiday")
    assert not sample.is_drawn(Image.open(tmp_path / "camera.jpg"))
