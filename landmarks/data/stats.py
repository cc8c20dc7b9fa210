"""Mean and standard deviation of the train photos, for normalisation."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from landmarks.errors import LandmarksError

_BLOCK = 64
_LEVELS = np.arange(256, dtype=np.uint64)


class Normalization(TypedDict):
    """Per channel (RGB) on the scale 0 to 1; `photos` is how many were measured."""

    mean: list[float]
    std: list[float]
    photos: int


def channel_statistics(pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> Normalization:
    """Measure the mean and (population) standard deviation of every channel over all pixels.

    Counts how often each of the 256 levels occurs, so that the sums are exact integers whatever the
    number of photos; photos are read in blocks.

    Args:
        pixels: uint8 (N, S, S, 3) RGB, may be memory-mapped.
        rows: which photos to measure.

    Returns:
        Figures rounded to 6 decimals.

    Raises:
        LandmarksError: there are no rows.
    """
    if len(rows) == 0:
        raise LandmarksError(
            "there is no train photo to measure", hint="See the reasons in data/split.csv."
        )
    counts = np.zeros((3, 256), dtype=np.uint64)
    for start in tqdm(range(0, len(rows), _BLOCK), desc="stats", unit="block"):
        block = pixels[rows[start : start + _BLOCK]]
        for channel in range(3):
            levels = np.bincount(block[..., channel].ravel(), minlength=256)
            counts[channel] += levels.astype(np.uint64)
    total = int(counts[0].sum())
    mean, std = [], []
    for channel in range(3):
        first = int((counts[channel] * _LEVELS).sum()) / total
        second = int((counts[channel] * _LEVELS * _LEVELS).sum()) / total
        mean.append(round(first / 255, 6))
        std.append(round(max(second - first * first, 0.0) ** 0.5 / 255, 6))
    return {"mean": mean, "std": std, "photos": len(rows)}
