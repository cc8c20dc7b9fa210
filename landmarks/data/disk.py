"""A disk that is full or may not be written, told in one line that says where and what to do."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from landmarks.errors import FORBIDDEN, FULL, LandmarksError, forbidden
from landmarks.files import replacing


class NoSpace(LandmarksError):
    """The disk or the quota is full: nothing is wrong with what was to be written."""


@contextmanager
def telling_disk_errors(folder: Path, kept: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Turn the system's errors about space and rights into one that says what to do.

    Args:
        folder: where the block writes.
        kept: tells how many bytes the next try will not have to write again.

    Raises:
        NoSpace: the disk or the quota is full.
        LandmarksError: a file or folder may not be used.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise _full(folder, "", kept()) from error
        if error.errno in FORBIDDEN:
            raise forbidden(error, folder) from error
        raise


def check_space(folder: Path, needed: int, kept: int = 0) -> None:
    """Refuse to begin what cannot be finished.

    Raises:
        NoSpace: fewer than `needed` bytes are free on the disk of `folder`.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise _full(folder, f" for {needed:,} bytes: {free:,} are free", kept)


def move(source: Path, destination: Path) -> None:
    """Put a whole file into place in one step, from whatever disk it is on.

    Its bytes are on the disk before its name is: a power cut leaves the old file or the new one.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.replace(source, destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with replacing(destination) as temporary:
            shutil.copyfile(source, temporary)
        source.unlink()


def _full(folder: Path, detail: str, kept: int) -> NoSpace:
    again = f": it continues after {kept:,} bytes" if kept else ""
    return NoSpace(
        f"no space on the disk of {folder}{detail}",
        hint=f"Free some and run the same command again{again}.",
    )
