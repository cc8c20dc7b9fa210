"""Photos a second of `landmarks tag`, this machine alone against a Ray cluster of this machine.

Both are the command as users type it, in one run, over the same photos. The seconds that a
command takes for a single photo (its start) are measured, too, and not counted into the rate. Last,
what the driver of a cluster does for every photo, which no further machine makes faster.
"""

import argparse
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tagging import draw
from landmarks import environment
from landmarks.errors import LandmarksError, run
from landmarks.predictor import DEFAULT_FOLDER, Predictor
from landmarks.tagging import parts, tables
from landmarks.tagging.parquet import COLUMNS
from landmarks.tagging.parts import Parts, shards
from landmarks.tagging.reading import BATCH
from landmarks.tagging.walk import walk

BILLION = 1_000_000_000
DRAWN = 12
REPEATS = 5
SIZES = {"12 megapixels": (4000, 3000), "1 megapixel": (1152, 864)}


def many(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Make a folder of photos that are all different files, a dozen pictures among them."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as place:
        drawn = [path.read_bytes() for path in draw(Path(place), min(DRAWN, count), size)]
    for number in range(count):
        content = drawn[number % len(drawn)] + number.to_bytes(4, "big")
        (folder / f"{number:06}.jpg").write_bytes(content)
    return folder


def seconds(photos: Path, model: Path, *options: str) -> float:
    """Return how long the command takes, with nothing known from before.

    Raises:
        LandmarksError: it failed.
    """
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "landmarks.cli", "tag", str(photos), "--state", place]
        command += ["--model", str(model), "--csv", f"{place}/rows.csv", *options]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        taken = time.perf_counter() - start
        if done.returncode:
            raise LandmarksError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return taken


def measure(photos: Path, model: Path, rounds: int, price: float) -> None:
    """Print a table: seconds to start, photos a second and core, what a billion would cost.

    Rates are `nan` where all photos took no longer than one: they are too few to tell.

    Args:
        photos: folder of photos.
        model: folder of the model.
        rounds: the median of so many is taken.
        price: of an hour of one core, $.
    """
    total = len(list(photos.iterdir()))
    engines = {"local": (), "ray": ("--engine", "ray")}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    with tempfile.TemporaryDirectory() as place:
        one = Path(place) / "one"
        one.mkdir()
        (one / "one.jpg").write_bytes(next(photos.iterdir()).read_bytes())
        for _ in range(rounds):
            for name, options in engines.items():
                pair = seconds(one, model, *options), seconds(photos, model, *options)
                taken[name].append(pair)
    print("| engine | start, s | all, s | photos/s | a core | times local | a billion |")
    print("|---|---|---|---|---|---|---|")
    first = None
    for name, pairs in taken.items():
        start, whole = np.median(np.array(pairs), axis=0)
        rate = (total - 1) / (whole - start) if whole > start else math.nan
        first = first or rate
        a_core = rate / environment.cores()
        hours = BILLION / a_core / 3600
        numbers = f"{start:.1f} | {whole:.1f} | {rate:.1f} | {a_core:.1f} | {rate / first:.2f}"
        print(f"| {name} | {numbers} | {hours:,.0f} core-hours, ${hours * price:,.0f} |")


def measure_parts(photos: Path, model: Path, price: float) -> None:
    """Print where the processor time of a photo goes: other work on the machine hardly counts."""
    predictor = Predictor.load(model, threads=1)
    files = [path.read_bytes() for path in sorted(photos.iterdir())[:DRAWN]]
    start = time.process_time()
    pixels = [predictor.prepare(content) for content in files]
    decoding = (time.process_time() - start) / len(files)
    batch = np.stack((pixels * BATCH)[:BATCH])
    start = time.process_time()
    for _ in range(REPEATS):
        predictor.classify(batch)
    answering = (time.process_time() - start) / REPEATS / BATCH
    hours = BILLION * (decoding + answering) / 3600
    print(f"\nprocessor time of a photo: {decoding * 1e3:.1f} ms to decode, ", end="")
    print(
        f"{answering * 1e3:.1f} ms for the model; {1 / (decoding + answering):.1f} photos/s a core"
    )
    print(f"a billion of that: {hours:,.0f} core-hours, ${hours * price:,.0f}")


def measure_driver(photos: int) -> None:
    """Print what the driver does for each photo: find it, and put its row into a table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "photos"
        folder.mkdir()
        for number in range(photos):
            (folder / f"{number:06}.jpg").touch()

        def cut() -> Any:
            return list(shards(walk(folder, lambda path, reason: None), folder, ""))

        every, found = _timed(cut)
        guesses = [{"class": "00.Name of it", "confidence": 0.5}] * 5
        row = dict.fromkeys(COLUMNS) | {"guesses": guesses, "time": "2026-01-02T03:04:05+00:00"}
        row |= {"decision": "unknown", "reason": "shows none of the known landmarks"}
        there = Parts(Path(place) / "parts")

        def write() -> None:
            for shard in every:
                there.write(shard, [row | {"path": "2026/000000.jpg"} for _ in shard.photos])

        def merge() -> None:
            table = Path(place) / "rows.csv"
            with tables.tables(table, None, None, tables.Context(folder, "")) as opened:
                for shard in every:
                    for read in there.rows(shard, folder):
                        opened[0].put(read)

        _, wrote = _timed(write)
        _, merged = _timed(merge)
    print(f"\nphotos a second, one process, {photos:,} of them in shards of {parts.SIZE}:")
    print(f"found on a local disk and cut into shards: {photos / found:,.0f}")
    print(f"rows of shards written (the workers do that): {photos / wrote:,.0f}")
    print(f"rows of shards put into one CSV table: {photos / merged:,.0f}")


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--draw", type=int, default=600, metavar="N", help="photos of each size")
    parser.add_argument("--sizes", nargs="*", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_FOLDER))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000, help="photos for the driver's part")
    parser.add_argument("--price", type=float, default=0.045, help="of an hour of a core, $")
    args = parser.parse_args()
    machine = f"{environment.cores()} cores, load {os.getloadavg()[0]:.1f}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("ray", "pillow", "onnxruntime"))
    print(f"{machine}, Python {platform.python_version()}, {packages}")
    for size in args.sizes:
        with tempfile.TemporaryDirectory(prefix="landmarks-scale-") as place:
            photos = many(Path(place) / "photos", args.draw, SIZES[size])
            megabytes = sum(path.stat().st_size for path in photos.iterdir()) / args.draw / 1e6
            print(
                f"\n{args.draw} photos of {size}, {megabytes:.1f} MB each, {args.rounds} rounds\n"
            )
            measure(photos, args.model.absolute(), args.rounds, args.price)
            measure_parts(photos, args.model, args.price)
    measure_driver(args.rows)


if __name__ == "__main__":
    run(main)
