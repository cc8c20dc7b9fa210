"""A download that is under way: the bytes so far, and which version of the file they belong to."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from landmarks import locks
from landmarks.data.disk import check_space, telling_disk_errors
from landmarks.errors import LandmarksError
from landmarks.files import read_json, write_json


@dataclass(frozen=True)
class Identity:
    """One version of a file elsewhere: its size in bytes and a mark that changes with its bytes.

    The size is None and the mark empty where the other side does not tell.
    """

    size: int | None = None
    mark: str = ""


def forget(state: Path) -> None:
    """Remove all that came of sources, also of those that were given up; locks stay."""
    for left in state.glob("*"):
        if left.suffix != ".lock" and not left.is_dir():
            left.unlink(missing_ok=True)


class Partial:
    """The partial file of one source; it outlives the process, so that the next one continues.

    Args:
        state: the folder for such files, made when it is missing.
        source: tells the partial files apart.
    """

    def __init__(self, state: Path, source: str) -> None:
        key = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self.path = state / f"{key}.part"
        self._facts = state / f"{key}.json"
        self._lock = state / f"{key}.lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the source's lock, waiting for another process that fetches the same source."""
        with telling_disk_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with locks.alone(self._lock, "the download of the same file"):
            yield

    @property
    def size(self) -> int:
        """How many bytes are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def identity(self) -> Identity:
        """The version that the bytes belong to; an unknown one where nothing tells."""
        try:
            return Identity(**read_json(self._facts))
        except (LandmarksError, OSError, ValueError, TypeError):
            return Identity()

    def discard(self) -> None:
        """Forget all."""
        self._facts.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    @contextmanager
    def writing(self, start: int, identity: Identity) -> Iterator[BinaryIO]:
        """Yield the file at byte `start`, what came after it cut off, for bytes of `identity`.

        The identity is on the disk before the first byte is: a kill cannot mix two versions.

        Raises:
            LandmarksError: the disk is full, or will be before the file is whole.
        """
        folder = self.path.parent
        with telling_disk_errors(folder, lambda: self.size):
            if identity != self.identity:
                if start == 0:
                    self.path.unlink(missing_ok=True)
                write_json(self._facts, asdict(identity))
            check_space(folder, (identity.size or 0) - start, self.size)
            with self.path.open("ab", buffering=0) as file:
                if file.tell() > start:
                    file.truncate(start)
                yield file

    def head(self, size: int) -> bytes:
        """Return the first `size` bytes, or what there is."""
        with self.path.open("rb") as file:
            return file.read(size)
