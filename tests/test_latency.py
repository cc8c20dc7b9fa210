"""An architecture is timed without being trained, and all are timed in one way."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import latency, plain, speed
from landmarks import params
from landmarks.export import count_flops

ROOT = Path(__file__).resolve().parents[1]


def network() -> nn.Module:
    convolution = nn.Conv2d(3, 4, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


CONVOLUTION = 4 * 16 * 16 * 3 * 9
"""Multiply-adds of the network above on a photo of 16 pixels; its linear layer has 8."""


def test_a_multiply_add_counts_as_two_and_only_once_a_photo() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5))

    class Floats(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = flat(pixels.float())
            return answer

    assert count_flops(Floats(), 16) == 2 * 5 * 3 * 16 * 16
    plainly = latency.Architecture(network(), 16, 24)
    assert count_flops(plainly.module(), 24) == 2 * (CONVOLUTION + 8)
    mirrored = latency.Architecture(network(), 16, 24, mirror=True)
    assert count_flops(mirrored.module(), 24) == 4 * (CONVOLUTION + 8)


def test_all_are_measured_from_stored_pixels_to_logits() -> None:
    torch.manual_seed(1)
    plainly = latency.Architecture(network(), 16, 24)
    mirrored = latency.Architecture(network(), 16, 20, mirror=True)
    found = latency.measure({"plain": plainly, "mirrored": mirrored})
    assert found["plain"]["parameters"] == 4 * 3 * 9 + 4 * 2 + 2
    assert found["mirrored"]["gflops"] == pytest.approx(4 * (CONVOLUTION + 8) / 1e9, abs=1e-6)
    assert all(0 < one["milliseconds"] < 1000 and one["onnx_bytes"] > 500 for one in found.values())
    quickest = min(found, key=lambda name: found[name]["milliseconds"])
    lines = latency.table(found).splitlines()
    assert len(lines) == 3 and lines[1].startswith(quickest)
    photo = np.random.default_rng(1).integers(0, 256, (1, 24, 24, 3), np.uint8)
    module = plainly.module()
    [answered] = latency.forward(latency.to_onnx(module, 24))(photo)
    with torch.inference_mode():
        expected = module(torch.from_numpy(photo).permute(0, 3, 1, 2)).numpy()
    assert answered == pytest.approx(expected, abs=1e-4)


def test_processor_time_leaves_out_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "ROUNDS", 2)

    def waits(photo: np.ndarray) -> None:
        time.sleep(0.02)

    photos = np.zeros((2, 8, 8, 3), np.uint8)
    assert speed.milliseconds({"waits": waits}, photos)["waits"] >= 20
    assert speed.milliseconds({"waits": waits}, photos, time.thread_time)["waits"] < 10
    # ONNX Runtime with one thread computes in the thread that calls it, which alone is measured.
    wide = latency.Architecture(nn.Sequential(nn.Conv2d(3, 64, 7), nn.Flatten()), 128, 128)
    found = latency.measure({"wide": wide}, time.thread_time)
    assert found["wide"]["milliseconds"] > 0.2


def test_our_cnns_are_those_that_the_parameters_describe() -> None:
    settings = params.load(ROOT / "presets/landmarks50-cpu.yaml")
    scratch, transfer = (latency.ours(settings, cnn, 50) for cnn in ("scratch", "transfer"))
    assert (scratch.side, transfer.side, scratch.stored) == (160, 224, 256)
    assert scratch.mirror and transfer.mirror
    counts = [sum(p.numel() for p in one.network.parameters()) for one in (scratch, transfer)]
    assert counts == [5_110_466, 2_287_922]
    rivals = [latency.rival(name, 50) for name in ("course_scratch", "mobilenet_v2")]
    assert {(one.side, one.stored, one.mirror) for one in rivals} == {(224, 256, False)}
    assert isinstance(rivals[0].network, type(plain.course_cnn(50)))
