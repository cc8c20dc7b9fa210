"""Rows for other programs: CSV, JSON, Parquet of every photo."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Protocol

from landmarks.tagging import parquet, stores
from landmarks.tagging.deciding import Row
from landmarks.tagging.reading import TOP_K
from landmarks.tagging.stores import Place


class Table(Protocol):
    """Takes rows as they come."""

    def add(self, row: Row) -> None:
        """Write a row."""


class Written(Table, Protocol):
    """A table that takes rows of another engine, too."""

    def put(self, cells: dict[str, Any]) -> None:
        """Write a row as `record` made it."""


@dataclass(frozen=True)
class Context:
    """What is the same for all rows: where paths begin, and which model answered."""

    folder: Place
    model: str


@contextmanager
def tables(
    csv_file: Place | None, json_file: Place | None, parquet_file: Place | None, context: Context
) -> Iterator[list[Written]]:
    """Open the tables that are asked for; they replace older ones when all rows are there."""
    with ExitStack() as stack:
        opened: list[Written] = []
        if csv_file:
            opened.append(_Csv(stack.enter_context(writing(csv_file)), context))
        if json_file:
            opened.append(stack.enter_context(_json(json_file, context)))
        if parquet_file:
            opened.append(_Parquet(stack.enter_context(parquet.writing(parquet_file)), context))
        yield opened


def record(row: Row, context: Context) -> dict[str, Any]:
    """Return a row as a tree: all columns but those of further guesses are its keys."""
    read, place, own = row.read, row.place, row.own
    guesses = read.prediction.guesses if read.prediction else []
    return {
        "path": stores.relative(read.found.path, context.folder),
        "sha256": read.sha256,
        "decision": row.decision,
        "reason": row.reason,
        "class": place.class_name if place else None,
        "name": place.name if place else None,
        "locality": place.locality if place else None,
        "country": place.country if place else None,
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "confidence": round(place.confidence, 4) if place else None,
        "known_score": round(read.prediction.known_score, 4) if read.prediction else None,
        "photo_latitude": round(own.latitude, 6) if own else None,
        "photo_longitude": round(own.longitude, 6) if own else None,
        "distance_km": None if row.distance_km is None else round(row.distance_km, 1),
        "guesses": [{"class": g.class_name, "confidence": round(g.confidence, 4)} for g in guesses],
        "model": context.model,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@contextmanager
def writing(path: Place) -> Iterator[IO[str]]:
    """Open a table to write; it comes to its place when the block succeeds."""
    # Names need not be text: what is none is written as the escape that Python knows.
    with (
        stores.replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def csv_text(rows: Iterable[Row], context: Context, guesses: int = TOP_K) -> str:
    """Return the table that `tables` would write, with so many columns of guesses."""
    file = io.StringIO(newline="")
    table = _Csv(file, context, guesses)
    for row in rows:
        table.add(row)
    return file.getvalue()


def json_text(rows: Iterable[Row], context: Context) -> str:
    """Return the JSON document that `tables` would write."""
    file = io.StringIO(newline="")
    with _json_rows(file, context) as table:
        for row in rows:
            table.add(row)
    return file.getvalue()


class _Csv:
    def __init__(self, file: IO[str], context: Context, guesses: int = TOP_K) -> None:
        columns = [name for name in parquet.COLUMNS if name != "guesses"]
        for number in range(1, guesses + 1):
            columns += [f"guess_{number}", f"confidence_{number}"]
        self.writer = csv.DictWriter(file, columns, lineterminator="\n")
        self.writer.writeheader()
        self.context = context
        self.guesses = guesses

    def add(self, row: Row) -> None:
        self.put(record(row, self.context))

    def put(self, cells: dict[str, Any]) -> None:
        cells = dict(cells)
        for number, guess in enumerate(cells.pop("guesses")[: self.guesses], start=1):
            cells[f"guess_{number}"] = guess["class"]
            cells[f"confidence_{number}"] = guess["confidence"]
        self.writer.writerow(cells)


class _Json:
    def __init__(self, file: IO[str], context: Context) -> None:
        self.file = file
        self.context = context
        self.begun = False

    def add(self, row: Row) -> None:
        self.put(record(row, self.context))

    def put(self, cells: dict[str, Any]) -> None:
        self.file.write(",\n" if self.begun else "")
        self.file.write(json.dumps(cells, ensure_ascii=False))
        self.begun = True


class _Parquet:
    def __init__(self, writer: parquet.Writer, context: Context) -> None:
        self.writer = writer
        self.context = context

    def add(self, row: Row) -> None:
        self.put(record(row, self.context))

    def put(self, cells: dict[str, Any]) -> None:
        self.writer.add(cells | {"time": datetime.fromisoformat(cells["time"])})


@contextmanager
def _json(path: Place, context: Context) -> Iterator[_Json]:
    with writing(path) as file, _json_rows(file, context) as rows:
        yield rows


@contextmanager
def _json_rows(file: IO[str], context: Context) -> Iterator[_Json]:
    """Write one JSON document, a row a line."""
    file.write("[\n")
    yield _Json(file, context)
    file.write("\n]\n")
