"""A large job in pieces: shards of photos, and the Parquet file that each becomes, whole or not."""

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from landmarks.errors import LandmarksError
from landmarks.tagging import parquet, stores, tables
from landmarks.tagging.stores import Place, Remote
from landmarks.tagging.walk import Found

SIZE = 128
"""Photos of a shard, on average: seconds of work, and little to do again when a machine dies."""

_MOST = 4  # times the average
_NAME = re.compile(r"part-[0-9a-f]{32}\.parquet")
_DONE = "_SUCCESS"
"""Written when all parts are there, as Hadoop's jobs do; readers of Parquet pass over it."""

_MOST_BYTES = 1 << 30
_REACHED = (
    "All machines must reach that folder: name such a one with --state or --parquet FOLDER/, and "
    "run the same command again."
)


@dataclass(frozen=True)
class Shard:
    """Photos that are looked at in one go.

    Attributes:
        name: says which photos, of which versions, and what is asked of them.
    """

    name: str
    photos: list[Found]

    @property
    def file(self) -> str:
        """The name of the file that its rows go to; such a file is whole."""
        return f"part-{self.name}.parquet"


def shards(photos: Iterable[Found], top: Place, asked: str) -> Iterator[Shard]:
    """Cut a walk into shards.

    Where a shard ends is said by the names of photos alone, so that one that comes, goes or changes
    changes its own shard and no other.

    Args:
        photos: of one walk.
        top: the folder that was walked.
        asked: all else that the rows depend on: the model, the thresholds.
    """
    gathered: list[Found] = []
    for found in photos:
        gathered.append(found)
        name = stores.relative(found.path, top).encode("utf-8", "surrogateescape")
        if zlib.crc32(name) % SIZE == 0 or len(gathered) == _MOST * SIZE:
            yield _shard(gathered, top, asked)
            gathered = []
    if gathered:
        yield _shard(gathered, top, asked)


def _shard(photos: list[Found], top: Place, asked: str) -> Shard:
    digest = hashlib.sha256(asked.encode())
    for found in photos:
        for each in (found.path, *found.beside):
            said = f"\0{stores.relative(each, top)}\0{stores.mark(each)}"
            digest.update(said.encode("utf-8", "surrogateescape"))
    return Shard(digest.hexdigest()[:32], photos)


@dataclass(frozen=True)
class Parts:
    """The folder where shards become Parquet files. Any machine may write; one run at a time."""

    folder: Place

    def names(self) -> set[str]:
        """Return the files of shards that are there."""
        if isinstance(self.folder, Remote):
            try:
                found = stores.listed(self.folder)[0]
            except LandmarksError as error:
                if isinstance(error.__cause__, FileNotFoundError):
                    return set()
                raise
            names = list(found)
        else:
            names = [path.name for path in self.folder.glob("part-*")]
        return {name for name in names if _NAME.fullmatch(name)}

    def write(self, shard: Shard, rows: Iterable[dict[str, Any]]) -> None:
        """Write the rows of a shard; when this is done twice, the second takes the first's place.

        Raises:
            LandmarksError: the store does not take it.
        """
        context = tables.Context(self.folder, "")
        with tables.tables(None, None, self.folder / shard.file, context) as [table]:
            for row in rows:
                table.put(row)

    def rows(
        self, shard: Shard, top: Place, columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a shard, or some columns of them, in the order of its photos.

        Raises:
            LandmarksError: its file is not there or damaged.
        """
        from pyarrow import ArrowException

        where = self.folder / shard.file
        try:
            rows = list(parquet.rows(stores.read(where, _MOST_BYTES), columns))
            for found, row in zip(shard.photos, rows, strict=True):
                # As it is: names that are no text come back from Parquet as escapes.
                yield row | {"path": stores.relative(found.path, top)} if "path" in row else row
        except (OSError, ValueError, ArrowException) as error:
            raise LandmarksError(
                f"{where} cannot be read: {error}",
                hint=f"Remove the file if it is there. {_REACHED}",
            ) from error

    def begin(self) -> None:
        """Take back that all is there."""
        stores.remove(self.folder / _DONE)

    def finish(self, names: set[str]) -> None:
        """Remove parts of other shards, as of photos that are gone, and say that all is there.

        Raises:
            LandmarksError: not all is there.
        """
        there = self.names()
        if lacking := names - there:
            raise LandmarksError(
                f"{len(lacking)} of {len(names)} parts are not in {self.folder}: machines wrote "
                "them to disks of their own, or they were removed",
                hint=_REACHED,
            )
        for name in there - names:
            stores.remove(self.folder / name)
        with stores.replacing(self.folder / _DONE) as done:
            done.touch()
