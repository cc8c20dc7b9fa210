"""What DVC takes for one archive of photos, against the same photos as loose files it tracks."""

import argparse
import platform
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from landmarks.errors import LandmarksError, run
from tools import dvc_cli

NAME = "photos"
WAYS = ("one archive", "loose files")


def prepare(folder: Path, archive: Path, *, loose: bool) -> int:
    """Make a DVC repository in `folder` that tracks the photos; return how many files they are."""
    folder.mkdir()
    photos = folder / NAME
    with zipfile.ZipFile(archive) as packed:
        members = [one for one in packed.infolist() if not one.is_dir()]
        if loose:
            packed.extractall(photos, members)
    if not loose:
        photos.mkdir()
        shutil.copyfile(archive, photos / "photos.zip")
    for command in (["git", "init", "--quiet"], ["git", "config", "gc.auto", "0"]):
        subprocess.run(command, cwd=folder, check=True)
    _dvc(folder, "init", "--quiet")
    # As in this project: a damaged object must not get through.
    _dvc(folder, "remote", "add", "--quiet", "--default", "storage", str(folder) + "-storage")
    _dvc(folder, "remote", "modify", "--quiet", "storage", "verify", "true")
    return len(members) if loose else 1


def steps(folder: Path) -> dict[str, Callable[[], float]]:
    """Return what is timed, in this order; each call returns its seconds."""
    photos, cache = folder / NAME, folder / ".dvc/cache"

    def without(*paths: Path) -> None:
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)

    def emptied() -> float:
        without(photos, cache)
        return _timed(folder, "pull", "--quiet")

    def unlinked() -> float:
        without(photos)
        return _timed(folder, "checkout", "--quiet")

    return {
        "add": lambda: _timed(folder, "add", "--quiet", NAME),
        "push": lambda: _timed(folder, "push", "--quiet"),
        "push, nothing new": lambda: _timed(folder, "push", "--quiet"),
        "pull": emptied,
        "pull, nothing new": lambda: _timed(folder, "pull", "--quiet"),
        "checkout": unlinked,
        "status": lambda: _timed(folder, "status", "--quiet"),
        "status --cloud": lambda: _timed(folder, "status", "--quiet", "--cloud"),
    }


def measure(archive: Path) -> dict[str, dict[str, float]]:
    """Return the seconds of each step for both ways, measured one after the other, in turns."""
    taken: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="landmarks-storage-") as top:
        folders = {way: Path(top) / way.replace(" ", "-") for way in WAYS}
        for way, folder in folders.items():
            files = prepare(folder, archive, loose=way == WAYS[1])
            print(f"{way}: {files:,} files", flush=True)
        every = {way: steps(folder) for way, folder in folders.items()}
        for name in every[WAYS[0]]:
            taken[name] = {way: every[way][name]() for way in WAYS}
            print(f"  {name}: {taken[name]}", flush=True)
    return taken


def table(taken: dict[str, dict[str, float]]) -> str:
    """Return the seconds of both ways and how many times longer loose files take."""
    lines = [f"  {'seconds':20}" + "".join(f"{way:>14}" for way in WAYS) + f"{'ratio':>9}"]
    for name, found in taken.items():
        cells = "".join(f"{found[way]:14.2f}" for way in WAYS)
        lines.append(f"  {name:20}{cells}{found[WAYS[1]] / found[WAYS[0]]:9.1f}")
    return "\n".join(lines)


def _timed(folder: Path, *arguments: str) -> float:
    started = time.perf_counter()
    _dvc(folder, *arguments)
    return time.perf_counter() - started


def _dvc(folder: Path, *arguments: str) -> None:
    code, _, wrong = dvc_cli.output(*arguments, root=folder)
    if code:
        raise LandmarksError(f"dvc {' '.join(arguments)} failed in {folder}: {wrong[-500:]}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="a zip of photos")
    archive = parser.parse_args().archive
    if not zipfile.is_zipfile(archive):
        raise LandmarksError(f"{archive} is no zip of photos")
    taken = measure(archive.resolve())
    print(f"\n{archive.name}, {archive.stat().st_size / 1e6:,.0f} MB; storage: a folder here")
    print(table(taken))
    print(f"  DVC {version('dvc')}, Python {platform.python_version()}, {platform.system()}")


if __name__ == "__main__":
    run(main)
