"""Decode every photo of the archives once, into one array on disk and one table."""

import csv
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
from tqdm import tqdm

from landmarks import files
from landmarks.data.archive import kinds, layout, open_archive
from landmarks.data.photos import COLUMNS, PIXELS, TABLE, Photo, Verdict
from landmarks.data.workers import Job, Task, decode_all
from landmarks.errors import LandmarksError


def decode_archives(
    archives: dict[str, Path], folder: Path, *, size: int, workers: int
) -> list[Verdict]:
    """Decode all photos of some archives into `folder`, which appears when it is whole.

    The result is a function of the archives and `size` only, not of `workers`. Pixels go from the
    workers straight to the disk: memory does not grow with the number of photos, but for the table.

    Args:
        archives: archive file by its source name (`archive`, `negatives`).
        folder: gets `pixels.npy`, uint8 (N, size, size, 3) RGB, and `photos.csv`, whose columns are
            `photos.COLUMNS`.
        size: side of the stored photos, pixels.
        workers: processes, at least 1.

    Returns:
        A verdict for every photo, in the order of rows.

    Raises:
        LandmarksError: an archive cannot be read, or holds no readable photo.
    """
    photos = sorted(_photos(archives))
    files.clear_leftovers(folder.parent)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        verdicts = _decode(photos, archives, part / PIXELS, size, workers)
        _check_any_readable(photos, verdicts, archives["archive"])
        _write_table(part / TABLE, photos, verdicts)
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:
        raise LandmarksError(
            f"cannot write {folder}: {error.strerror or error}",
            hint="Make room on the disk, or make the folder writable.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return verdicts


def _decode(
    photos: Sequence[Photo], archives: dict[str, Path], pixels: Path, size: int, workers: int
) -> list[Verdict]:
    offset = _reserve(pixels, len(photos), size)
    tasks = [Task(row, str(archives[photo.source]), photo.path) for row, photo in enumerate(photos)]
    verdicts = [Verdict()] * len(tasks)
    with tqdm(total=len(tasks), desc="decode", unit="photo") as progress:
        for row, verdict in decode_all(tasks, Job(str(pixels), offset, size), workers):
            verdicts[row] = verdict
            progress.update()
    return verdicts


def _photos(archives: dict[str, Path]) -> Iterator[Photo]:
    for source, path in archives.items():
        with open_archive(path) as archive:
            if source == "archive":
                found = layout(archive.members, archive.folders, archive=str(path))
            else:
                found = kinds(archive.members, archive=str(path))
        for place in found:
            yield Photo(source, place.path, place.class_name, place.official_split)


def _reserve(path: Path, count: int, size: int) -> int:
    """Make an array file of zeros without writing them; return where its data starts, in bytes."""
    needed, free = count * size * size * 3, shutil.disk_usage(path.parent).free
    if needed > free:
        raise LandmarksError(
            f"{count} photos of {size} x {size} pixels take {needed / 1e9:.1f} GB, and "
            f"{path.parent.parent} has room for {free / 1e9:.1f} GB",
            hint="Make room on the disk, or lower decode.photo_size.",
        )
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, size, size, 3))
    return int(array.offset)


def _write_table(path: Path, photos: Sequence[Photo], verdicts: Sequence[Verdict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row, (photo, verdict) in enumerate(zip(photos, verdicts, strict=True)):
            writer.writerow((row, *astuple(photo), *astuple(verdict)))


def _check_any_readable(photos: Sequence[Photo], verdicts: Sequence[Verdict], path: Path) -> None:
    """Refuse an archive whose every photo was refused."""
    both = zip(photos, verdicts, strict=True)
    ours = [verdict for photo, verdict in both if photo.source == "archive"]
    if all(verdict.verdict == "refused" for verdict in ours):
        common = Counter(verdict.reason for verdict in ours).most_common(1)[0][0]
        raise LandmarksError(
            f"none of the {len(ours)} photos in {path} can be read (most: {common})",
            hint="Give an archive of photos in download.source.",
        )


def describe(verdicts: Sequence[Verdict]) -> str:
    """Say in one line how many photos were decoded and why others were refused."""
    refused = Counter(each.reason for each in verdicts if each.verdict == "refused")
    said = f"decode: {len(verdicts) - refused.total()} of {len(verdicts)} photos decoded"
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
    return said + (f"; refused: {reasons}" if reasons else "")
