"""How fast both CNNs answer and learn, against plain eager PyTorch."""

import argparse
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from landmarks import card, deployable, environment, files
from landmarks.data.store import PhotoStore
from landmarks.errors import LandmarksError, run
from landmarks.predictor import RUNTIMES, Predictor
from tools.collect_results import CNNS, ROOT, preset_name

RIVAL = "eager PyTorch, 1 thread"
WARM_UP, ROUNDS = 5, 5
STARTS = 3
TRAINING_STEPS = 8
_PACKAGES = ("torch", "torchvision", "onnxruntime", "numpy")

_FIRST_ANSWER = """
import sys, numpy as np
from landmarks.predictor import Predictor
predictor = Predictor.load(sys.argv[1], sys.argv[2])
side = predictor.card.input.size
predictor.classify(np.zeros((1, side, side, 3), np.uint8))
try:
    with open("/proc/self/status") as status:
        print(*[line.split()[1] for line in status if line.startswith("VmHWM")])
except FileNotFoundError:
    print(0)  # not known there
"""
"""Ends by printing its peak memory in KiB; on Linux only, as getrusage counts the parent's."""

Forward = Callable[[NDArray[np.uint8]], Any]


def contenders(cnn: str) -> dict[str, Forward]:
    """Return what is timed: each takes one photo, uint8 (1, S, S, 3)."""
    folder = ROOT / "models" / cnn
    eager = deployable.build(deployable.Parts.of(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(folder / card.TORCHSCRIPT)
        plain = torch.jit.load(path, map_location="cpu").eval()
        # Optimised after loading: PyTorch cannot read such a module back from a file.
        optimized = torch.jit.optimize_for_inference(
            torch.jit.load(path, map_location="cpu").eval()
        )
    cores = environment.cores()
    one, every = (Predictor.load(folder, "onnx", threads=threads) for threads in (1, cores))
    return {
        RIVAL: _by_torch(eager),
        "TorchScript, 1 thread": _by_torch(plain),
        "TorchScript optimized, 1 thread": _by_torch(optimized),
        "ONNX Runtime, 1 thread": one.probabilities,
        f"ONNX Runtime, {cores} threads": every.probabilities,
    }


def _by_torch(module: torch.nn.Module) -> Forward:
    def forward(photo: NDArray[np.uint8]) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(photo).permute(0, 3, 1, 2))

    return forward


def milliseconds(
    ways: dict[str, Forward],
    photos: NDArray[np.uint8],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the median over photos of the best of `ROUNDS` times, one photo at a time.

    The ways take turns, and the best time is the one that nothing else on the machine disturbed.

    Args:
        ways: name -> call for one photo.
        photos: uint8 (N, S, S, 3).
        clock: seconds; `time.thread_time` for ways that compute in the thread that calls them.
    """
    torch.set_num_threads(1)
    times = {name: np.full((ROUNDS, len(photos)), np.inf) for name in ways}
    for turn in range(ROUNDS):
        for name, forward in ways.items():
            for photo in photos[:WARM_UP]:
                forward(photo[np.newaxis])
            for index, photo in enumerate(photos):
                started = clock()
                forward(photo[np.newaxis])
                times[name][turn, index] = clock() - started
    return {name: round(1e3 * float(np.median(taken.min(0))), 2) for name, taken in times.items()}


def first_answer(folder: Path, runtime: str) -> dict[str, float]:
    """Return seconds from the start of a process to its first answer, and the memory it took."""
    command = [sys.executable, "-c", _FIRST_ANSWER, str(folder), runtime]
    seconds, memory = [], 0
    for _ in range(STARTS):
        started = time.perf_counter()
        said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        seconds.append(time.perf_counter() - started)
        memory = max(memory, int(said))
    return {"seconds": round(min(seconds), 2), "memory_mb": memory // 1024}


def training_rate(cnn: str) -> float:
    """Return photos a second in mid-training, reading and augmentation included."""
    from landmarks import models, params
    from landmarks.training import Trainer, make_fabric
    from stages.train import read_data, teacher_of

    settings = getattr(params.load().train, cnn)
    data = read_data()
    photos = min(len(data.train_ids), TRAINING_STEPS * settings.batch_size)
    data = replace(data, train_ids=data.train_ids[:photos], train_labels=data.train_labels[:photos])
    fabric = make_fabric(settings)
    network, info, new = models.create(settings, data.classes, data.mean, data.std)
    teacher = teacher_of(settings, info)
    trainer = Trainer(fabric, network, settings, data, new=new, teacher=teacher)
    seconds = 0.0
    for _ in range(2):  # the first one warms up
        started = time.perf_counter()
        # The last epoch: the first ones of a frozen backbone would flatter the rate.
        trainer.train_epoch(settings.epochs - 1)
        seconds = time.perf_counter() - started
    return round(len(trainer.batches) * trainer.batches.batch_size / seconds, 1)


def machine() -> dict[str, Any]:
    """Return what the times depend on."""
    return {
        "processor": _processor(),
        "cores": environment.cores(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def measure(cnn: str, photos: NDArray[np.uint8]) -> dict[str, Any]:
    """Return all figures of one exported CNN."""
    times = milliseconds(contenders(cnn), photos)
    folder = ROOT / "models" / cnn
    return {
        "milliseconds_a_photo": times,
        "times_the_speed_of_the_rival": {
            name: round(times[RIVAL] / taken, 2) for name, taken in times.items()
        },
        "first_answer": {runtime: first_answer(folder, runtime) for runtime in RUNTIMES},
        "training_photos_a_second": training_rate(cnn),
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures of one CNN as lines to read; a ratio above 1 is faster than the rival."""
    lines = [f"{'':36}{'ms a photo':>12}{'ratio':>8}"]
    ratios = figures["times_the_speed_of_the_rival"]
    for name, taken in figures["milliseconds_a_photo"].items():
        lines.append(f"  {name:34}{taken:12.2f}{ratios[name]:8.2f}")
    for runtime, start in figures["first_answer"].items():
        what = f"first answer, {runtime}"
        lines.append(f"  {what:34}{start['seconds']:10.2f} s{start['memory_mb']:6} MB")
    lines.append(f"  {'training':34}{figures['training_photos_a_second']:10.1f} photos/s")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make speed", description=__doc__)
    parser.add_argument("--name", help="folder in results/; the preset's name by default")
    parser.add_argument("--photos", type=int, default=40, help="photos timed in each round")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    stored = PhotoStore.open("data/photos")
    rows = stored.table.index[stored.table["verdict"] == "ok"][: arguments.photos]
    photos = stored.pixels[rows.to_numpy()]
    if len(photos) < WARM_UP:
        raise LandmarksError(f"{len(photos)} photos are too few to time", hint="Give more photos.")
    results: dict[str, Any] = {
        "machine": machine(),
        "photos": len(photos),
        "rounds": ROUNDS,
        "rival": RIVAL,
    }
    for cnn in tqdm(CNNS, desc="measuring", unit="CNN"):
        results[cnn] = measure(cnn, photos)
    target = Path("results") / (arguments.name or preset_name()) / "speed.json"
    files.write_json(target, results)
    for cnn in CNNS:
        print(f"\n{cnn} (ratio: against {RIVAL}; {len(photos)} photos, best of {ROUNDS})")
        print(table(results[cnn]))
    print(f"\n{results['machine']['processor']}, {results['machine']['cores']} cores -> {target}")


if __name__ == "__main__":
    run(main)
