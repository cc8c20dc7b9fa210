"""The deployable module, uint8 pixels in and calibrated answers out, and its two files."""

import io
import logging
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from landmarks import files, known, models
from landmarks.backbones import BACKBONES
from landmarks.card import KNOWN_THRESHOLD, ONNX, OUTPUTS, TORCHSCRIPT
from landmarks.errors import LandmarksError
from landmarks.exemplars import with_exemplars
from landmarks.inference import Normalized, folded

INPUT = "pixels"

OPSET = 18
"""The first ONNX operator set whose Resize knows antialiasing."""

_ALIGNMENT = 64  # as PyTorch aligns tensors in its archives, so that they can be memory-mapped
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Parts:
    """What a deployable module is made of.

    Attributes:
        weights: file of the bare network, as the stage refit left it.
        statistics: file of the class statistics, as calibration wrote it.
        calibration: `mirror`, `temperature`, and `known` with its method, threshold and scales.
    """

    weights: Path
    statistics: Path
    calibration: Mapping[str, Any]

    @classmethod
    def of(cls, folder: str | Path) -> Self:
        """Return the parts that lie in a CNN's folder.

        Raises:
            LandmarksError: there is no calibration, or it is damaged.
        """
        folder = Path(folder)
        calibration = files.read_json(
            folder / "calibration.json", "mirror", "temperature", "known", "thresholds"
        )
        return cls(folder / "final.safetensors", folder / "statistics.safetensors", calibration)


class Deployable(nn.Module):
    """Everything between a photo and an answer: resize, normalise, network, temperature, scores.

    Args:
        network: float32 (N, 3, h, w), normalised, to logits (N, C).
        info: of the network.
        calibration: `mirror` (see `Normalized`), `temperature`, by which logits are divided (Guo et
            al. 2017, arXiv:1706.04599), and `known` (see `landmarks.unknown`).
        statistics: of the classes, and exemplars where there are any.
    """

    def __init__(
        self,
        network: nn.Module,
        info: models.ModelInfo,
        calibration: Mapping[str, Any],
        statistics: known.Statistics,
    ) -> None:
        super().__init__()
        body, classifier = known.split_head(network)
        self.classifier = with_exemplars(classifier, statistics)
        mirror = bool(calibration["mirror"])
        self.features = Normalized(body, info.input_size, info.mean, info.std, mirror=mirror)
        self.temperature = float(calibration["temperature"])
        chosen = calibration["known"]
        self.score = known.score(chosen["method"], statistics, chosen["scales"])
        self.threshold, self.scale = float(chosen["threshold"]), float(chosen["scale"])
        self.known_from = KNOWN_THRESHOLD  # TorchScript knows no constants of other modules

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answer for uint8 (N, 3, H, W) RGB, any H and W.

        Returns:
            `probabilities` float32 (N, C), each row sums to 1; `known_score` float32 (N,), 0 to 1;
            `known` bool (N,), whether the photo shows a known landmark: a score of 0.5 or more.
        """
        features = self.features(pixels)
        logits = self.classifier(features) / self.temperature
        known_score = torch.sigmoid((self.score(features, logits) - self.threshold) / self.scale)
        return torch.softmax(logits, dim=1), known_score, known_score >= self.known_from


def build(parts: Parts) -> Deployable:
    """Make the deployable module, in evaluation mode, on the CPU.

    Raises:
        LandmarksError: a part is missing or damaged.
    """
    network, info = models.load_weights(parts.weights)
    try:
        statistics = load_file(parts.statistics)
        module = Deployable(network, info, parts.calibration, statistics)
    except (OSError, SafetensorError, KeyError) as error:
        raise LandmarksError(
            f"{parts.statistics} and the calibration beside it are missing or damaged ({error})",
            hint="Run `dvc checkout`.",
        ) from error
    return module.eval().requires_grad_(False)


def write_files(parts: Parts, folder: str | Path) -> None:
    """Write `landmarks.pt` and `landmarks.onnx` into `folder`.

    The same bytes each time, from a process that was started with `PYTHONHASHSEED=0` and compiled
    nothing before, as the stage does: in TorchScript the constants of a class are written in the
    order of a set of strings, and the numbers in the names of classes count what was compiled.

    Raises:
        LandmarksError: a part is damaged, or PyTorch cannot export this network; gives its reason.
    """
    module = build(parts)
    for name, export in ((TORCHSCRIPT, to_torchscript), (ONNX, to_onnx)):
        try:
            with _quiet_on_one_thread():
                content = export(module)
        except Exception as error:  # noqa: BLE001 - either exporter raises whatever it stumbles on
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise LandmarksError(
                f"cannot export {parts.weights}: PyTorch cannot make {name}: {reason}",
                hint=f"Choose another backbone; tested are: {', '.join(BACKBONES)}.",
            ) from error
        with files.replacing(Path(folder) / name) as temporary:
            temporary.write_bytes(content)


@contextmanager
def _quiet_on_one_thread() -> Iterator[None]:
    """Keep the exporters from logging their progress, and from sums that depend on the cores."""
    threads, disabled = torch.get_num_threads(), logging.root.manager.disable
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        torch.set_num_threads(threads)


def canonical_torchscript(archive: bytes) -> bytes:
    """Rewrite a TorchScript archive without what depends on the machine that saved it.

    Left out are debug records, which name the folders of the source files, and the id that PyTorch
    computes over them; it needs neither. The other records keep their order and content, stored
    and aligned as PyTorch does.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name.endswith((".debug_pkl", "/.data/serialization_id")):
                continue
            record = zipfile.ZipInfo(name, date_time=_EPOCH)
            record.create_system = 3  # or Windows would write another byte
            head = target.tell() + 30 + len(name.encode()) + 4
            padding = -head % _ALIGNMENT
            record.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
            new.writestr(record, old.read(name))
    return target.getvalue()


def to_torchscript(module: nn.Module) -> bytes:
    """Compile a module and return it as the bytes of a TorchScript file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # TorchScript is promised to users; that PyTorch deprecates it is why ONNX lies beside it.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), buffer)
    return canonical_torchscript(buffer.getvalue())


def to_onnx(module: nn.Module) -> bytes:
    """Export a module and return it as the bytes of an ONNX file, weights included.

    Input `pixels`: uint8 (batch, 3, height, width). Outputs: `probabilities` float32 (batch, C),
    `known_score` float32 (batch,) and `known` bool (batch,). Batch norms are folded first, so that
    the exporter has that much less to trace.
    """
    dynamic = torch.export.Dim.DYNAMIC
    # No two sizes alike, so that PyTorch does not take them for one and the same.
    example = torch.zeros(2, 3, 75, 110, dtype=torch.uint8)
    with warnings.catch_warnings(), _out_of_place(module):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            folded(module),
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},),
            verbose=False,
        )
    assert program is not None
    return _canonical_onnx(program.model_proto)


@contextmanager
def _out_of_place(module: nn.Module) -> Iterator[None]:
    """Have activations make new tensors meanwhile.

    One that changes its input is taken apart by the exporter and put together again: the same file
    in the end, after half as much time again.
    """
    changing: list[Any] = [part for part in module.modules() if getattr(part, "inplace", False)]
    for part in changing:
        part.inplace = False
    try:
        yield
    finally:
        for part in changing:
            part.inplace = True


def _canonical_onnx(model) -> bytes:  # type: ignore[no-untyped-def] # onnx publishes no types
    """Strip a model of stack traces, which name folders of this machine, and name its axes."""
    del model.metadata_props[:]
    model.doc_string = ""
    for graph in [model.graph, *model.functions]:
        del graph.metadata_props[:]
        graph.doc_string = ""
        del graph.value_info[:]  # runtimes infer the shapes within
        for node in graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""
    for value in [*model.graph.input, *model.graph.output]:
        axes = value.type.tensor_type.shape.dim
        for axis, name in zip(axes, ("batch", "", "height", "width"), strict=False):
            if axis.HasField("dim_param"):
                axis.dim_param = name
    return bytes(model.SerializeToString(deterministic=True))
