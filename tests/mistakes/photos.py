"""Photos that cannot be read, and tables that somebody edited: decode, split, stats."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mistakes.archives import cut
from mistakes.projects import Project, good_members, pack, photo
from mistakes.table import Case, Spoil

DECODE, SPLIT, STATS = ("stages.decode",), ("stages.split",), ("stages.stats",)
TRAIN = ("stages.train", "scratch")
ARCHIVE, PIXELS = "data/landmark_images.zip", "data/photos/pixels.npy"
TABLE, ROLES = "data/photos/photos.csv", "data/split.csv"


def at(name: str, change: Callable[[Path], object]) -> Spoil:
    """Change one file of the project."""

    def spoil(project: Project) -> None:
        change(project.folder / name)

    return spoil


def archive(members: dict[str, bytes]) -> Spoil:
    """Put another archive where `download` left its own."""
    return at(ARCHIVE, lambda path: pack(path, members))


def table(name: str, old: str, new: str) -> Spoil:
    """Edit a table."""
    return lambda project: project.replace(name, old, new)


def _no_photo(path: Path) -> None:
    pack(path, dict.fromkeys(good_members(), b"<html>404</html>"))


def decoded(members: dict[str, bytes]) -> Spoil:
    """Decode another archive; that works."""

    def spoil(project: Project) -> None:
        archive(members)(project)
        assert project.run(DECODE).status == 0

    return spoil


def cases(id: str, spoil: Spoil, command: tuple[str, ...] = DECODE) -> Case:
    level = {"decode": "downloaded", "split": "decoded", "stats": "split", "train": "split"}
    return Case(id, command, spoil, level[command[0].removeprefix("stages.")])


_GOOD = good_members()
_ONE_BAD = {name: b"no photo" if "/01.Mill/" in name else data for name, data in _GOOD.items()}
_ALIKE = {name: photo(int(name.split("/")[2][:2]), "test" in name) for name in _GOOD}
_SWAPPED = {name: photo(0, int(name[-6:-4])) for name in _GOOD}

PHOTOS = (
    cases("data-missing", at(ARCHIVE, Path.unlink)),
    cases("data-negatives", at("data/negatives.zip", Path.unlink)),
    cases("data-cut", at(ARCHIVE, lambda path: cut(path, 0.5))),
    cases("data-climbs", archive(_GOOD | {"../evil.jpg": photo(0, 0)})),
    cases("photos-none", at(ARCHIVE, _no_photo)),
    cases("photos-class", decoded(_ONE_BAD), SPLIT),
    cases("photos-alike", decoded(_ALIKE), SPLIT),
    cases("photos-conflict", decoded(_SWAPPED), SPLIT),
)

TABLES = (
    cases("table-missing", at(TABLE, Path.unlink), SPLIT),
    cases("table-cut", at(TABLE, lambda path: cut(path, 0.5)), SPLIT),
    cases("table-empty", at(TABLE, lambda path: path.write_text("")), SPLIT),
    cases("table-column", table(TABLE, "sha1", "sha"), SPLIT),
    cases("table-number", table(TABLE, "\n3,", "\nthree,"), SPLIT),
    cases("table-order", table(TABLE, "\n3,", "\n4,"), SPLIT),
    cases("pixels-missing", at(PIXELS, Path.unlink), STATS),
    cases("pixels-cut", at(PIXELS, lambda path: cut(path, 0.5)), STATS),
    cases(
        "pixels-other",
        at(PIXELS, lambda path: np.save(path, np.zeros((9, 48, 48, 3), np.uint8))),
        STATS,
    ),
    cases(
        "pixels-float",
        at(PIXELS, lambda path: np.save(path, np.zeros((33, 48, 48, 3)))),
        STATS,
    ),
    cases("photos-missing", at("data/photos", shutil.rmtree), STATS),
    cases("split-missing", at(ROLES, Path.unlink), STATS),
    cases("split-role", table(ROLES, ",train,", ",trian,"), STATS),
    cases("split-class", table(ROLES, "00.Arch,test", "00.Arhc,test"), STATS),
    cases("split-rows", at(ROLES, lambda path: cut(path, 0.5)), STATS),
    cases("split-id", table(ROLES, "\n3,", "\n4,"), STATS),
    cases(
        "stats-damaged",
        at("data/normalization.json", lambda path: path.write_text("{")),
        TRAIN,
    ),
    cases("stats-key", table("data/normalization.json", "mean", "avg"), TRAIN),
)
