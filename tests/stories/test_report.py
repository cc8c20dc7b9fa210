"""Somebody who would rather look than read opens the report of a build."""

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_report import CNNS, Page
from stories.clone import Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("warm")]

PAGE = "metrics/report.html"
LIMIT_MB = 8
SURE = 12
SECTIONS = {
    *("words", "photos", "learning", "accuracy", "landmarks"),
    *("mistakes", "trust", "unknown", "evidence", "sources"),
}


@pytest.fixture(scope="module")
def page(built: Clone) -> Page:
    return Page((built.folder / PAGE).read_text(encoding="utf-8"))


def figures(built: Clone, cnn: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((built.folder / f"metrics/{cnn}.json").read_text())
    return found


def table(built: Clone, cnn: str, name: str) -> pd.DataFrame:
    return pd.read_csv(built.folder / f"metrics/{cnn}/{name}.csv")


def test_the_page_needs_nothing_beside_it(built: Clone, page: Page) -> None:
    outward = [link for link in page.links if not link.startswith(("data:", "#"))]
    assert not outward
    assert not page.tags["script"] and not page.tags["link"] - 1  # an empty icon
    assert not re.search(r"url\((?!#)|@import", page.text)
    inner = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids), "a link leads nowhere"
    assert len(page.text.encode()) < LIMIT_MB * 1e6
    assert PAGE not in built.run("git", "ls-files").stdout
    assert built.dirt() == ""


def test_the_page_shows_all_that_is_promised(page: Page) -> None:
    assert set(page.ids) >= SECTIONS
    assert {"sample", "evidence", *(f"negatives-{cnn}" for cnn in CNNS)} <= set(page.galleries)
    charts = page.charts
    assert len(charts) == len(set(charts)) == 13
    for promised in ("Photos of each landmark", "Short sides", "Validation accuracy", "Loss in"):
        assert any(chart.startswith(promised) for chart in charts), promised
    for cnn in CNNS:
        for promised in ("Confusion of", "Reliability of", "Scores of known and unknown"):
            assert any(chart.startswith(promised) and cnn in chart for chart in charts)


def test_every_picture_decodes_and_every_chart_is_whole(page: Page) -> None:
    pictures = [picture for gallery in page.galleries.values() for picture in gallery]
    assert len(pictures) > 60
    for picture in pictures:
        assert picture["alt"], "a picture that cannot be seen is told"
        kind, _, content = picture["src"].partition(";base64,")
        assert kind == "data:image/webp"
        with Image.open(io.BytesIO(base64.b64decode(content, validate=True))) as image:
            image.load()
            assert 40 <= max(image.size) <= 200
            assert np.ptp(np.asarray(image)) > 10, "a picture of one colour"
    for svg in re.findall(r"<svg.*?</svg>", page.text, flags=re.DOTALL):
        assert len(list(ET.fromstring(svg).iter())) > 20
    assert not [name for name, n in Counter(page.ids).items() if n > 1]


def test_the_figures_are_those_of_the_metrics_files(built: Clone, page: Page) -> None:
    for cnn in CNNS:
        measured = figures(built, cnn)
        for key in ("accuracy", "accuracy_low", "accuracy_high", "top5_accuracy"):
            assert page.figures[cnn, key] == f"{100 * measured[key]:.1f} %"
        for key in ("macro_f1", "nll", "ece"):
            assert page.figures[cnn, key] == f"{measured[key]:.3f}"
        assert page.figures[cnn, "onnx_bytes"] == f"{measured['onnx_bytes'] / 1e6:.2f}"
        assert page.figures[cnn, "n"] == str(measured["n"])
        if "auroc" in measured:
            assert page.figures[cnn, "auroc"] == f"{measured['auroc']:.3f}"
            assert page.figures[cnn, "known_kept"] == f"{100 * measured['known_kept']:.1f} %"
            named = f"{100 * measured['negatives_named']:.1f} %"
            assert page.figures[cnn, "negatives_named"] == named


def test_the_mistakes_shown_are_those_that_were_made(built: Clone, page: Page) -> None:
    names = {}
    for cnn in CNNS:
        card = json.loads((built.folder / f"models/{cnn}/model.json").read_text())
        names = {one["class"]: one["name"] for one in card["classes"]}
        confusion = table(built, cnn, "confusion")
        wrong = confusion[confusion["actual"] != confusion["predicted"]]
        made = Counter(
            f"{names[row.actual]}, taken for {names[row.predicted]}" for row in wrong.itertuples()
        )
        shown = Counter(tile["alt"] for tile in page.galleries[f"mistakes-{cnn}"])
        assert shown.total() == min(SURE, len(wrong))
        assert shown <= made
    assert {tile["alt"].removeprefix("a photo of ") for tile in page.galleries["sample"]} == set(
        names.values()
    )


def test_both_cnns_are_compared_photo_by_photo(built: Clone, page: Page) -> None:
    said = {
        name: int(n) for name, n in re.findall(r"([a-z][a-z ]+?) (\d+)", page.lists["agreement"])
    }
    first, second = (table(built, cnn, "confusion") for cnn in CNNS)
    right = [one["actual"] == one["predicted"] for one in (first, second)]
    assert said == {
        "both right": int((right[0] & right[1]).sum()),
        "only scratch right": int((right[0] & ~right[1]).sum()),
        "only transfer right": int((~right[0] & right[1]).sum()),
        "both wrong": int((~right[0] & ~right[1]).sum()),
    }


def test_strengths_and_weaknesses_are_computed(built: Clone, page: Page) -> None:
    for cnn in CNNS:
        words = page.lists[cnn]
        classes = table(built, cnn, "per_class").sort_values(["recall", "class"])
        if perfect := int((classes["recall"] == 1).sum()):
            assert f"every test photo of {perfect} of {len(classes)}" in words
        worst = classes.iloc[0]
        assert f"least: {100 * worst['recall']:.0f}\N{NO-BREAK SPACE}% of {worst['n']}" in words
        assert f"{100 * figures(built, cnn)['ece']:.1f} points on average" in words


def test_the_evidence_is_shown_on_photos_for_both(page: Page) -> None:
    looks = page.galleries["evidence"]
    assert len(looks) >= 9 and len(looks) % 3 == 0
    for photo, *heats in zip(looks[::3], looks[1::3], looks[2::3], strict=True):
        assert [heat["alt"] for heat in heats] == [
            f"where {cnn} looks on a photo of {photo['alt']}" for cnn in CNNS
        ]
        assert len({photo["src"], *(heat["src"] for heat in heats)}) == 3


def test_the_same_page_is_made_again(built: Clone, page: Page) -> None:
    again = Clone(built.folder, built.home, {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"})
    path = built.folder / PAGE
    before, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    again.python("stages.report")
    assert path.read_bytes() == before
    path.chmod(mode)
