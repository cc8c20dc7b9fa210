"""What the page is made of, without a browser."""

import io
import json
import re
import shutil
import zipfile
from html import escape
from pathlib import Path

import numpy as np
import page_visit as visit
import pandas as pd
import pytest
from PIL import Image

from app.page import about, answers, cnns, downloads, examples, figures, markup
from app.page.verdicts import verdicts
from landmarks import card, images, params
from landmarks.data.sample.__main__ import UNSEEN_SEED
from landmarks.predictor import Predictor
from landmarks.tagging import worldmap
from landmarks.tagging.deciding import INVENTED, Rules
from landmarks.tagging.places import Position

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("model") / "landmarks"
    return Predictor.load(visit.write_model(folder, invented=False))


def gradient(kind: str, **options: object) -> bytes:
    """Return a large photo whose colours change from place to place."""
    rows, columns = np.mgrid[0:1800, 0:2400]
    pixels = np.stack([rows // 8, columns // 10, (rows + columns) // 17], axis=2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_page_answers_as_the_predictor_does(predictor: Predictor, kind: str) -> None:
    content = gradient(kind)
    answer = answers.ask(predictor, "photo", content, 1)
    said = predictor.predict(content, answers.MOST_GUESSES)
    assert answer.read.prediction == said
    assert answer.picture is not None
    assert max(answer.picture.width, answer.picture.height) == answers.SHOWN


def test_a_small_photo_is_not_reduced_before_the_model_sees_it(predictor: Predictor) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    content = file.getvalue()
    answer = answers.ask(predictor, "photo", content, 1)
    assert answer.read.prediction == predictor.predict(content, answers.MOST_GUESSES)


def test_what_is_shown_is_upright_and_small(predictor: Predictor) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    answer = answers.ask(predictor, "photo.jpg", gradient("JPEG", exif=exif), 1)
    assert answer.picture is not None
    assert (answer.picture.width, answer.picture.height) == (600, 800)
    assert len(answer.picture.url) < 200_000


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("holiday.jpg", "holiday.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\été.jpg", "été.jpg"),
        ("a\nb\x00.jpg", "ab.jpg"),
        ("..", "photo"),
        ("", "photo"),
        ("x" * 300 + ".jpg", "x" * 196 + ".jpg"),
    ],
)
def test_a_name_is_only_a_name(given: str, kept: str) -> None:
    assert answers.plain_name(given) == kept


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100.0"), (0.99999, "99.9"), (0.5, "50.0"), (1e-5, "<0.1"), (0, "0.0")],
)
def test_a_share_is_never_rounded_to_certainty(share: float, text: str) -> None:
    assert markup.percent(share) == f"{text}\N{NARROW NO-BREAK SPACE}%"


def test_photos_of_one_name_get_sidecars_of_two(predictor: Predictor) -> None:
    rules = Rules(predictor.card, None, False, {})
    asked = [answers.ask(predictor, "a.png", visit.photo(visit.RED), n) for n in range(3)]
    made = downloads.as_xmp([(one, one.decided(rules)) for one in asked], "model")
    assert made is not None and made.name == "landmarks-xmp.zip"
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert archive.namelist() == ["a.png.xmp", "a (2).png.xmp", "a (3).png.xmp"]


def test_examples_are_what_a_model_of_invented_places_may_name(tmp_path: Path) -> None:
    invented = Predictor.load(visit.write_model(tmp_path / "model", invented=True))
    rules = Rules(invented.card, None, False, {})
    for example in examples.EXAMPLES:
        content = examples.draw(example)
        row = answers.ask(invented, examples.file_name(example), content, 1).decided(rules)
        assert row.reason != INVENTED
        assert min(images.decode(content).pixels.shape[:2]) >= 96 * examples.SCALE
    row = answers.ask(invented, "real.png", visit.photo(visit.RED), 1).decided(rules)
    assert (row.decision, row.reason) == ("unknown", INVENTED)


def test_no_example_was_learned_from() -> None:
    seeds = [params.load(one).download.sample.seed for one in (ROOT / "presets").glob("*.yaml")]
    assert seeds and examples.SEED not in [*seeds, UNSEEN_SEED]


def test_the_coasts_do_not_cross_the_map() -> None:
    for line in worldmap.land().splitlines():
        points = [float(pair.split(",")[0]) for pair in line.strip("MZ").split()]
        assert all(0 <= x <= 360 for x in points)
        steps = np.abs(np.diff(points))
        assert steps.max() < 180, line[:60]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (Position(41.9, 12.5), True),
        (Position(-18.1, 178.4), True),
        (Position(-47.1, -31.4), False),
    ],
    ids=["Rome", "across the date line", "open sea"],
)
def test_surroundings_are_drawn_where_there_is_land(place: Position, shown: bool) -> None:
    svg = worldmap.surroundings(place)
    assert bool(svg) == shown
    if shown:
        box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
        pin = re.search(r"translate\(([\d.]+) ([\d.]+)\) scale", svg)
        assert box and pin
        for size, at in zip(box.groups(), pin.groups(), strict=True):
            assert float(at) == pytest.approx(float(size) / 2, abs=0.1)


def test_builds_are_found_and_a_broken_one_is_left_out(tmp_path: Path) -> None:
    for name in ("metrics", "results/kept/metrics", "results/broken/metrics"):
        shutil.copytree(ROOT / "results/photos50-cpu/metrics", tmp_path / name)
    (tmp_path / "results/broken/metrics/scratch/reliability.csv").unlink()
    changed = json.loads((tmp_path / "metrics/scratch.json").read_text()) | {"accuracy": 0.5}
    (tmp_path / "metrics/scratch.json").write_text(json.dumps(changed))
    assert [one.name for one in figures.builds(tmp_path)] == ["this build", "kept"]
    shutil.copytree(ROOT / "results/photos50-cpu/metrics", tmp_path / "metrics", dirs_exist_ok=True)
    shutil.copy(ROOT / "results/photos50-cpu/speed.json", tmp_path / "results/kept/speed.json")
    [build] = figures.builds(tmp_path)
    assert build.name == "this build (kept)" and build.speed is not None
    assert figures.builds(tmp_path / "nowhere") == []


def test_words_follow_from_the_figures() -> None:
    build = next(one for one in figures.builds(ROOT) if "photos50-cpu" in one.name)
    transfer = build.cnns[1]
    said = {one.text: one.good for one in verdicts(build, transfer)}
    rows = transfer.tables["per_class"]
    perfect = sum(float(row["recall"]) == 1 for row in rows)
    assert said[f"Finds every test photo of {perfect} of 50 landmarks."]
    safe = markup.percent(transfer.figures["precise_precision"])
    assert any(text.startswith(f"Of the names that it calls sure, {safe}") for text in said)
    worst = min(rows, key=lambda row: (float(row["recall"]), row["class"]))
    assert any(
        text.startswith(f"Finds {figures.landmark(worst['class'])} least") and not good
        for text, good in said.items()
    )


def test_a_landmark_without_test_photos_is_no_bad_one(tmp_path: Path) -> None:
    """Its recall is not known; what is drawn and said is of the others."""
    kept = tmp_path / "metrics"
    shutil.copytree(ROOT / "results/photos50-cpu/metrics", kept)
    for cnn in figures.CNNS:
        table = pd.read_csv(kept / cnn / "per_class.csv", dtype=str)
        table.loc[:1, "n"] = "0"
        table.loc[:1, ["recall", "recall_low", "recall_high", "precision", "f1"]] = None
        table.to_csv(kept / cnn / "per_class.csv", index=False)
    [build] = figures.builds(tmp_path)
    shown = cnns._landmarks(build)
    untested = [figures.landmark(name) for name in build.classes[:2]]
    assert not any(f">{escape(name)}<" in shown for name in untested)
    assert shown.count('<span class="what">') == 48
    assert "The other 36 landmarks" in shown and "2 landmarks have no test photo." in shown
    [before] = [one for one in figures.builds(ROOT) if "photos50-cpu" in one.name]
    assert "no test photo" not in cnns._landmarks(before)


def test_the_licences_of_the_photos_are_told(predictor: Predictor) -> None:
    licences = {
        "unknown": 40,
        "MIT": 2,
        "CC BY 2.0": 1200,
        "others": 9,
        **dict.fromkeys("abcde", 1),
    }
    known = card.LearnedFrom(photos=sum(licences.values()), authors=1, licences=licences)
    before = about._licences(predictor.card)
    told = predictor.card.model_copy(update={"learned_from": known})
    assert about._licences(told)[:-1] == before
    assert about._licences(told)[-1] == (
        "It learned from 1,256 photos by 1 known author: 1,200 under CC BY 2.0; 40 of unknown "
        "licence; 9 under other licences; 2 under MIT; 1 under a; 1 under b; 1 under c; 1 under d; "
        "1 under further ones."
    )
