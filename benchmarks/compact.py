"""What smaller copies of an exported model gain and lose, on validation photos."""

import argparse
import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.speed import ROUNDS, WARM_UP, Forward, machine, milliseconds
from landmarks import card, files, metrics
from landmarks.data.roles import labels, rows
from landmarks.errors import LandmarksError, run
from landmarks.evaluation import run_export
from landmarks.prediction import Outputs
from landmarks.predictor import Predictor
from tools.collect_results import ROOT, preset_name
from tools.compact import PRECISIONS, Photos, between_convolutions, write_copy

ORIGINAL = "float32"
HALF = "float16, computed"
"""Weights and activations of the convolutions in float16, as a GPU would have them."""


def write_half(source: Path, target: Path) -> None:
    """Write a copy that computes the convolutions in float16."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    described = card.read(source)
    model = onnx.load_from_string(card.read_verified(source, card.ONNX, described))
    inside = between_convolutions(model)
    outside = [node.name for node in model.graph.node if node.name not in inside]
    with contextlib.redirect_stdout(io.StringIO()):
        half = convert_float_to_float16(model, keep_io_types=True, node_block_list=outside)
    seen = set[str]()
    for node in list(half.graph.node):  # it adds some of its casts twice
        if node.name in seen:
            half.graph.node.remove(node)
        seen.add(node.name)
    target.mkdir()
    (target / card.ONNX).write_bytes(half.SerializeToString())
    record = card.FileRecord(
        sha256=files.sha256(target / card.ONNX), bytes=(target / card.ONNX).stat().st_size
    )
    copied = described.model_copy(update={"precision": "float16", "files": {card.ONNX: record}})
    files.write_json(target / card.CARD, copied.to_json())


def quality(
    outputs: Outputs, original: Outputs, truth: NDArray[np.int64], threshold: float
) -> dict[str, float]:
    """Return how good answers are, and how many are those of the original.

    Args:
        outputs, original: for the N validation photos, then for photos of no known landmark.
        truth: int64 (N,), labels of the validation photos.
        threshold: confidence from which a name is safe.
    """
    n = len(truth)
    best, before = outputs.probabilities.argmax(1), original.probabilities.argmax(1)
    safe, safe_before = (
        one.known & (one.probabilities.max(1) >= threshold) for one in (outputs, original)
    )
    figures = {
        "accuracy": float((best[:n] == truth).mean()),
        "nll": metrics.negative_log_likelihood(outputs.probabilities[:n], truth),
        "known_kept": float(outputs.known[:n].mean()),
        "safe_recall": float((safe[:n] & (best[:n] == truth)).mean()),
        "same_name": float((best[:n] == before[:n]).mean()),
        "same_known": float((outputs.known == original.known).mean()),
        "same_safe": float((safe == safe_before).mean()),
    }
    if len(outputs.known) > n:
        figures["negatives_named"] = float(outputs.known[n:].mean())
        figures["auroc"] = metrics.auroc(outputs.known_score[:n], outputs.known_score[n:])
    return {name: round(value, 6) for name, value in figures.items()}


def compare(source: Path, photos: Photos, timed: int) -> dict[str, dict[str, float]]:
    """Make all copies of a model and measure them beside it.

    Returns:
        `quality`, `onnx_bytes` and `milliseconds` of each, with their ratios to the original.
    """
    photos.check(source)
    described = card.read(source)
    val, none = rows(photos.split, "val"), rows(photos.split, "negative_tuning")
    truth, every = labels(photos.split, val), np.concatenate([val, none])
    with tempfile.TemporaryDirectory() as top:
        folders = {ORIGINAL: source}
        for precision in PRECISIONS:
            folders[precision] = Path(top) / precision
            write_copy(source, folders[precision], precision, photos)
        folders[HALF] = Path(top) / "half"
        write_half(source, folders[HALF])
        answers = {
            name: run_export(folder, "onnx", photos.store.pixels, every, name)
            for name, folder in folders.items()
        }
        ways: dict[str, Forward] = {
            name: Predictor.load(folder, "onnx", threads=1).probabilities
            for name, folder in folders.items()
        }
        times = milliseconds(ways, np.array(photos.store.pixels[val[:timed]]))
        sizes = {name: (folder / card.ONNX).stat().st_size for name, folder in folders.items()}
    safe_from = described.thresholds.confidence
    return {
        name: quality(answers[name], answers[ORIGINAL], truth, safe_from)
        | {
            "onnx_bytes": sizes[name],
            "milliseconds": times[name],
            "times_smaller": round(sizes[ORIGINAL] / sizes[name], 2),
            "times_faster": round(times[ORIGINAL] / times[name], 2),
        }
        for name in folders
    }


def table(found: dict[str, dict[str, float]]) -> str:
    """Return the figures as lines to read; ratios are against the original."""
    head = f"{'':20}{'accuracy':>9}{'points':>8}{'same name':>11}{'same known':>12}"
    lines = [f"{head}{'MB':>7}{'smaller':>9}{'ms':>8}{'faster':>8}"]
    for name, one in found.items():
        points = 100 * (one["accuracy"] - found[ORIGINAL]["accuracy"])
        lines.append(
            f"{name:20}{one['accuracy']:9.1%}{points:+8.2f}{one['same_name']:11.1%}"
            f"{one['same_known']:12.1%}{one['onnx_bytes'] / 1e6:7.2f}{one['times_smaller']:9.2f}"
            f"{one['milliseconds']:8.2f}{one['times_faster']:8.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compact", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/landmarks"))
    parser.add_argument("--data", type=Path, default=Path("data"), help="that it was trained on")
    parser.add_argument("--photos", type=int, default=40, help="photos timed in each round")
    parser.add_argument("--name", help="folder in results/; the preset's name by default")
    given = parser.parse_args()
    source, data = given.model.absolute(), given.data.absolute()
    os.chdir(ROOT)
    photos = Photos(data)
    if len(rows(photos.split, "val")) < WARM_UP:
        raise LandmarksError("there are too few validation photos", hint="Give more photos.")
    found = compare(source, photos, given.photos)
    target = Path("results") / (given.name or preset_name()) / "compact.json"
    described = card.read(source)
    cnn = described.cnn
    kept = files.read_json(target) if target.exists() else {}
    facts = {"machine": machine(), "rounds": ROUNDS, "photos": given.photos}
    files.write_json(target, kept | {cnn: facts | {"precisions": found}})
    print(table(found))
    print(f"{cnn}: validation photos, ONNX Runtime, 1 thread -> {target}")
    if described.refit:
        print(f"note: {card.LEARNED}")


if __name__ == "__main__":
    run(main)
