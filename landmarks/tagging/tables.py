"""Rows for other programs: CSV, JSON, Parquet of every photo; the table in which people decide."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from landmarks.card import ModelCard
from landmarks.errors import LandmarksError
from landmarks.tagging import parquet, stores
from landmarks.tagging.deciding import Row, Verdict
from landmarks.tagging.reading import TOP_K
from landmarks.tagging.stores import Place

ACCEPT, REFUSE = "yes", "no"
REVIEW = ("verdict", "path", "name", "place", "confidence", "reason", "class", "others", "sha256")


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
            opened.append(_Csv(stack.enter_context(_writing(csv_file)), context))
        if json_file:
            opened.append(stack.enter_context(_json(json_file, context)))
        if parquet_file:
            opened.append(_Parquet(stack.enter_context(parquet.writing(parquet_file)), context))
        yield opened


def record(row: Row, context: Context) -> dict[str, Any]:
    """Return a row as a tree: all columns but those of further guesses are its keys."""
    read, place, own = row.read, row.place, row.read.header.position
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
def _writing(path: Place) -> Iterator[IO[str]]:
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
    with _writing(path) as file, _json_rows(file, context) as rows:
        yield rows


@contextmanager
def _json_rows(file: IO[str], context: Context) -> Iterator[_Json]:
    """Write one JSON document, a row a line."""
    file.write("[\n")
    yield _Json(file, context)
    file.write("\n]\n")


_Question = dict[str, str]
"""A row of the table in which people decide, by column."""


class Review:
    """The table in which a person has the last word: read first, written again at the end.

    It asks one thing a row, whether a photo shows a class, so a verdict holds whatever another
    model makes of the photo.

    Attributes:
        verdicts: what a person said of the classes that the model knows, by SHA-256.
    """

    def __init__(self, path: Path, card: ModelCard, context: Context) -> None:
        self.path = path
        self.context = context
        known = {one.class_name for one in card.classes}
        self._before = _read_review(path, known) if path.exists() else []
        self.verdicts = _verdicts(self._before, known)
        self._asked: dict[str, _Question] = {}
        self._unseen = {row["sha256"] for row in self._before}

    def add(self, row: Row) -> None:
        """Ask about a photo if the model is unsure of it."""
        sha256 = row.read.sha256
        self._unseen.discard(sha256)
        if row.decision != "unsure" or row.place is None:
            return
        guesses = row.read.prediction.guesses if row.read.prediction else []
        others = [one.class_name for one in guesses if one.class_name != row.place.class_name]
        cells = record(row, self.context) | {"verdict": "", "place": row.place.place}
        cells["others"] = " ".join(others)
        self._asked[sha256] = {name: str(cells[name]) for name in REVIEW}

    def write(self) -> None:
        """Write the table, by confidence, the surest first.

        What was typed into it since the run began is kept, and counts in the next.
        """
        now = _read_review(self.path) if self.path.exists() else self._before
        kept = [row for row in now if row["verdict"] or row["sha256"] in self._unseen]
        rows = {(row["sha256"], row["class"]): row for row in [*self._asked.values(), *kept]}
        order = sorted(rows.values(), key=lambda row: (-_number(row["confidence"]), row["path"]))
        with _writing(self.path) as file:
            writer = csv.DictWriter(file, REVIEW, lineterminator="\n")
            writer.writeheader()
            writer.writerows(order)


def _read_review(path: Path, known: set[str] | None = None) -> list[_Question]:
    """Read the table; where the model's classes are given, refuse verdicts that say nothing."""
    rows = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in REVIEW if name not in (reader.fieldnames or [])]
            if lacking:
                raise LandmarksError(
                    f"{path}:1: no column {', '.join(lacking)}",
                    hint="Name the table that --review wrote, or one that is not there yet.",
                )
            for cells in reader:
                row = {name: (cells[name] or "").strip() for name in REVIEW}
                if row["verdict"].lower() in (ACCEPT, REFUSE):
                    row["verdict"] = row["verdict"].lower()
                if known is not None:
                    _check_verdict(row, known, f"{path}:{reader.line_num}")
                rows.append(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise LandmarksError(
            f"{path} is no CSV table in UTF-8: {error}", hint="Save it as CSV in UTF-8."
        ) from error
    return rows


def _check_verdict(row: _Question, known: set[str], where: str) -> None:
    offered = {row["class"], *row["others"].split()}  # perhaps by another model
    if row["verdict"] not in {"", ACCEPT, REFUSE} | offered | known:
        raise LandmarksError(
            f"{where}: verdict is {row['verdict']!r}",
            hint=f"Write {ACCEPT}, {REFUSE}, the right class (see `others`), or leave it empty.",
        )


def _verdicts(rows: Iterable[_Question], known: set[str]) -> dict[str, Verdict]:
    """Gather what was said of each photo; a class that the model does not know counts for nothing.

    A verdict is on the class of its row: another model's likeliest is another question.
    """
    found: dict[str, Verdict] = {}
    for row in rows:
        before, said = found.get(row["sha256"], Verdict()), row["verdict"]
        if said == REFUSE:
            found[row["sha256"]] = replace(before, refused=before.refused | {row["class"]})
        elif (accepted := row["class"] if said == ACCEPT else said) in known:
            found[row["sha256"]] = replace(before, accepted=accepted)
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
