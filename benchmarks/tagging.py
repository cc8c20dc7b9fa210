"""How fast a folder is looked at, against the plain way and a loop of single photos, in one run.

The plain way: Pillow decodes the whole photo, resizes it, and TorchScript answers one by one. The
limit: decoding at reduced size alone, with all cores.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from landmarks import environment
from landmarks.errors import LandmarksError, run
from landmarks.files import sha256
from landmarks.predictor import DEFAULT_FOLDER, Predictor
from landmarks.tagging.journal import Journal
from landmarks.tagging.reading import Reader
from landmarks.tagging.stores import local
from landmarks.tagging.walk import Found, walk

Names = list[str]
_MEMORY = """
import sys
from pathlib import Path
from landmarks.predictor import Predictor
from landmarks.tagging.journal import Journal
from landmarks.tagging.reading import Reader
from landmarks.tagging.walk import walk
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    print(*[line.split()[1] for line in lines if line.startswith("VmHWM")])
folder, model, state = map(Path, sys.argv[1:])
predictor = Predictor.load(model)
with Journal.open(state, "memory") as journal:
    reads = Reader(predictor, journal, 2).read(walk(folder, print))
    for number, _ in enumerate(reads, 1):
        if number == 100:
            peak()
peak()
"""
"""Prints its peak memory in KiB, twice. On Linux only: getrusage counts that of the parent, too."""


def plain(photos: list[Path], model: Path) -> Names:
    """Answer as a first script would."""
    import torch

    predictor = Predictor.load(model, "torchscript")
    side = predictor.card.input.size
    names = []
    for path in photos:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((side, side)))
        with torch.inference_mode():
            names.append(predictor.classify(pixels[np.newaxis])[0].best.class_name)
    return names


def one_by_one(photos: list[Path], model: Path) -> Names:
    """Answer with the predictor, a photo at a time."""
    predictor = Predictor.load(model)
    return [predictor.predict(path).best.class_name for path in photos]


def tagged(photos: list[Path], model: Path) -> Names:
    """Answer as `landmarks tag` does, journal and all."""
    predictor = Predictor.load(model)
    found = (Found(path, path.with_name(path.name + ".xmp")) for path in photos)
    with (
        tempfile.TemporaryDirectory() as state,
        Journal.open(Path(state), predictor.card.version) as journal,
    ):
        reads = Reader(predictor, journal, environment.cores()).read(found)
        return [read.prediction.best.class_name if read.prediction else "" for read in reads]


def decoded(photos: list[Path], model: Path) -> Names:
    """Decode at reduced size with all cores and answer nothing: the limit."""
    predictor = Predictor.load(model)
    with ThreadPoolExecutor(environment.cores()) as pool:
        list(pool.map(lambda path: predictor.prepare(path.read_bytes()), photos))
    return []


WAYS: dict[str, Callable[[list[Path], Path], Names]] = {
    "plain: full decode, TorchScript, one by one": plain,
    "one by one: reduced decode, ONNX Runtime": one_by_one,
    "landmarks tag": tagged,
    "limit: reduced decode alone": decoded,
}


def measure(photos: list[Path], model: Path, rounds: int) -> None:
    """Print a table: photos a second, median of the rounds, and ratios to the plain way."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    names: dict[str, Names] = {}
    for _ in range(rounds):
        for way, answer in WAYS.items():
            start = time.perf_counter()
            names[way] = answer(photos, model)
            seconds[way].append(time.perf_counter() - start)
    speeds = {way: len(photos) / float(np.median(times)) for way, times in seconds.items()}
    first = next(iter(speeds.values()))
    print("| | photos/s | times the plain way |\n|---|---|---|")
    for way, speed in speeds.items():
        print(f"| {way} | {speed:.1f} | {speed / first:.2f} |")
    theirs, ours = names["plain: full decode, TorchScript, one by one"], names["landmarks tag"]
    same = sum(a == b for a, b in zip(theirs, ours, strict=True))
    share = speeds["landmarks tag"] / speeds["limit: reduced decode alone"]
    print(f"\n{share:.0%} of the limit; the same name as the plain way for {same} of {len(photos)}")


def measure_memory(many: int, model: Path) -> None:
    """Print the peak memory after 100 small photos and after many, in one process."""
    with _folder() as folder:
        photos = folder / "photos"
        photos.mkdir()
        one = draw(photos, 1, (320, 240))[0].read_bytes()
        for number in range(many):
            (photos / f"{number:06}.jpg").write_bytes(one + number.to_bytes(4, "big"))
        command = [sys.executable, "-c", _MEMORY, str(photos), str(model), str(folder / "state")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    few, all_of_them = (int(line) * 1024 / 1e6 for line in done.stdout.split())
    print(f"\npeak memory: {few:.0f} MB after 100 photos, {all_of_them:.0f} MB after {many + 1:,}")


def draw(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Draw photos of the sample at a camera's size, with grain as a camera has it."""
    from landmarks.data.sample import LANDMARKS, draw_photo

    paths = []
    for number in range(count):
        pixels = draw_photo(number % len(LANDMARKS), number, seed=7, scale=4)
        large = np.asarray(Image.fromarray(pixels).resize(size), dtype=np.int16)
        grain = np.random.default_rng(number).integers(-6, 7, large.shape, dtype=np.int16)
        path = folder / f"drawn{number:03}.jpg"
        Image.fromarray((large + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="landmarks-tagging-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tagging", description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder; else 12-megapixel photos are drawn")
    parser.add_argument("--draw", type=int, default=24, metavar="N", help="how many are drawn")
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_FOLDER))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=5000, help="photos to measure memory with")
    args = parser.parse_args()
    machine = f"{environment.cores()} cores, load {os.getloadavg()[0]:.1f}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("pillow", "onnxruntime", "torch"))
    print(f"{machine}, Python {platform.python_version()}, {packages}")
    with _folder() as folder:
        if args.photos:
            found = [local(one.path) for one in walk(args.photos, lambda path, reason: None)]
            photos = list({sha256(path): path for path in found}.values())
        else:
            photos = draw(folder, args.draw, (4000, 3000))
        if not photos:
            raise LandmarksError(f"{args.photos} holds no photos", hint="Name another folder.")
        with Image.open(photos[0]) as first:
            print(f"{len(photos)} photos, the first {first.width} x {first.height}\n")
        measure(photos, args.model, args.rounds)
    if args.many and Path("/proc/self/status").exists():
        measure_memory(args.many, args.model)


if __name__ == "__main__":
    run(main)
