"""The confusion matrix, with landmarks that are taken for each other side by side."""

from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from landmarks.report.material import Cnn, Material
from landmarks.report.style import COLOURS, GRID, INK, chart

COUNTED = 20
"""Up to so many classes every cell has room for its number."""


def counts(material: Material, cnn: Cnn) -> NDArray[np.int64]:
    """Return how many test photos of each class (rows) get which name (columns)."""
    table = cnn.tables["confusion"]
    place = {name: label for label, name in enumerate(material.classes)}
    found = np.zeros((len(place), len(place)), np.int64)
    pairs = (table["actual"].map(place), table["predicted"].map(place))
    np.add.at(found, tuple(pair.to_numpy(np.int64) for pair in pairs), 1)
    return found


def order(matrices: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the classes in an order that puts those that are confused beside each other."""
    total = np.sum(matrices, axis=0)
    mixed = (total + total.T).astype(np.float64)
    np.fill_diagonal(mixed, 0)
    distance = 1 / (1 + mixed)
    np.fill_diagonal(distance, 0)
    leaves: NDArray[np.int64] = leaves_list(linkage(squareform(distance), "average")).astype(int)
    return leaves


def confusion(material: Material, cnn: Cnn, sorted_classes: NDArray[np.int64]) -> str:
    """Draw the matrix: right answers pale on the diagonal, mistakes in strong colour beside it."""
    matrix = counts(material, cnn)[np.ix_(sorted_classes, sorted_classes)]
    names = [material.names[label] for label in sorted_classes]
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    mistakes = np.where(np.eye(len(names), dtype=bool), 0.22 * shares, 0.25 + 1.6 * shares)
    mistakes[matrix == 0] = 0
    colours = LinearSegmentedColormap.from_list(cnn.name, ["#ffffff", COLOURS[cnn.name]])
    side = 6.0 if len(names) <= COUNTED else 9.4
    alt = f"Confusion of {cnn.name}: rows are landmarks, columns the names they got"
    with chart(f"confusion-{cnn.name}", alt, side, side) as drawn:
        axes = drawn.axes
        places, small = np.arange(len(names)) + 0.5, 9 if len(names) <= COUNTED else 8
        axes.set_xticks(places, names, rotation=90, size=small, color=INK)
        axes.set_yticks(places, names, size=small, color=INK)
        edges = range(len(names) + 1)
        axes.set_xticks(edges, minor=True)
        axes.set_yticks(edges, minor=True)
        axes.tick_params(which="minor", length=0)
        axes.grid(visible=False)
        axes.grid(which="minor", color=GRID, linewidth=0.5)
        axes.set(xlim=(0, len(names)), ylim=(len(names), 0), aspect="equal")
        axes.set(xlabel="the name it got", ylabel="what it is")
        _draw_cells(axes, matrix, mistakes, colours)
    return drawn.svg


def _draw_cells(
    axes: Any, matrix: NDArray[np.int64], strengths: NDArray[np.float64], colours: Any
) -> None:
    """Draw the cells that hold a photo, with their counts."""
    found = list(zip(*np.nonzero(matrix), strict=True))
    cells = [Rectangle((column, row), 1, 1) for row, column in found]
    faces = [colours(min(1.0, strengths[cell])) for cell in found]
    axes.add_collection(PatchCollection(cells, facecolors=faces, linewidth=0))
    size = 9 if len(matrix) <= COUNTED else 6
    for row, column in found:
        color = "white" if strengths[row, column] > 0.55 else INK
        text = str(matrix[row, column])
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", size=size, color=color)
