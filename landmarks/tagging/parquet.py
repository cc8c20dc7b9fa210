"""The table of photos as Parquet, for databases and data frames; needs pyarrow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from landmarks.errors import LandmarksError
from landmarks.tagging import stores
from landmarks.tagging.stores import Place

GROUP = 10_000
"""Rows that are gathered before they are written: memory does not grow with the photos."""

_NUMBERS = (
    "latitude", "longitude", "confidence", "known_score", "photo_latitude", "photo_longitude",
    "distance_km",
)  # fmt: skip
COLUMNS = (
    "path", "sha256", "decision", "reason", "class", "name", "locality", "country", *_NUMBERS,
    "guesses", "model", "time",
)  # fmt: skip
"""The columns of a table, in the order of `tables.record`."""


def check() -> None:
    """Refuse early, before any photo was looked at, where pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise LandmarksError(
            "--parquet needs pyarrow, which is not installed",
            hint='Type `pip install ".[scale]"` in the project, or ask for --csv or --json.',
        ) from error


class Writer:
    """Takes rows as `tables.record` makes them."""

    def __init__(self, file: Any, schema: Any) -> None:
        self._file, self._schema = file, schema
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        """Write a row, with others of its group."""
        # Names of files need not be text; what is none is written as in the other tables.
        path = row["path"].encode("utf-8", "backslashreplace").decode()
        self._rows.append(row | {"path": path})
        if len(self._rows) == GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are gathered."""
        import pyarrow as pa

        self._file.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


@contextmanager
def writing(path: Place) -> Iterator[Writer]:
    """Open a Parquet file, which replaces an older one when all rows are there.

    Columns are those of the JSON table; `guesses` is a list of structs, `time` a timestamp in UTC.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    guess = pa.struct([("class", pa.string()), ("confidence", pa.float64())])
    types = {name: pa.float64() if name in _NUMBERS else pa.string() for name in COLUMNS}
    types |= {"guesses": pa.list_(guess), "time": pa.timestamp("s", tz="UTC")}
    schema = pa.schema(list(types.items()))
    with stores.replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as file:
        writer = Writer(file, schema)
        yield writer
        writer.flush()


def rows(content: bytes, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of such a file, or some of their columns, as `tables.record` made them.

    Raises:
        pyarrow.ArrowException: it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = None if columns is None else list(columns)
    for row in pq.read_table(pa.BufferReader(content), columns=wanted).to_pylist():
        if "time" in row:
            row["time"] = row["time"].isoformat(timespec="seconds")
        yield row
