"""Whether exported files do what eager PyTorch does: names, probabilities, known or not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from landmarks.card import KNOWN_THRESHOLD
from landmarks.errors import LandmarksError
from landmarks.prediction import Outputs

TOLERANCE = 1e-4
"""Largest difference of a probability between eager PyTorch and a file."""

SCORE_SHARE = 0.1
"""How much differences of a known score count: it is stretched by its spread on known photos,
which is tiny for a network that hardly learned, and float32 rounding is stretched with it."""

Run = Callable[[NDArray[np.uint8]], Outputs]


@dataclass(frozen=True)
class Difference:
    """Where a file parts most from eager PyTorch.

    Attributes:
        file: the exported file.
        largest: difference of a probability, or `SCORE_SHARE` of that of a known score, over all
            photos; NaN if it gave one.
        photo: on which photo that was.
        renamed: photos for which it gives another landmark or decides otherwise whether one is
            known, near ties aside.
    """

    file: str
    largest: float
    photo: str
    renamed: tuple[str, ...]

    @property
    def tolerable(self) -> bool:
        """Whether users may be given the file."""
        return self.largest <= TOLERANCE and not self.renamed


def run_eager(module: torch.nn.Module) -> Run:
    """Wrap a module as a function from uint8 (N, H, W, 3) to `Outputs`."""

    def forward(pixels: NDArray[np.uint8]) -> Outputs:
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
            return Outputs(*(part.numpy() for part in module(batch)))

    return forward


def agreement(
    eager: Run,
    runs: Mapping[str, Run],
    photos: Iterator[tuple[str, NDArray[np.uint8]]] | Sequence[tuple[str, NDArray[np.uint8]]],
) -> list[Difference]:
    """Compare exported files with eager PyTorch on the same photos.

    Args:
        eager: the reference, uint8 (N, H, W, 3) to `Outputs`.
        runs: the same of each file, by its name.
        photos: name and uint8 (N, H, W, 3), N, H and W may differ from one to the next.

    Returns:
        One difference a file, in the order of `runs`.
    """
    largest = dict.fromkeys(runs, ("", -1.0))
    renamed: dict[str, list[str]] = {name: [] for name in runs}
    for photo, pixels in photos:
        expected = eager(pixels)
        for name, run in runs.items():
            found = run(pixels)
            difference = _difference(found, expected)
            if not difference <= largest[name][1]:  # NaN counts as larger
                largest[name] = (photo, difference)
            if _decides_otherwise(found, expected):
                renamed[name].append(photo)
    return [
        Difference(name, largest[name][1], largest[name][0], tuple(renamed[name])) for name in runs
    ]


def _difference(found: Outputs, expected: Outputs) -> float:
    """Return the largest difference, as `Difference.largest` says; NaN if there is one."""
    probability = np.abs(found.probabilities - expected.probabilities).max()
    score = np.abs(found.known_score - expected.known_score).max()
    return float(np.maximum(probability, SCORE_SHARE * score))


def _decides_otherwise(found: Outputs, expected: Outputs) -> bool:
    """Return whether a photo gets another name or is known to one only, near ties aside."""
    second, first = np.sort(expected.probabilities, axis=1)[:, -2:].T
    named = found.probabilities.argmax(axis=1) != expected.probabilities.argmax(axis=1)
    far = np.abs(expected.known_score - KNOWN_THRESHOLD) > TOLERANCE / SCORE_SHARE
    apart = (first - second > TOLERANCE) & named | far & (found.known != expected.known)
    return bool(apart.any())


def check_agreement(differences: Sequence[Difference]) -> None:
    """Raise a `LandmarksError` for a file that does not do what eager PyTorch does."""
    for found in differences:
        if found.tolerable:
            continue
        what = f"another answer on {len(found.renamed)} photos, " if found.renamed else ""
        raise LandmarksError(
            f"{found.file} disagrees with PyTorch: {what}numbers differ by up to "
            f"{found.largest:.2g} on {found.photo}, and {TOLERANCE:g} is allowed",
            hint="Nothing was exported. Try another train.transfer.backbone or version of torch.",
        )
