"""Where on a photo the evidence is: what is covered, and how much of the confidence goes with it.

Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901) asks the exported file itself and needs no look
inside, so it works alike for every network and every runtime.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from landmarks.evaluation import run_export
from landmarks.report.credits import Credit, credit
from landmarks.report.galleries import percent
from landmarks.report.material import Cnn, Material
from landmarks.report.thumbnails import data_uri, thumbnail

SURE, DOUBTFUL = 3, 3
"""How many photos are shown that both CNNs know, and that they do not."""
STEPS = 7
"""Places of the cover, down and across; it covers two steps of eight each way."""
FAINTEST = 1.0
"""A fall of the log-odds, in nats, that fills the scale at least: smaller ones stay faint."""
SIDE = 200
"""Longest side of a picture, pixels."""
_TINY = 1e-9
_HEAT = colormaps["inferno"]


@dataclass(frozen=True)
class Look:
    """A photo, and for each CNN the photo under its heat, with a caption; pictures are URIs."""

    title: str
    photo: str
    heats: tuple[tuple[str, str, str], ...]
    credit: Credit | None = None


def looks(material: Material) -> list[Look]:
    """Return photos with what both CNNs look at on them."""
    rows = choose(material)
    covered = np.concatenate([cover(material.store.pixels[row]) for row in rows])
    maps = {cnn.name: _drops(material, cnn, rows, covered) for cnn in material.cnns}
    found = []
    for place, row in enumerate(rows):
        name = material.names[material.truth[row]]
        heats = tuple(
            (cnn.name, _draw(material, row, maps[cnn.name][place]), _caption(material, cnn, row))
            for cnn in material.cnns
        )
        found.append(Look(name, thumbnail(material, row, SIDE), heats, credit(material, row)))
    return found


def choose(material: Material) -> list[int]:
    """Return test photos: some that both CNNs surely know, some that one or both get wrong.

    No landmark comes twice.
    """
    test = material.rows("test")
    truth = material.truth[test]
    right = np.all([cnn.best[test] == truth for cnn in material.cnns], axis=0)
    sure = np.min([cnn.confidence[test] for cnn in material.cnns], axis=0)
    chosen: list[int] = []
    for pool, most in ((test[right], SURE), (test[~right], SURE + DOUBTFUL)):
        for row in pool[np.argsort(-sure[np.isin(test, pool)], kind="stable")]:
            known = {int(material.truth[one]) for one in chosen}
            if len(chosen) < most and int(material.truth[row]) not in known:
                chosen.append(int(row))
    return chosen


def cover(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a photo, uint8 (S, S, 3), with a square of its mean colour at each of the places.

    Returns:
        uint8 (STEPS * STEPS, S, S, 3).
    """
    covered = np.repeat(photo[None], STEPS * STEPS, axis=0)
    mean = photo.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    for place, window in enumerate(_windows(len(photo))):
        covered[(place, *window)] = mean
    return covered


def heat(drops: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return, float64 (size, size), the mean of the drops of all covers over each pixel."""
    total, count = np.zeros((size, size)), np.zeros((size, size))
    for drop, window in zip(drops, _windows(size), strict=True):
        total[window] += drop
        count[window] += 1
    return total / np.maximum(count, 1)


def log_odds(probabilities: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """Return ln(p / (1 - p)) of one class, float64 (N,): it still moves where p is nearly 1.

    1 - p is the sum of the others, which keeps the digits that float32 loses near 1.
    """
    exact = probabilities.astype(np.float64)
    others = np.delete(exact, label, axis=1).sum(axis=1)
    odds: NDArray[np.float64] = np.log((exact[:, label] + _TINY) / (others + _TINY))
    return odds


def _windows(size: int) -> list[tuple[slice, slice]]:
    edges = np.linspace(0, size, STEPS + 2).round().astype(int)
    spans = [slice(edges[step], edges[step + 2]) for step in range(STEPS)]
    return [(down, across) for down in spans for across in spans]


def _drops(
    material: Material, cnn: Cnn, rows: list[int], covered: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return how far the log-odds of the named class fall, float64 (photos, S, S)."""
    everything = np.arange(len(covered))
    answers = run_export(cnn.folder, "onnx", covered, everything, f"{cnn.name}, evidence")
    found = answers.probabilities.reshape(len(rows), STEPS * STEPS, -1)
    size = covered.shape[1]
    falls = [
        log_odds(cnn.probabilities[[row]], cnn.best[row]) - log_odds(ours, cnn.best[row])
        for row, ours in zip(rows, found, strict=True)
    ]
    return np.stack([heat(fall, size) for fall in falls])


def _draw(material: Material, row: int, drops: NDArray[np.float64]) -> str:
    strength = np.clip(drops / max(FAINTEST, drops.max()), 0, 1)
    grey = Image.fromarray((255 * strength).round().astype(np.uint8))
    smooth = np.asarray(grey.filter(ImageFilter.GaussianBlur(len(drops) / 24))) / 255
    photo = material.store.pixels[row].astype(np.float64)
    dimmed = photo.mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.55
    colour = 255 * _HEAT(0.15 + 0.8 * smooth)[..., :3]
    share = (0.15 + 0.6 * smooth)[..., None]
    mixed = (dimmed * (1 - share) + colour * share).round().astype(np.uint8)
    return data_uri(mixed, *material.size(row), SIDE)


def _caption(material: Material, cnn: Cnn, row: int) -> str:
    said = material.names[cnn.best[row]]
    return f"{said}, {percent(cnn.confidence[row])}"
