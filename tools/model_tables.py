"""Prints the tables of docs/choices.md: the scratch CNN by layers, and torchvision's backbones."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision import models as torchvision_models

from landmarks import backbones, files, models, params
from landmarks.errors import LandmarksError, run
from landmarks.export import count_flops
from landmarks.inference import Normalized

ROOT = Path(__file__).resolve().parents[1]
PRESET = "presets/landmarks50-cpu.yaml"
CLASSES = 50
MEASURED = "results/backbones/latency.json"
"""Written by `python -m benchmarks.latency --backbones --name backbones`."""

REFERENCE = "mobilenet_v2"
"""The backbone whose time the others are compared with."""


def layer_table(settings: params.Scratch, classes: int) -> str:
    """Return a Markdown table of the scratch CNN, a row for the stem, each block and the head.

    Sizes and operations (10^9, two for each multiply-add, as everywhere) are those of one pass over
    one photo as it is validated: `val_crop_size` pixels a side.
    """
    network = models.scratch_cnn(classes, width=settings.width)
    body, head = network[0], network[1:]
    assert isinstance(body, nn.Sequential)
    side, done = settings.val_crop_size, 0
    rows: list[tuple[str, str, str, int, int]] = []
    for place, (name, layer) in enumerate(zip(_layer_names(), body, strict=True), start=1):
        total = _flops(body[:place], side)
        _, channels, height, width = _shape(body[:place], side)
        rows.append((name, f"{height} × {width}", str(channels), _count(layer), total - done))
        done = total
    total = _flops(network, side)
    name = "average over the map, dropout, linear"
    rows.append((name, "1", str(classes), _count(head), total - done))
    rows.append(("all", "", "", _count(network), total))
    lines = ["| layer | output, pixels | channels | parameters | GFLOPs |", "|---|---|---|---|---|"]
    for name, size, outputs, count, flops in rows:
        lines.append(f"| {name} | {size} | {outputs} | {count:,} | {flops / 1e9:.3f} |")
    return "\n".join(lines) + "\n"


def _layer_names() -> list[str]:
    names = ["stem: 3 × 3 convolution, stride 2"]
    for stage, depth in enumerate(models.STAGE_DEPTHS, start=1):
        names.append(f"stage {stage}" + (", block 1" if depth > 1 else ""))
        names += [f"stage {stage}, block {block}" for block in range(2, depth + 1)]
    return names


def _normalized(network: nn.Module, side: int) -> Normalized:
    return Normalized(network, side, [0.5] * 3, [0.25] * 3).eval()


def _flops(network: nn.Module, side: int) -> int:
    return count_flops(_normalized(network, side), side)


def _shape(network: nn.Module, side: int) -> tuple[int, ...]:
    with torch.inference_mode():
        photo = torch.zeros(1, 3, side, side, dtype=torch.uint8)
        return tuple(_normalized(network, side)(photo).shape)


def _count(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


def backbone_table(measured: Mapping[str, Mapping[str, float]]) -> str:
    """Return a Markdown table of the backbones, best top-1 last.

    ImageNet top-1, the photos it was measured on and the download are torchvision's own words about
    its default weights; parameters, operations and time are `measured`, with our head.

    Args:
        measured: the backbone's name, then `parameters`, `gflops`, `input_size`, `milliseconds`.
    """
    weights = {
        name: torchvision_models.get_model_weights(name).DEFAULT for name in backbones.BACKBONES
    }
    names = sorted(measured.keys() & weights.keys(), key=lambda name: _top1(weights[name]))
    if REFERENCE not in names:
        raise LandmarksError(f"{REFERENCE} was not timed", hint=f"Measure again: {MEASURED}.")
    lines = [
        "| backbone | ImageNet top-1, % | at, pixels | download, MB | parameters, millions "
        f"| GFLOPs | time, `{REFERENCE}` = 1 |",
        "|---" * 7 + "|",
    ]
    for name in names:
        chosen, one = weights[name], measured[name]
        crop = chosen.transforms().crop_size[0]
        ratio = one["milliseconds"] / measured[REFERENCE]["milliseconds"]
        lines.append(
            f"| `{name}` | {_top1(chosen):.1f} | {crop} | {chosen.meta['_file_size']:.0f} "
            f"| {one['parameters'] / 1e6:.1f} | {one['gflops']:.2f} | {ratio:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _top1(weights: Any) -> float:
    return float(weights.meta["_metrics"]["ImageNet-1K"]["acc@1"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.model_tables", description=__doc__)
    parser.add_argument("--measured", type=Path, default=ROOT / MEASURED, help="a latency.json")
    measured = files.read_json(parser.parse_args().measured)["architectures"]
    print(layer_table(params.load(ROOT / PRESET).train.scratch, CLASSES))
    print(backbone_table(measured), end="")


if __name__ == "__main__":
    run(main)
