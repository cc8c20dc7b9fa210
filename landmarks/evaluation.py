"""What the exported files are worth: they are run as users run them, on photos never decided by."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landmarks import card, metrics
from landmarks.batching import in_batches
from landmarks.errors import LandmarksError
from landmarks.predictor import Outputs, Predictor, Runtime

CLEAR_LEAD = 1e-3
"""Lead of a class, or of a score over its threshold, that rounding in two runtimes cannot turn."""


@dataclass(frozen=True)
class Unseen:
    """Photos that nothing was decided by.

    Attributes:
        rows: int (N,), of photos of known landmarks, indices into the pixels.
        labels: int (N,), positions in `classes`.
        classes: the class list of the photos.
        negatives: int (M,), rows of photos that show no known landmark; may be none.
        kinds: (M,), what kind of photo each of these is.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: list[str]
    negatives: NDArray[np.int64]
    kinds: NDArray[np.str_]


def run_export(
    folder: str | Path,
    runtime: Runtime,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    label: str,
) -> Outputs:
    """Run an exported model on the CPU over rows of the packed store, with a progress bar.

    Args:
        folder: of the export; what differs from its model card is refused.
        runtime: which of its files.
        pixels: uint8 (M, S, S, 3), usually a memory map; only the rows in hand are read.
        rows: int (N,), indices into `pixels`.
        label: what the progress bar is called.

    Returns:
        Its answers in the order of `rows`; the same bits for any number of cores.

    Raises:
        LandmarksError: the file is missing, damaged or not the one that was exported.
    """
    predictor = Predictor.load(folder, runtime, threads=1)  # each core gets batches of its own

    def forward(batch: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.column_stack(predictor.outputs(pixels[batch])).astype(np.float32)

    table = in_batches(forward, rows, f"{label}, {runtime}")
    return Outputs(table[:, :-2], table[:, -2], table[:, -1] == 1)


def check_agreement(onnx: Outputs, torchscript: Outputs, rows: NDArray[np.int64]) -> None:
    """Check that both exports decide alike for every photo, near ties aside.

    Args:
        onnx, torchscript: outputs for the same N photos.
        rows: int (N,), their ids, for the message.

    Raises:
        LandmarksError: they do not; says on how many photos and names one.
    """
    second, first = np.sort(onnx.probabilities, axis=1)[:, -2:].T
    renamed = onnx.probabilities.argmax(axis=1) != torchscript.probabilities.argmax(axis=1)
    clear = np.abs(onnx.known_score - card.KNOWN_THRESHOLD) > CLEAR_LEAD
    for differ, what in (
        (renamed & (first - second > CLEAR_LEAD), "name different landmarks"),
        ((onnx.known != torchscript.known) & clear, "disagree whether any landmark is known"),
    ):
        if differ.any():
            raise LandmarksError(
                f"{card.ONNX} and {card.TORCHSCRIPT} {what} on {differ.sum()} of {len(rows)} "
                f"photos, the first with id {rows[differ][0]}",
                hint="Make both again with `dvc repro --force export`.",
            )


def evaluate(
    folder: str | Path,
    pixels: NDArray[np.uint8],
    photos: Unseen,
    *,
    bins: int,
    label: str,
) -> tuple[dict[str, float], Outputs, Outputs]:
    """Measure an export on photos, and check that both of its files answer alike.

    Args:
        folder: of the export.
        pixels: uint8 (M, S, S, 3).
        photos: which to measure on; the export must have the same classes.
        bins: of the calibration error.
        label: what the progress bars are called.

    Returns:
        The figures of the ONNX file: `metrics.summary` with `ece_perfect`, `parameters` (count),
        `gflops` of one photo (10^9 operations, where the card tells), `onnx_bytes` and
        `torchscript_bytes`, `metrics.unknown_summary`, and
        `metrics.naming_summary` above the card's one threshold (`precise_…`) and above those of
        the classes (`precise_by_class_…`). Then its outputs for `rows` and for `negatives`.

    Raises:
        LandmarksError: a file is damaged, knows other classes, or the two do not agree.
    """
    described = card.read(folder)
    if [landmark.class_name for landmark in described.classes] != photos.classes:
        raise LandmarksError(
            f"{folder} was made for other classes than data/split.csv has",
            hint="Make it again with `dvc repro export`.",
        )
    every = np.concatenate([photos.rows, photos.negatives])
    onnx = run_export(folder, "onnx", pixels, every, label)
    check_agreement(onnx, run_export(folder, "torchscript", pixels, every, label), every)
    cut = len(photos.rows)
    ours, theirs = onnx.take(np.s_[:cut]), onnx.take(np.s_[cut:])
    figures = metrics.summary(ours.probabilities, photos.labels, bins) | {
        "ece_perfect": round(metrics.perfect_ece(ours.probabilities, bins), metrics.DECIMALS),
        "parameters": described.parameters,
        "onnx_bytes": described.files[card.ONNX].bytes,
        "torchscript_bytes": described.files[card.TORCHSCRIPT].bytes,
    }
    if described.flops is not None:
        figures["gflops"] = round(described.flops / 1e9, metrics.DECIMALS)
    figures |= metrics.unknown_summary(
        ours.known_score, theirs.known_score, photos.kinds, described.known.threshold
    )
    figures |= _naming(onnx, photos.labels, described.thresholds)
    return figures, ours, theirs


def _naming(
    outputs: Outputs, labels: NDArray[np.int64], thresholds: card.Thresholds
) -> dict[str, float]:
    """Measure the names that are written above the thresholds; photos without label have none."""
    best, confidence = outputs.probabilities.argmax(axis=1), outputs.probabilities.max(axis=1)
    right = best == np.append(labels, np.full(len(best) - len(labels), -1))
    lines = {
        "precise": np.full(len(best), thresholds.confidence),
        "precise_by_class": np.array(thresholds.classes)[best],
    }
    figures = dict[str, float]()
    for prefix, line in lines.items():
        named = outputs.known & (confidence >= line)
        figures |= metrics.naming_summary(named, right, len(labels), prefix)
    return figures


def describe(figures: dict[str, float]) -> str:
    """Say in one line how good an export is."""
    said = (
        f"{figures['accuracy']:.1%} of {figures['n']} test photos "
        f"(95 % interval {figures['accuracy_low']:.1%} to {figures['accuracy_high']:.1%}), "
        f"top-5 {figures['top5_accuracy']:.1%}, ECE {figures['ece']:.3f}; "
        f"{figures['known_kept']:.1%} are taken for known"
    )
    if "negatives_n" in figures:
        said += (
            f", and {figures['negatives_named']:.1%} of {figures['negatives_n']} photos of none "
            f"(AUROC {figures['auroc']:.3f})"
        )
    return said
