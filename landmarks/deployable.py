"""The deployable module, uint8 pixels in and calibrated probabilities out, and its two files."""

import io
import json
import logging
import os
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from landmarks import files, models
from landmarks.backbones import BACKBONES
from landmarks.card import ONNX, TORCHSCRIPT
from landmarks.errors import LandmarksError
from landmarks.inference import Normalized

INPUT, OUTPUT = "pixels", "probabilities"

OPSET = 18
"""The first ONNX operator set whose Resize knows antialiasing."""

_ALIGNMENT = 64  # as PyTorch aligns tensors in its archives, so that they can be memory-mapped
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Deployable(nn.Module):
    """Everything between a photo and an answer: resize, normalise, network, temperature, softmax.

    Args:
        network: float32 (N, 3, h, w), normalised, to logits (N, C).
        info: of the network.
        temperature: logits are divided by it (Guo et al. 2017, arXiv:1706.04599); above 0.
    """

    def __init__(self, network: nn.Module, info: models.ModelInfo, temperature: float) -> None:
        super().__init__()
        self.logits = Normalized(network, info.input_size, info.mean, info.std)
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Map uint8 (N, 3, H, W) RGB, any H and W, to float32 (N, C); each row sums to 1."""
        return torch.softmax(self.logits(pixels) / self.temperature, dim=1)


def build(weights: str | Path, temperature: float) -> Deployable:
    """Load a weights file as a deployable module, in evaluation mode, on the CPU."""
    network, info = models.load_weights(weights)
    return Deployable(network, info, temperature).eval().requires_grad_(False)


def write_files(weights: str | Path, temperature: float, folder: str | Path) -> None:
    """Write `landmarks.pt` and `landmarks.onnx` into `folder`, the same bytes each time.

    It runs in a Python process of its own with a fixed hash seed. Two things in TorchScript depend
    on the process that makes it: the numbers in the names of its classes count what was scripted
    before, and the constants of a class are written in the order of a set of strings.

    Raises:
        LandmarksError: PyTorch cannot export this network; gives PyTorch's reason.
    """
    job = {"weights": str(weights), "temperature": temperature, "folder": str(folder)}
    found = subprocess.run(
        [sys.executable, "-m", "landmarks.deployable", json.dumps(job)],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if found.returncode:
        said = found.stderr.strip().splitlines() or [f"exit status {found.returncode}"]
        raise LandmarksError(f"cannot export {weights}: {said[-1].removeprefix('error: ')}")


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
        # The mission asks for TorchScript; that PyTorch deprecates it is why ONNX lies beside it.
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), buffer)
    return canonical_torchscript(buffer.getvalue())


def to_onnx(module: nn.Module) -> bytes:
    """Export a module and return it as the bytes of an ONNX file, weights included.

    Input `pixels`: uint8 (batch, 3, height, width); output `probabilities`: float32 (batch, C).
    """
    dynamic = torch.export.Dim.DYNAMIC
    # No two sizes alike, so that PyTorch does not take them for one and the same.
    example = torch.zeros(2, 3, 75, 110, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},),
            verbose=False,
        )
    assert program is not None
    return _canonical_onnx(program.model_proto)


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


def main() -> None:
    """Write both files for the job in the first argument, as `write_files` asks."""
    job = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # the exporter logs its progress
    module = build(job["weights"], job["temperature"])
    for name, export in ((TORCHSCRIPT, to_torchscript), (ONNX, to_onnx)):
        try:
            content = export(module)
        except Exception as error:  # noqa: BLE001 - either exporter raises whatever it stumbles on
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise LandmarksError(
                f"PyTorch cannot make {name}: {reason}",
                hint=f"Choose another backbone; tested are: {', '.join(BACKBONES)}.",
            ) from error
        with files.replacing(Path(job["folder"]) / name) as temporary:
            temporary.write_bytes(content)


if __name__ == "__main__":
    from landmarks.errors import run

    run(main)
