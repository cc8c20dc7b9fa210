"""Which photos are worth a look, and what is said below them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landmarks.data.attribution import EXCLUDED
from landmarks.data.roles import ROLES
from landmarks.report.credits import Credit, credit
from landmarks.report.material import Cnn, Material
from landmarks.report.thumbnails import thumbnail

MISTAKES, SUSPECTS, DISAGREEMENTS, NAMED_NEGATIVES, COPIES = 12, 12, 8, 8, 6
EXTREMES = 5
GRID = 64
"""Most photos of the sample grid."""


@dataclass(frozen=True)
class Tile:
    """A photo with a title, and lines below it; a line is its text and its tone for the eye."""

    source: str
    alt: str
    title: str
    lines: tuple[tuple[str, str], ...] = ()
    row: int = -1
    credit: Credit | None = None


def percent(share: float) -> str:
    """Write a share of 1 in whole per cent; 100 % only where nothing is left."""
    rounded = round(100 * share)
    return f"{99 if rounded == 100 and share < 1 else rounded}\N{NO-BREAK SPACE}%"


def sample_grid(material: Material) -> list[Tile]:
    """Return train photos of every class in turn, the same number of each."""
    each = max(1, GRID // len(material.classes))
    train = material.rows("train")
    tiles = []
    for label, name in enumerate(material.names):
        ours = train[material.truth[train] == label]
        for row in ours[np.linspace(0, len(ours) - 1, min(each, len(ours))).astype(int)]:
            tiles.append(_tile(material, row, f"a photo of {name}", name))
    return tiles


def surest_mistakes(material: Material, cnn: Cnn) -> list[Tile]:
    """Return the test photos on which a CNN was wrong, the surest first."""
    test = material.rows("test")
    wrong = test[cnn.best[test] != material.truth[test]]
    tiles = []
    for row in _highest(wrong, cnn.confidence[wrong], MISTAKES):
        truth, said = material.names[material.truth[row]], material.names[cnn.best[row]]
        line = (f"{said}, {percent(cnn.confidence[row])} sure", cnn.name)
        tiles.append(_tile(material, row, f"{truth}, taken for {said}", f"is {truth}", line))
    return tiles


def likeliest_label_errors(material: Material) -> list[Tile]:
    """Return train and validation photos on which both CNNs agree on another class than the label.

    The surest disagreement comes first: the smaller, over the CNNs, of the probability of the
    class that they name less that of the label.
    """
    photos = np.concatenate([material.rows("train"), material.rows("val")])
    first, second = material.cnns
    label = material.truth[photos]
    both = (first.best[photos] == second.best[photos]) & (first.best[photos] != label)
    suspects = photos[both]
    gap = np.min([_gap(cnn, suspects, material.truth[suspects]) for cnn in material.cnns], axis=0)
    tiles = []
    for row in _highest(suspects, gap, SUSPECTS):
        truth, said = material.names[material.truth[row]], material.names[first.best[row]]
        lines = tuple(
            (f"{cnn.name}: {percent(cnn.confidence[row])}", cnn.name) for cnn in material.cnns
        )
        alt = f"labelled {truth}, both CNNs say {said}"
        tiles.append(_tile(material, row, alt, f"{said}?", (f"label: {truth}", "muted"), *lines))
    return tiles


def disagreements(material: Material, right: Cnn, other: Cnn) -> list[Tile]:
    """Return test photos that one CNN named rightly and the other, surely, wrongly."""
    test = material.rows("test")
    truth = material.truth[test]
    parted = test[(right.best[test] == truth) & (other.best[test] != truth)]
    tiles = []
    for row in _highest(parted, other.confidence[parted], DISAGREEMENTS):
        lines = tuple(
            (f"{material.names[cnn.best[row]]}, {percent(cnn.confidence[row])}", cnn.name)
            for cnn in material.cnns
        )
        name = material.names[material.truth[row]]
        alt = f"{name}, which {other.name} takes for {material.names[other.best[row]]}"
        tiles.append(_tile(material, row, alt, f"is {name}", *lines))
    return tiles


def likeliest_negatives(material: Material, cnn: Cnn) -> list[Tile]:
    """Return photos of no known landmark that fit one best, and the name they would get."""
    photos = material.rows("negative_testing")
    tiles = []
    for row in _highest(photos, cnn.scores[photos], NAMED_NEGATIVES):
        said, kind = material.names[cnn.best[row]], material.split.loc[row, "class"]
        line = (f"{said}, {percent(cnn.confidence[row])}", cnn.name)
        alt = f"a photo of the kind {kind}, which resembles {said}"
        tiles.append(_tile(material, row, alt, str(kind).replace("_", " "), line))
    return tiles


def copies(material: Material) -> list[Tile]:
    """Return photos that were dropped because they nearly repeat another one.

    Photos under an excluded licence are not shown.
    """
    dropped = material.split[material.split["role"] == "dropped"]
    dropped = dropped[~dropped["reason"].str.startswith(EXCLUDED)]
    ok = material.store.table.loc[dropped.index, "verdict"] == "ok"
    tiles = []
    for row, record in dropped[ok].head(COPIES).iterrows():
        number = int(str(row))
        alt = f"left out: {record['reason']}"
        tiles.append(
            _tile(material, number, alt, str(record["class"]), (record["reason"], "muted"))
        )
    return tiles


def roles(material: Material) -> list[tuple[str, int]]:
    """Return how many photos play which role, in words, those without photo left out."""
    counts = material.split["role"].value_counts()
    words = dict(
        train="to learn from",
        val="to decide by",
        test="to measure on",
        negative_tuning="of none, to tune",
        negative_testing="of none, to measure",
        dropped="left out",
    )
    return [(words[role], int(counts[role])) for role in ROLES if role in counts]


def left_out(material: Material) -> list[tuple[str, int]]:
    """Return why photos were refused or dropped, the commonest reason first."""
    reasons = material.split.loc[material.split["role"] == "dropped", "reason"]
    plain = reasons.str.replace(r" \d+$", "", regex=True).value_counts()
    return sorted(((str(why), int(n)) for why, n in plain.items()), key=lambda one: (-one[1], one))


def recalls(material: Material, cnn: Cnn) -> pd.DataFrame:
    """Return the table of classes in label order; a class without test photos has no recall."""
    return cnn.tables["per_class"].set_index("class").reindex(material.classes)


def hardest_first(material: Material) -> NDArray[np.int64]:
    """Return the classes by the mean recall of both CNNs, the lowest first, untested ones last."""
    shares = [recalls(material, cnn)["recall"].fillna(1) for cnn in material.cnns]
    return np.argsort(np.mean(shares, axis=0), kind="stable")


def extremes(material: Material) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return the hardest and the easiest landmarks, each with the recall of every CNN."""
    order = hardest_first(material)
    order = order[recalls(material, material.cnns[0])["n"].iloc[order] > 0]
    most = min(EXTREMES, len(order) // 2)
    tables = [recalls(material, cnn)["recall"] for cnn in material.cnns]
    return [
        (title, [(material.names[k], [percent(table.iloc[k]) for table in tables]) for k in chosen])
        for title, chosen in (("Hardest", order[:most]), ("Easiest", order[::-1][:most]))
    ]


def _gap(cnn: Cnn, rows: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.float32]:
    gap: NDArray[np.float32] = cnn.confidence[rows] - cnn.probabilities[rows, label]
    return gap


def _highest(rows: NDArray[np.int64], values: NDArray, most: int) -> NDArray[np.int64]:
    """Return the rows of the highest values, the highest first; equal ones in the order of rows."""
    return rows[np.argsort(-values, kind="stable")[:most]]


def _tile(material: Material, row: int, alt: str, title: str, *lines: tuple[str, str]) -> Tile:
    found = credit(material, int(row))
    return Tile(thumbnail(material, row), alt, title, lines, int(row), found)
