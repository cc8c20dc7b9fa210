"""Makes a smaller copy of an exported model: weights in 16 bits, or convolutions in 8."""

import argparse
import contextlib
import io
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from landmarks import card, files
from landmarks.card import CARD, ONNX
from landmarks.data.roles import class_names, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.errors import LandmarksError, run
from landmarks.evaluation import run_export

LOSS = 0.005
"""Share of the validation photos that a copy may name worse than the original."""

PRECISIONS = tuple(one for one in get_args(card.Precision) if one != "float32")

CALIBRATION_PHOTOS, _BATCH = 128, 8
"""Train photos, unlabelled, whose activations give the ranges of the 8 bits."""

PERCENTILE = 99.99
"""Share of the activations that the 8 bits cover: the rare largest would coarsen all others."""

_SMALL = 256  # numbers; a tensor with less is not worth a node that widens it
_QUANTIZED = ("Conv", "Relu", "Clip")


def float16(model: ModelProto) -> ModelProto:
    """Keep weights as float16 and widen them when the model is loaded: it computes in float32.

    ONNX Runtime does the widening once, when it starts.
    """
    casts = []
    for tensor in model.graph.initializer:
        wide = tensor.data_type == TensorProto.FLOAT
        if not wide or np.prod(tensor.dims, dtype=np.int64) < _SMALL:
            continue
        name, narrow = tensor.name, f"{tensor.name}.float16"
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), narrow))
        casts.append(helper.make_node("Cast", [narrow], [name], narrow, to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def between_convolutions(model: ModelProto) -> set[str]:
    """Return the names of the convolutions, and of all nodes on a way from one to another."""
    ways: list[set[str]] = []
    for nodes, ins, outs in (
        (list(model.graph.node), "input", "output"),
        (list(model.graph.node)[::-1], "output", "input"),
    ):
        reached, found = set[str](), set[str]()
        for node in nodes:
            if node.op_type == "Conv" or reached.intersection(getattr(node, ins)):
                found.add(node.name)
                reached.update(getattr(node, outs))
        ways.append(found)
    return ways[0] & ways[1]


class _Photos:
    """Batches of photos, as ONNX Runtime's calibration reads them, a few at a time."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self.set_range(0, len(self))

    def __len__(self) -> int:
        return -(-len(self.pixels) // _BATCH)

    def set_range(self, start_index: int, end_index: int) -> None:
        self.places = iter(range(start_index * _BATCH, end_index * _BATCH, _BATCH))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        start = next(self.places, None)
        if start is None:
            return None
        batch = self.pixels[start : start + _BATCH].transpose(0, 3, 1, 2)
        return {"pixels": np.ascontiguousarray(batch)}


def int8(model: ModelProto, pixels: NDArray[np.uint8]) -> ModelProto:
    """Compute the convolutions and what is between them in 8 bits, the rest in float32.

    Weights have a scale a channel, activations one a tensor (Jacob et al. 2018, arXiv:1712.05877).
    ONNX Runtime cuts off its sums on x86 processors without VNNI, unless it is told not to by
    `session.x64quantprecision`, as `landmarks.Predictor` does.

    Args:
        model: float32.
        pixels: uint8 (N, S, S, 3), photos whose activations give the scales.
    """
    from onnxruntime import quantization as ort

    inside = between_convolutions(model)
    with tempfile.TemporaryDirectory() as folder, _silence():
        target = Path(folder) / ONNX
        ort.quantize_static(
            model,
            target,
            _Photos(pixels),
            quant_format=ort.QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            per_channel=True,
            activation_type=ort.QuantType.QUInt8,
            weight_type=ort.QuantType.QInt8,
            nodes_to_exclude=[n.name for n in model.graph.node if n.name not in inside],
            calibrate_method=ort.CalibrationMethod.Percentile,
            extra_options={
                "CalibPercentile": PERCENTILE,
                "CalibTensorRangeSymmetric": False,
                "CalibStridedMinMax": 1,  # batch by batch, or all activations stay in memory
            },
        )
        return float32_pools(onnx.load(target))


def float32_pools(model: ModelProto) -> ModelProto:
    """Let average pools that round their size up read what they pool before it is rounded.

    In 8 bits ONNX Runtime divides the last row and column of an odd size by the whole kernel, as if
    zeros lay beyond the edge: a quarter or a half of the right value, for a kernel of two.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        rounded_up = any(one.name == "ceil_mode" and one.i for one in node.attribute)
        if node.op_type != "AveragePool" or not rounded_up:
            continue
        wide = makers.get(node.input[0])
        if wide is not None and wide.op_type == "DequantizeLinear":
            node.input[0] = makers[wide.input[0]].input[0]
    return model


@contextlib.contextmanager
def _silence() -> Any:
    """Keep back what the quantizer prints and logs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


class Photos:
    """Photos of a built project: to find scales with, and to check with."""

    def __init__(self, data: Path) -> None:
        self.store = PhotoStore.open(data / "photos")
        self.split = read_split(data / "split.csv", photos=len(self.store.table))

    def for_scales(self) -> NDArray[np.uint8]:
        """Return train photos, the same ones each time."""
        ids = rows(self.split, "train")
        by_content = np.argsort(self.store.table.loc[ids, "sha1"].to_numpy(str), kind="stable")
        return np.array(self.store.pixels[np.sort(ids[by_content[:CALIBRATION_PHOTOS]])])

    def check(self, folder: Path) -> None:
        """Check that a model knows the classes of these photos.

        Raises:
            LandmarksError: it knows others.
        """
        names = [landmark.class_name for landmark in card.read(folder).classes]
        if names != class_names(self.split):
            raise LandmarksError(
                f"{folder} was made for other classes than these photos have",
                hint="Give the data that it was trained on.",
            )

    def accuracy(self, folder: Path, label: str) -> float:
        """Return the share of the validation photos that a model names rightly."""
        val = rows(self.split, "val")
        answers = run_export(folder, "onnx", self.store.pixels, val, label)
        return float((answers.probabilities.argmax(axis=1) == labels(self.split, val)).mean())


def write_copy(source: Path, target: Path, precision: card.Precision, photos: Photos) -> None:
    """Write a copy of the model in `source` at another precision, ONNX and card, into `target`.

    Raises:
        LandmarksError: `source` holds no model, a damaged one, or a copy.
    """
    described = card.read(source)
    if described.precision != "float32":
        raise LandmarksError(
            f"{source} is {described.precision} already", hint="Name the model it was made from."
        )
    model = onnx.load_from_string(card.read_verified(source, ONNX, described))
    changes: dict[card.Precision, Callable[[], ModelProto]] = {
        "float16": lambda: float16(model),
        "int8": lambda: int8(model, photos.for_scales()),
    }
    target.mkdir(parents=True, exist_ok=True)
    content = changes[precision]().SerializeToString(deterministic=True)
    with files.replacing(target / ONNX) as temporary:
        temporary.write_bytes(content)
    record = card.FileRecord(sha256=files.sha256(target / ONNX), bytes=len(content))
    copied = described.model_copy(update={"precision": precision, "files": {ONNX: record}})
    files.write_json(target / CARD, copied.to_json())


def compact(
    source: Path, target: Path, precision: card.Precision, photos: Photos
) -> tuple[float, float]:
    """Write a smaller copy, if it is as good on validation photos but for `LOSS`.

    Returns:
        The share of the validation photos that the original and the copy name rightly.

    Raises:
        LandmarksError: the copy is worse; `target` stays as it was.
    """
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    photos.check(source)
    try:
        write_copy(source, fresh, precision, photos)
        before, after = photos.accuracy(source, "original"), photos.accuracy(fresh, precision)
        if before - after > LOSS + 1e-9:
            raise LandmarksError(
                f"in {precision} the model names {after:.1%} of the validation photos rightly, "
                f"instead of {before:.1%}, so no copy was written",
                hint="Keep the original, or choose another precision.",
            )
        target.mkdir(parents=True, exist_ok=True)
        for name in (ONNX, CARD):  # the card last: it vouches for the other
            os.replace(fresh / name, target / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.compact", description=__doc__)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        required=True,
        help="float16 halves the file; int8 makes it a third and, on a processor with VNNI, faster",
    )
    parser.add_argument("--model", type=Path, default=Path("models/landmarks"))
    parser.add_argument("--data", type=Path, default=Path("data"), help="that it was trained on")
    parser.add_argument("--to", type=Path, help="a new folder; MODEL-PRECISION by default")
    given = parser.parse_args()
    target = given.to or given.model.with_name(f"{given.model.name}-{given.precision}")
    if target.resolve() == given.model.resolve():
        raise LandmarksError(f"{target} is the model itself", hint="Name another folder with --to.")
    before, after = compact(given.model, target, given.precision, Photos(given.data))
    old, new = ((folder / ONNX).stat().st_size / 1e6 for folder in (given.model, target))
    print(
        f"{target}: {new:.1f} MB instead of {old:.1f}, {after:.1%} of the validation photos right "
        f"instead of {before:.1%}"
    )
    if card.read(target).refit:
        print(f"note: {card.LEARNED}")


if __name__ == "__main__":
    run(main)
