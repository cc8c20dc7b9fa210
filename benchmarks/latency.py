"""What a photo costs in each architecture that was compared: none needs to be trained for that."""

import argparse
import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from benchmarks import plain
from benchmarks.speed import ROUNDS, Forward, machine, milliseconds
from landmarks import backbones, files, models, params
from landmarks.data.roles import class_names, read_split
from landmarks.deployable import OPSET
from landmarks.errors import LandmarksError, run
from landmarks.export import count_flops
from landmarks.inference import Normalized
from tools.collect_results import CNNS, ROOT, preset_name

WAY = "ONNX Runtime, 1 thread, float32, one photo at a time"
"""The same for all: from the stored pixels to logits, resize and normalisation included."""

PROCESSOR_TIME = "processor time, others use the machine"
"""Added to the way where a busy machine is measured: waiting for a core does not count."""

PHOTOS = 20
"""Pictures of noise: what is on a photo does not change how long it takes."""


@dataclass(frozen=True)
class Architecture:
    """A network and what it is fed.

    Attributes:
        network: float32 (1, 3, side, side) to logits.
        side: pixels, that photos are resized to.
        stored: pixels, side of the photos as they are stored.
        mirror: whether it answers with the mean of a photo and its mirror image.
    """

    network: nn.Module
    side: int
    stored: int
    mirror: bool = False

    def module(self) -> Normalized:
        """Return it behind its preprocessing: uint8 (1, 3, stored, stored) to logits."""
        network, scale = self.network.eval(), ([0.5] * 3, [0.25] * 3)
        return Normalized(network, self.side, *scale, mirror=self.mirror).eval()


def ours(settings: params.Params, cnn: str, classes: int) -> Architecture:
    """Return one of our two CNNs as the parameters describe it, with random weights."""
    recipe: params.Scratch | params.Transfer = getattr(settings.train, cnn)
    options: dict[str, int | float] = {"dropout": 0.0}
    if isinstance(recipe, params.Scratch):
        architecture = "scratch_cnn"
        options |= {"width": recipe.width, "stochastic_depth": 0.0}
    else:
        architecture = recipe.backbone
    info = models.ModelInfo(
        cnn=cnn,
        architecture=architecture,
        options=options,
        classes=[str(label) for label in range(classes)],
        input_size=recipe.val_crop_size,
        mean=[0.5] * 3,
        std=[0.25] * 3,
        parameters=0,
        licence="",
    )
    side, stored = recipe.val_crop_size, settings.decode.photo_size
    return Architecture(models.build(info), side, stored, settings.calibrate.mirror)


def rival(name: str, classes: int) -> Architecture:
    """Return the course's CNN, or a backbone with a linear head, as `benchmarks.rivals` has it."""
    network: nn.Module
    if name == "course_scratch":
        network = plain.course_cnn(classes)
    else:
        network = backbones.backbone_cnn(name, classes, input_size=plain.CROP)
    return Architecture(network, plain.CROP, plain.SIZE)


def to_onnx(module: nn.Module, stored: int) -> bytes:
    """Export a module for one photo at a time, uint8 (1, 3, stored, stored)."""
    logging.disable(logging.WARNING)  # the exporter logs its progress
    example = torch.zeros(1, 3, stored, stored, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=["pixels"],
            verbose=False,
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def forward(content: bytes) -> Forward:
    """Return a call for one photo, uint8 (1, S, S, 3), in ONNX Runtime with one thread."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def call(photo: np.ndarray) -> Any:
        pixels = np.ascontiguousarray(photo.transpose(0, 3, 1, 2))
        return session.run(None, {"pixels": pixels})

    return call


def measure(
    architectures: dict[str, Architecture], clock: Callable[[], float] = time.perf_counter
) -> dict[str, dict[str, float]]:
    """Return parameters (count), operations (10^9), bytes and milliseconds of each."""
    found: dict[str, dict[str, float]] = {}
    calls: dict[int, dict[str, Forward]] = {}
    for name, one in tqdm(architectures.items(), desc="exporting", unit="network", leave=False):
        module = one.module()
        content = to_onnx(module, one.stored)
        found[name] = {
            "input_size": one.side,
            "parameters": sum(p.numel() for p in one.network.parameters()),
            "gflops": round(count_flops(module, one.stored) / 1e9, 6),
            "onnx_bytes": len(content),
        }
        calls.setdefault(one.stored, {})[name] = forward(content)
    for stored, ways in calls.items():
        noise = np.random.default_rng(1).integers(0, 256, (PHOTOS, stored, stored, 3), np.uint8)
        for name, taken in milliseconds(ways, noise, clock).items():
            found[name]["milliseconds"] = taken
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    """Return the figures as lines to read, the quickest first."""
    lines = [f"{'':22}{'pixels':>8}{'million weights':>17}{'MB':>8}{'GFLOPs':>9}{'ms':>8}"]
    for name, one in sorted(found.items(), key=lambda item: item[1]["milliseconds"]):
        lines.append(
            f"{name:22}{one['input_size']:8}{one['parameters'] / 1e6:17.2f}"
            f"{one['onnx_bytes'] / 1e6:8.1f}{one['gflops']:9.2f}{one['milliseconds']:8.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument(
        "--project", type=Path, default=ROOT, help="a clone; its params.yaml describes our CNNs"
    )
    parser.add_argument(
        "--backbones", nargs="*", help="of torchvision, beside the one in params.yaml; all if none"
    )
    parser.add_argument(
        "--processor-time", action="store_true", help="for a busy machine: leave out waiting"
    )
    parser.add_argument("--name", help="folder in results/; the preset's name by default")
    given = parser.parse_args()
    settings = params.load(given.project / "params.yaml")
    classes = len(class_names(read_split(given.project / "data/split.csv")))
    named = [settings.train.transfer.backbone]
    if given.backbones is not None:
        named += given.backbones or backbones.BACKBONES
    if unknown := sorted(set(named) - set(backbones.BACKBONES)):
        raise LandmarksError(
            f"there is no backbone {unknown[0]!r}",
            hint=f"Choose from {', '.join(backbones.BACKBONES)}.",
        )
    architectures = {cnn: ours(settings, cnn, classes) for cnn in CNNS}
    architectures |= {name: rival(name, classes) for name in ["course_scratch", *named]}
    busy = given.processor_time
    found = measure(architectures, time.thread_time if busy else time.perf_counter)
    way = f"{WAY}; {PROCESSOR_TIME}" if busy else WAY
    target = ROOT / "results" / (given.name or preset_name(given.project)) / "latency.json"
    facts = {"way": way, "rounds": ROUNDS, "classes": classes, "machine": machine()}
    files.write_json(target, facts | {"architectures": found})
    print(table(found))
    print(f"{way}; GFLOPs: two for each multiply-add -> {target.relative_to(ROOT)}")


if __name__ == "__main__":
    run(main)
