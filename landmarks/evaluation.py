"""What the exported files are worth: they are run as users run them, on photos never decided by."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landmarks import card, metrics
from landmarks.errors import LandmarksError
from landmarks.inference import in_batches
from landmarks.predictor import Predictor, Runtime

CLEAR_LEAD = 1e-3
"""Lead of the first class over the second that rounding between two runtimes cannot turn."""


def run_export(
    folder: str | Path,
    runtime: Runtime,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    label: str,
) -> NDArray[np.float32]:
    """Run an exported model on the CPU over rows of the packed store, with a progress bar.

    Args:
        folder: of the export; what differs from its model card is refused.
        runtime: which of its files.
        pixels: uint8 (M, S, S, 3), usually a memory map; only the rows in hand are read.
        rows: int (N,), indices into `pixels`.
        label: what the progress bar is called.

    Returns:
        float32 (N, C), in the order of `rows`; the same bits for any number of cores.

    Raises:
        LandmarksError: the file is missing, damaged or not the one that was exported.
    """
    predictor = Predictor.load(folder, runtime, threads=1)  # each core gets batches of its own
    return in_batches(
        lambda batch: predictor.probabilities(pixels[batch]), rows, f"{label}, {runtime}"
    )


def check_agreement(
    onnx: NDArray[np.float32], torchscript: NDArray[np.float32], rows: NDArray[np.int64]
) -> None:
    """Check that both exports name the same class for every photo, near ties aside.

    Args:
        onnx, torchscript: probabilities (N, C) of the same photos.
        rows: int (N,), their ids, for the message.

    Raises:
        LandmarksError: they do not; says on how many photos and names one.
    """
    second, first = np.sort(onnx, axis=1)[:, -2:].T
    differ = (onnx.argmax(axis=1) != torchscript.argmax(axis=1)) & (first - second > CLEAR_LEAD)
    if differ.any():
        raise LandmarksError(
            f"{card.ONNX} and {card.TORCHSCRIPT} name different landmarks on {differ.sum()} of "
            f"{len(rows)} photos, the first with id {rows[differ][0]}",
            hint="Make both again with `dvc repro --force export`.",
        )


def evaluate(
    folder: str | Path,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    classes: list[str],
    *,
    bins: int,
    label: str,
) -> tuple[dict[str, float], NDArray[np.float32]]:
    """Measure an export on photos, and check that both of its files answer alike.

    Args:
        folder: of the export.
        pixels: uint8 (M, S, S, 3).
        rows: int (N,), indices into `pixels`.
        labels: int (N,), positions in `classes`.
        classes: the class list of the photos; the export must have the same.
        bins: of the calibration error.
        label: what the progress bars are called.

    Returns:
        `metrics.summary` of the ONNX file with `parameters` (count), `onnx_bytes` and
        `torchscript_bytes`; and its probabilities, float32 (N, C).

    Raises:
        LandmarksError: a file is damaged, knows other classes, or the two do not agree.
    """
    described = card.read(folder)
    if [landmark.class_name for landmark in described.classes] != classes:
        raise LandmarksError(
            f"{folder} was made for other classes than data/split.csv has",
            hint="Make it again with `dvc repro export`.",
        )
    probabilities = run_export(folder, "onnx", pixels, rows, label)
    torchscript = run_export(folder, "torchscript", pixels, rows, label)
    check_agreement(probabilities, torchscript, rows)
    figures = metrics.summary(probabilities, labels, bins) | {
        "parameters": described.parameters,
        "onnx_bytes": described.files[card.ONNX].bytes,
        "torchscript_bytes": described.files[card.TORCHSCRIPT].bytes,
    }
    return figures, probabilities
