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
from landmarks.tagging.options import Options
from landmarks.tagging.run import tag
photos, model, out = map(Path, sys.argv[1:])
tag(Options(photos, model, csv=out / "rows.csv", json=out / "rows.json", state=out / "state"))
lines = Path("/proc/self/status").read_text().splitlines()
print(*[line.split()[1] for line in lines if line.startswith("VmHWM")])
"""
"""Ends by printing its peak memory in KiB. On Linux only: getrusage counts the parent's, too."""

FEW = 100
"""Photos that memory is compared with."""


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


def measure_speed(given: Path | None, count: int, model: Path, rounds: int) -> None:
    """Measure with the photos of a folder, each content once, or with `count` drawn ones."""
    with _folder() as folder:
        if given:
            found = [local(one.path) for one in walk(given, lambda path, reason: None)]
            photos = list({sha256(path): path for path in found}.values())
        else:
            photos = draw(folder, count, (4000, 3000))
        if not photos:
            raise LandmarksError(f"{given} holds no photos", hint="Name another folder.")
        with Image.open(photos[0]) as first:
            print(f"{len(photos)} photos, the first {first.width} x {first.height}\n")
        measure(photos, model, rounds)


def measure_memory(many: int, model: Path) -> None:
    """Print the peak memory of `landmarks tag` with `FEW` small photos and with many.

    Each run is a process of its own and writes CSV and JSON; all photos lie in one folder, and the
    model answers for every one.
    """
    if many <= FEW:
        raise LandmarksError(f"--many is {many}", hint=f"Give more than {FEW}, or 0 for none.")
    with _folder() as folder:
        photos = folder / "photos"
        photos.mkdir()
        drawn = draw(folder, 1, (320, 240))[0].read_bytes()
        there = 0
        for count in (FEW, many):
            for number in range(there, count):  # what follows a JPEG's end makes it another file
                (photos / f"{number:06}.jpg").write_bytes(drawn + number.to_bytes(4, "big"))
            there = count
            print(f"peak memory with {count:,} photos: {peak(photos, model, folder / str(count))}")


def peak(photos: Path, model: Path, out: Path) -> str:
    """Return the peak memory of `landmarks tag` over a folder; its rows are checked and counted.

    Raises:
        LandmarksError: some photo is no row of both tables.
    """
    out.mkdir()
    command = [sys.executable, "-c", _MEMORY, str(photos), str(model), str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    with (out / "rows.csv").open() as table, (out / "rows.json").open() as document:
        rows = {sum(1 for _ in table) - 1, sum(1 for _ in document) - 2}
    if rows != {sum(1 for _ in photos.iterdir())}:
        raise LandmarksError(f"{out} holds {rows} rows", hint="Run `landmarks tag` to see why.")
    return f"{int(done.stdout.split()[-1]) * 1024 / 1e6:.0f} MB"


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
    parser.add_argument("--only", choices=("speed", "memory"), help="leave the other out")
    args = parser.parse_args()
    machine = f"{environment.cores()} cores, load {os.getloadavg()[0]:.1f}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("pillow", "onnxruntime", "torch"))
    print(f"{machine}, Python {platform.python_version()}, {packages}")
    if args.only != "memory":
        measure_speed(args.photos, args.draw, args.model, args.rounds)
    if args.only != "speed" and args.many and Path("/proc/self/status").exists():
        measure_memory(args.many, args.model)


if __name__ == "__main__":
    run(main)
