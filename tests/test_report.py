"""The parts of the report: which photos it picks, where it sees evidence, how it draws."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from landmarks import card
from landmarks.data import photos
from landmarks.data.store import PhotoStore
from landmarks.report import confusion_chart, evidence, galleries, photo_charts, words
from landmarks.report.material import Cnn, Material
from landmarks.report.style import chart

SIZE = 64
CLASSES = ("00.Gate", "01.Mill", "02.Bridge")


def material(roles: list[str], truth: list[int], answers: dict[str, list[list[float]]]) -> Material:
    """Photos of noise with these roles and labels, and what each CNN says of them."""
    n = len(roles)
    pixels = np.random.default_rng(1).integers(0, 255, (n, SIZE, SIZE, 3), dtype=np.uint8)
    table = pd.DataFrame({column: [""] * n for column in photos.COLUMNS})
    table = table.assign(id=range(n), source="archive", width=80, height=60, verdict="ok")
    names = [CLASSES[label] if label >= 0 else "street" for label in truth]
    split = pd.DataFrame({"id": range(n), "class": names, "role": roles, "reason": ""})
    cnns = tuple(cnn(name, np.array(rows, np.float32), truth) for name, rows in answers.items())
    readable = [name.partition(".")[2] for name in CLASSES]
    return Material(
        PhotoStore(pixels, table), split, list(CLASSES), readable, np.array(truth), cnns, "scratch"
    )


def cnn(name: str, answers: NDArray[np.float32], truth: list[int]) -> Cnn:
    described = card.ModelCard.model_construct(cnn=name, invented=True, classes=[])
    said = [CLASSES[label] for label in answers.argmax(axis=1)]
    confusion = pd.DataFrame({"actual": [CLASSES[label] for label in truth], "predicted": said})
    right = (confusion["actual"] == confusion["predicted"]).mean()
    return Cnn(
        name=name,
        folder=Path(name),
        card=described,
        figures={"accuracy": right},
        validation={},
        tables={"confusion": confusion},
        probabilities=answers,
        scores=answers.max(axis=1),
    )


SURE_GATE, SURE_MILL, DOUBT = [0.9, 0.05, 0.05], [0.02, 0.96, 0.02], [0.4, 0.3, 0.3]


def test_label_errors_are_where_both_surely_agree_against_the_label() -> None:
    answers = {
        "scratch": [SURE_GATE, SURE_MILL, SURE_MILL, DOUBT, SURE_MILL],
        "transfer": [SURE_GATE, SURE_GATE, SURE_MILL, SURE_GATE, SURE_MILL],
    }
    found = material(["train", "train", "train", "val", "test"], [0, 2, 0, 1, 0], answers)
    tiles = galleries.likeliest_label_errors(found)
    # Photo 1: the CNNs do not agree. Photo 3: one is in doubt. Photo 4: a test photo.
    assert [tile.row for tile in tiles] == [2, 3]
    assert tiles[0].alt == "labelled Gate, both CNNs say Mill"
    assert tiles[0].lines[0] == ("label: Gate", "muted")


def test_mistakes_come_surest_first_and_from_test_photos_only() -> None:
    said = [DOUBT, SURE_MILL, SURE_GATE, SURE_MILL]
    found = material(["test", "test", "test", "train"], [1, 0, 0, 0], {"scratch": said})
    tiles = galleries.surest_mistakes(found, found.cnns[0])
    assert [tile.row for tile in tiles] == [1, 0]
    assert tiles[0].title == "is Gate"
    assert tiles[0].lines == (("Mill, 96\N{NO-BREAK SPACE}% sure", "scratch"),)


def test_disagreements_are_photos_that_only_one_names_rightly() -> None:
    answers = {
        "scratch": [SURE_GATE, SURE_GATE, SURE_MILL],
        "transfer": [SURE_MILL, SURE_GATE, SURE_MILL],
    }
    found = material(["test"] * 3, [0, 0, 0], answers)
    first, second = found.cnns
    assert [tile.row for tile in galleries.disagreements(found, first, second)] == [0]
    assert galleries.disagreements(found, second, first) == []


def test_what_was_left_out_is_told_with_its_reason() -> None:
    found = material(["train"] * 5, [0] * 5, {"scratch": [SURE_GATE] * 5})
    found.split.loc[1:2, "role"] = "dropped"
    found.split.loc[[1, 2], "reason"] = [f"near-duplicate of test photo {n}" for n in (7, 8)]
    found.split.loc[4, ["role", "reason"]] = ["dropped", "it is cut off"]
    found.store.table.loc[4, "verdict"] = "refused"
    assert galleries.left_out(found) == [("near-duplicate of test photo", 2), ("it is cut off", 1)]
    copies = galleries.copies(found)
    assert [tile.row for tile in copies] == [1, 2]
    assert copies[0].lines[0][0] == "near-duplicate of test photo 7"


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50"), (0.996, "99"), (1.0, "100"), (0.0, "0"), (0.123, "12")]
)
def test_per_cent_is_whole_and_a_hundred_is_all(share: float, text: str) -> None:
    assert galleries.percent(share) == f"{text}\N{NO-BREAK SPACE}%"


def test_the_heat_lies_where_the_evidence_is() -> None:
    photo = np.full((SIZE, SIZE, 3), 60, np.uint8)
    photo[8:24, 40:56, 0] = 250
    red = np.array([one[..., 0].mean() / 255 for one in evidence.cover(photo)])
    heat = evidence.heat(photo[..., 0].mean() / 255 - red, SIZE)
    hottest = np.unravel_index(heat.argmax(), heat.shape)
    assert 8 <= hottest[0] < 24 and 40 <= hottest[1] < 56
    assert heat[40:, :24].max() < 0.2 * heat.max()


def test_log_odds_still_move_where_float32_says_one() -> None:
    nearly = np.array([[1.0, 1e-8, 0], [1.0, 1e-6, 0], [0.5, 0.25, 0.25]], np.float32)
    odds = evidence.log_odds(nearly, 0)
    assert odds[0] > odds[1] + 2
    assert odds[2] == pytest.approx(0, abs=1e-6)


def test_what_is_confused_stands_side_by_side() -> None:
    matrix = np.diag([9] * 6)
    matrix[0, 5] = matrix[5, 0] = 4
    matrix[2, 4] = 3
    place = np.argsort(confusion_chart.order([matrix, matrix]))
    assert abs(place[0] - place[5]) == 1
    assert abs(place[2] - place[4]) == 1


def test_confusion_is_counted_by_photo() -> None:
    said = {"scratch": [SURE_GATE, SURE_MILL, SURE_MILL]}
    found = material(["test"] * 3, [0, 0, 1], said)
    assert confusion_chart.counts(found, found.cnns[0]).tolist() == [[1, 1, 0], [0, 1, 0], [0] * 3]


def test_a_lead_that_chance_could_give_is_no_victory() -> None:
    even = {"scratch": [SURE_GATE] * 9 + [SURE_MILL], "transfer": [SURE_GATE] * 10}
    assert "no winner" in words.headline(material(["test"] * 10, [0] * 10, even))
    clear = {"scratch": [SURE_MILL] * 10, "transfer": [SURE_GATE] * 10}
    said = words.headline(material(["test"] * 10, [0] * 10, clear))
    assert said.startswith("By 100.0 points transfer is the better one")


def test_a_chart_is_the_same_each_time_and_its_ids_are_its_own() -> None:
    def draw(name: str) -> str:
        with chart(name, 'what "it" shows', 3, 2) as drawn:
            drawn.axes.plot([1, 2], [1, 3], "o-")
            drawn.axes.set_title("5$ & $6")
        return drawn.svg

    one, two = draw("one"), draw("two")
    assert one == draw("one")
    assert one.startswith('<svg role="img" aria-label="what &quot;it&quot; shows"')
    assert 'id="one-' in one and 'id="two-' in two
    assert "5$ &amp; $6" in one
    assert "<metadata" not in one and "dc:date" not in one


def test_shapes_and_balance_count_every_class() -> None:
    said = {"scratch": [SURE_GATE] * 4}
    found = material(["train", "train", "val", "test"], [0, 1, 1, 2], said)
    drawn = photo_charts.balance(found)
    assert all(name in drawn for name in ("Gate", "Mill", "Bridge"))
    assert "short side" in photo_charts.shapes(found)
