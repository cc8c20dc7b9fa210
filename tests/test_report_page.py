"""The whole page of a small project: what was left out, wrong labels, and what is not there."""

import re
from pathlib import Path

import pandas as pd
import pytest
from small_report import CNNS, Page, build

from landmarks import card
from landmarks.data.attribution import COLUMNS
from landmarks.files import read_json, write_json
from landmarks.report.material import Material
from landmarks.report.page import render
from landmarks.report.thumbnails import thumbnail

BY_SA = "https://creativecommons.org/licenses/by-sa/3.0/"


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
    assert "learned once more" not in text


def test_without_negatives_and_with_refit_the_page_says_so(tmp_path: Path) -> None:
    build(tmp_path, negatives=False)
    described = card.read(tmp_path / "models/transfer").model_copy(update={"refit": True})
    write_json(tmp_path / "models/transfer" / card.CARD, described.to_json())
    page = Page(render(Material.read(tmp_path)))
    assert "Then transfer learned once more, from train and validation photos together" in page.text
    assert "There are no such photos to measure with" in page.text
    assert not [name for name in page.galleries if name.startswith("negatives")]
    assert len(page.charts) == 11


def test_without_a_table_of_authors_the_page_says_so(page: Page) -> None:
    said = " ".join(page.text.split())
    assert "drawn by this project" in said[said.index('id="sources"') :]
    assert not [link for link in page.links if not link.startswith(("data:", "#"))]


@pytest.fixture(scope="module")
def credited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Material, Page]:
    """The page of photos every fifth of which has no entry, and photo 197 is excluded."""
    rows = [
        (row, f"Ann & <b>{row}</b>", (BY_SA, "MIT")[row % 2], _address(row), f"photo no. {row}")
        for row in range(240)
        if row % 5
    ]
    attribution = pd.DataFrame(rows, columns=list(COLUMNS)).set_index("id")
    root = build(tmp_path_factory.mktemp("credited"), attribution=attribution)
    split = root / "data/split.csv"
    text = split.read_text().replace("near-duplicate of test photo 110", "licence excluded: `MIT`")
    split.write_text(text)
    material = Material.read(root)
    return material, Page(render(material))


def _address(row: int) -> str:
    return f"javascript:alert({row})" if row % 3 == 0 else f"https://photos.example/{row}?a=1&b=2"


def test_each_photo_that_is_shown_has_its_credit(credited: tuple[Material, Page]) -> None:
    material, page = credited
    pictures = {thumbnail(material, row): row for row in range(240)}
    tiles = re.findall(r'<li><img src="([^"]+)"(.*?)</li>', page.text, re.DOTALL)
    assert len(tiles) > 60
    shown = {pictures[source] for source, _ in tiles}
    for source, rest in tiles:
        row = pictures[source]
        assert (f'href="#credit-{row}"' in rest) == (row % 5 > 0), row
    looks = re.findall(r'<div class="look"><figure>(.*?)</figure>', page.text, re.DOTALL)
    linked = re.findall(r'href="#credit-(\d+)"', "".join(looks))
    assert looks and set(map(int, linked)) <= set(range(240))
    wanted = {row for row in shown if row % 5} | set(map(int, linked))
    listed = [int(one.removeprefix("credit-")) for one in page.ids if one.startswith("credit-")]
    assert len(listed) == len(set(listed)) and set(listed) == wanted
    line = next(row for row in listed if row % 2 == 0 and row % 3)
    said = re.search(f'<li id="credit-{line}">(.*?)</li>', page.text, re.DOTALL)
    assert said and said[1].endswith(
        f': <a href="https://photos.example/{line}?a=1&amp;b=2" rel="noreferrer">'
        f"photo no. {line}</a>"
        f" by Ann &amp; &lt;b&gt;{line}&lt;/b&gt;, "
        f'<a href="{BY_SA}" rel="noreferrer">CC BY-SA 3.0</a>'
    )


def test_only_web_addresses_become_links(credited: tuple[Material, Page]) -> None:
    outward = {link for link in credited[1].links if not link.startswith(("data:", "#"))}
    assert outward and all(link.startswith("https://") for link in outward)
    assert BY_SA in outward


def test_photos_under_excluded_licences_are_counted_and_not_shown(
    credited: tuple[Material, Page],
) -> None:
    material, page = credited
    assert thumbnail(material, 197) not in page.text
    assert "1 × licence excluded: `MIT`" in page.lists["left-out"]


def test_photos_are_counted_by_licence(credited: tuple[Material, Page]) -> None:
    material, page = credited
    found = re.search(r'data-table="licences">.*?</table>', page.text, re.DOTALL)
    assert found
    cells = re.findall(r"<tr><th>(.*?)</th><td>(\d+)</td><td>(\d+)</td></tr>", found[0])
    counts = {re.sub("<.*?>", "", name): (int(n), int(all)) for name, n, all in cells}
    used = [row for row in range(240) if material.split["role"][row] != "dropped"]
    expected = {
        name: (sum(part(row) for row in range(60)), sum(part(row) for row in used))
        for name, part in (
            ("CC BY-SA 3.0", lambda row: row % 5 > 0 and row % 2 == 0),
            ("MIT", lambda row: row % 5 > 0 and row % 2 == 1),
            ("unknown", lambda row: row % 5 == 0),
        )
    }
    assert counts == expected and list(counts)[-1] == "unknown"
