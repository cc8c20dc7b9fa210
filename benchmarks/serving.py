"""How much the service answers, against the one that a tutorial builds, in one run.

Clients in a second process ask one photo after the other. The rival has as many threads as does it
best: PyTorch's own number, or one, as its documentation recommends where requests run in parallel.
"""

import argparse
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from PIL import Image

from benchmarks.tagging import draw
from landmarks import environment
from landmarks.errors import LandmarksError, run
from landmarks.predictor import DEFAULT_FOLDER

_PATIENCE = 120
_WARM_UP = 3.0
"""Seconds of asking before anything is measured: TorchScript rewrites itself in its first calls."""


@dataclass
class Server:
    """A service under test.

    Attributes:
        ready: seconds from its start until it said that it is ready.
    """

    name: str
    url: str
    process: "subprocess.Popen[bytes]"
    ready: float

    def work(self) -> float:
        """Return the seconds of processor time that it has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Return its resident bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


@contextmanager
def serving(name: str, command: list[str], port: int, **settings: str) -> Iterator[Server]:
    """Run a service and wait until it is ready."""
    url, started = f"http://127.0.0.1:{port}", time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
        try:
            while not _ready(url):
                if process.poll() is not None or time.perf_counter() - started > _PATIENCE:
                    log.seek(0)
                    said = log.read().decode(errors="replace")[-500:]
                    raise LandmarksError(f"{name} did not start: {said}")
                time.sleep(0.01)
            yield Server(name, url, process, time.perf_counter() - started)
        finally:
            process.kill()
            process.wait()


def ours(model: Path) -> Any:
    """Run `landmarks serve`."""
    port = _free_port()
    command = [sys.executable, "-m", "landmarks.cli", "serve"]
    command += ["--model", str(model), "--port", str(port)]
    return serving("landmarks serve", command, port, LANDMARKS_SERVE_LOG_LEVEL="warning")


def rival(model: Path, threads: int) -> Any:
    """Run the tutorial's service."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.serving_rival", str(model), str(port)]
    return serving(f"rival, {threads} torch threads", [*command, str(threads)], port)


def load(server: Server, photos: Path, clients: int, seconds: float) -> dict[str, Any]:
    """Ask from a process of its own; returns what it saw, and what it cost the server."""
    command = [sys.executable, "-m", "benchmarks.serving_load", server.url, str(photos)]
    peak, ended, before = [server.memory()], threading.Event(), server.work()

    def watch() -> None:
        while not ended.wait(0.1):
            peak.append(server.memory())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        command += [str(clients), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        ended.set()
        watching.join()
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {
        "memory_mb": max(peak) / 1e6,
        "memory_after_mb": server.memory() / 1e6,
        "work_ms": (server.work() - before) * 1000 / max(found["answered"], 1),
    }


def best_rival(model: Path, photos: Path, seconds: float) -> int:
    """Return the number of torch threads with which the rival answers most."""
    speeds = {}
    for threads in sorted({1, environment.cores()}):
        with rival(model, threads) as server:
            load(server, photos, 2, _WARM_UP)
            speeds[threads] = load(server, photos, 8, seconds)["photos_a_second"]
    said = ", ".join(f"{threads}: {speed:.1f}" for threads, speed in speeds.items())
    print(f"rival by torch threads, photos a second with 8 clients: {said}\n")
    return max(speeds, key=lambda threads: speeds[threads])


def row(name: str, clients: int, found: dict[str, Any], base: float) -> str:
    """Return a row of the table."""
    failed = {k: n for k, n in found["statuses"].items() if k != "200"}
    other = ", ".join(f"{n} x {k}" for k, n in failed.items()) or "none"
    speed = found["photos_a_second"]
    return (
        f"| {name} | {clients} | {speed:.1f} | {speed / base if base else float('nan'):.2f} "
        f"| {found['p50_ms']:.0f} | {found['p99_ms']:.0f} | {found['work_ms']:.1f} "
        f"| {found['memory_mb']:.0f} | {other} |"
    )


def compare(model: Path, photos: Path, clients: list[int], seconds: float) -> None:
    """Print the table: both services in turn, for each number of clients."""
    threads = best_rival(model, photos, max(4.0, seconds / 2))
    print(
        "| | clients | photos/s | times the rival | p50 ms | p99 ms | CPU ms a photo | peak MB "
        "| not 200 |\n|---|---|---|---|---|---|---|---|---|"
    )
    with rival(model, threads) as theirs, ours(model) as mine:
        for server in (theirs, mine):
            load(server, photos, 2, _WARM_UP)
        names: dict[str, dict[str, str]] = {}
        for count in clients:
            base = 0.0
            for server in (theirs, mine):
                found = load(server, photos, count, seconds)
                base = base or found["photos_a_second"]
                print(row(server.name, count, found, base), flush=True)
                names.setdefault(server.name, {}).update(found["names"])
        first, second = names.values()
        both = first.keys() & second.keys()
        same = sum(first[name] == second[name] for name in both)
        print(f"\nready after: {mine.ready:.2f} s, the rival {theirs.ready:.2f} s")
        print(f"the same name for {same} of {len(both)} photos")


def watch_memory(model: Path, photos: Path, seconds: float) -> None:
    """Print the memory of the service after each tenth of a long load."""
    with ours(model) as server:
        after = [load(server, photos, 64, seconds / 10)["memory_after_mb"] for _ in range(10)]
    shown = " ".join(f"{one:.0f}" for one in after)
    print(f"\nMB after each tenth of {seconds:.0f} s with 64 clients: {shown}")


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder; else 12-megapixel photos are drawn")
    parser.add_argument("--draw", type=int, default=12, metavar="N", help="how many are drawn")
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_FOLDER))
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=20, help="for each cell of the table")
    parser.add_argument("--memory-seconds", type=float, default=0, help="of one long load, at last")
    args = parser.parse_args()
    os.environ["NO_PROXY"] = re.sub("^,", "", f"{os.environ.get('NO_PROXY', '')},127.0.0.1")
    packages = ", ".join(f"{name} {version(name)}" for name in ("pillow", "onnxruntime", "torch"))
    print(f"{environment.cores()} cores, load {os.getloadavg()[0]:.1f}, ", end="")
    print(f"Python {platform.python_version()}, {packages}")
    with tempfile.TemporaryDirectory(prefix="landmarks-serving-") as folder:
        photos = args.photos or Path(folder)
        if not args.photos:
            draw(photos, args.draw, (4000, 3000))
        found = sorted(photos.iterdir())
        if not found:
            raise LandmarksError(f"{photos} holds no photos", hint="Name another folder.")
        with Image.open(found[0]) as first:
            size = sum(path.stat().st_size for path in found) / len(found) / 1e6
            print(f"{len(found)} photos of {first.width} x {first.height}, {size:.2f} MB\n")
        compare(args.model, photos, args.clients, args.seconds)
        if args.memory_seconds:
            watch_memory(args.model, photos, args.memory_seconds)
    print(f"load at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    run(main)
