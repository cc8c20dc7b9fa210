"""The whole page of a small project: what was left out, wrong labels, and what is not there."""

from pathlib import Path

import pytest
from small_report import CNNS, Page, build

from landmarks.files import read_json
from landmarks.report.material import Material
from landmarks.report.page import render


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    return render(Material.read(root))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_refused_photos_and_duplicates_are_shown_with_their_reasons(page: Page) -> None:
    said = " ".join(page.text.split())
    assert "1 photo could not be read" in said
    assert "2 × near-duplicate of test photo" in page.lists["left-out"]
    assert "1 × it is cut off" in page.lists["left-out"]
    assert len(page.galleries["copies"]) == 2, "the refused photo has no picture"


def test_wrong_labels_are_found(page: Page) -> None:
    suspects = page.galleries["label-errors"]
    # Of 100 photos every tenth has the label of the next colour, and red and green are seen well.
    assert 6 <= len(suspects) <= 10
    wanted = {
        "labelled Green valley, both CNNs say Red rock",
        "labelled Blue lake, both CNNs say Green valley",
    }
    names = {
        one["alt"].replace("00.", "").replace("01.", "").replace("02.", "") for one in suspects
    }
    assert wanted <= names


def test_the_figures_are_those_of_the_metrics_files(root: Path, page: Page) -> None:
    for cnn in CNNS:
        measured = read_json(root / f"metrics/{cnn}.json")
        assert page.figures[cnn, "accuracy"] == f"{100 * measured['accuracy']:.1f} %"
        assert page.figures[cnn, "auroc"] == f"{measured['auroc']:.3f}"
        assert page.figures[cnn, "n"] == "97"
        assert (cnn, "ece_perfect") not in page.figures, "a figure that was not measured"
    assert page.figures["scratch", "accuracy"] != page.figures["transfer", "accuracy"]


def test_the_same_material_gives_the_same_page(root: Path, text: str) -> None:
    assert render(Material.read(root)) == text


def test_without_negatives_the_page_says_so(tmp_path: Path) -> None:
    page = Page(render(Material.read(build(tmp_path, negatives=False))))
    assert "There are no such photos to measure with" in page.text
    assert not [name for name in page.galleries if name.startswith("negatives")]
    assert len(page.charts) == 11
