"""A disk that is full, folders without rights, and commands that are stopped in the middle."""

import contextlib
import os
import signal
from pathlib import Path

from loopback import CUT
from mistakes.archives import DOWNLOAD
from mistakes.photos import DECODE, SPLIT, archive, at
from mistakes.projects import LEVELS, Project, anything, good_members, photo
from mistakes.running import Setting
from mistakes.table import Case, Spoil
from mistakes.training import EXPORT, SCRATCH

_NEEDS = {DOWNLOAD: "new", DECODE: "downloaded", SPLIT: "decoded", SCRATCH: "split"}
_NEEDS |= {EXPORT: "trained"}
assert set(_NEEDS.values()) <= set(LEVELS)


def full(id: str, command: tuple[str, ...], size: int) -> Case:
    """Let no file grow beyond `size` bytes."""
    return Case(id, command, anything, _NEEDS[command], Setting(file_bytes=size), again=False)


def locked(id: str, command: tuple[str, ...], name: str) -> Case:
    """Take the right to write away from a folder, or that to read from a file."""

    def change(path: Path) -> None:
        path.mkdir(exist_ok=True) if not path.exists() else None
        path.chmod(0o555 if path.is_dir() else 0o000)

    bound, again = Setting(bound=True), command != SCRATCH
    return Case(id, command, at(name, change), _NEEDS[command], bound, again=again)


def stopped(id: str, command: tuple[str, ...], spoil: Spoil, pattern: str, least: int) -> Case:
    """Press Ctrl-C, or send SIGTERM, once a file has blocks on the disk for `least` bytes."""

    def ready(project: Project) -> bool:
        if not pattern:
            return drawing(project)
        found = [path for path in project.folder.glob(pattern) if path.exists()]
        return any(path.is_dir() or 512 * path.stat().st_blocks >= least for path in found)

    number = signal.SIGTERM if id.endswith("sigterm") else signal.SIGINT
    status = 128 + number
    setting = Setting(environment={"LANDMARKS_WORKERS": "2"})
    level, again = _NEEDS[command], command in (DOWNLOAD, DECODE) and spoil is not _sample
    again |= id == "train-sigint"
    return Case(
        id,
        command,
        spoil,
        level,
        setting,
        status=status,
        again=again,
        stop=number,
        ready=ready,
    )


def drawing(project: Project) -> bool:
    """Tell whether helper processes of a command have worked for longer than starting takes."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            worker = b"multiprocessing.spawn" in (process / "cmdline").read_bytes()
            if worker and (process / "cwd").resolve() == project.folder.resolve():
                spent = (process / "stat").read_text().rpartition(")")[2].split()
                if int(spent[11]) + int(spent[12]) > 1.5 * os.sysconf("SC_CLK_TCK"):
                    return True
    return False


_LARGE = good_members() | {f"photos/train/00.Arch/{n}.jpg": photo(0, n, 1500) for n in range(90)}


def _long(project: Project) -> None:
    project.params({"train.scratch.epochs": 8})


def _sample(project: Project) -> None:
    project.params({"download.source": "sample"})


_STOPS: tuple[tuple[str, tuple[str, ...], Spoil, str, int], ...] = (
    ("sample", DOWNLOAD, _sample, "", 0),
    ("download", DOWNLOAD, anything, ".state/download/*.part", CUT),
    (
        "decode",
        DECODE,
        archive(_LARGE),
        "data/.photos.*.part/pixels.npy",
        20_000,
    ),
    ("train", SCRATCH, _long, ".state/train-scratch-*.pt", 1),
    ("export", EXPORT, anything, "models/scratch/.export.*.part", 1),
)

DISK = (
    full("full-download", DOWNLOAD, 20_000),
    full("full-decode", DECODE, 100_000),
    full("full-split", SPLIT, 600),
    full("full-train", SCRATCH, 100_000),
    full("full-export", EXPORT, 100_000),
    locked("locked-project", DOWNLOAD, "."),
    locked("locked-archive", DOWNLOAD, "photos.zip"),
    locked("locked-data", DECODE, "data"),
    locked("locked-split", SPLIT, "data"),
    locked("locked-metrics", SCRATCH, "metrics"),
    locked("locked-state", SCRATCH, ".state"),
)

STOPS = tuple(
    stopped(f"{name}-{how}", command, spoil, pattern, least)
    for how in ("sigint", "sigterm")
    for name, command, spoil, pattern, least in _STOPS
)
