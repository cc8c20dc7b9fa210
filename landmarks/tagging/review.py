"""The table in which people decide about the photos that the model is unsure of."""

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from landmarks.card import ModelCard
from landmarks.errors import LandmarksError
from landmarks.tagging.deciding import Row, Verdict
from landmarks.tagging.tables import Context, record, writing

ACCEPT, REFUSE = "yes", "no"
REVIEW = ("verdict", "path", "name", "place", "confidence", "reason", "class", "others", "sha256")

_Question = dict[str, str]
"""A row of the table, by column; there may be more columns than `REVIEW`, a person's own."""


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
        self._before = _read(path, known) if path.exists() else []
        self.verdicts = _verdicts(self._before, known)
        self._asked: dict[str, _Question] = {}
        self._asked_before = {row["sha256"] for row in self._before}
        self._answered: set[str] = set()

    def add(self, row: Row) -> None:
        """Ask about a photo if the model is unsure of it."""
        sha256 = row.read.sha256
        if sha256 in self._asked_before:
            self._answered.add(sha256)
        if row.decision != "unsure" or row.place is None:
            return
        guesses = row.read.prediction.guesses if row.read.prediction else []
        others = [one.class_name for one in guesses if one.class_name != row.place.class_name]
        cells = record(row, self.context) | {"verdict": "", "place": row.place.place}
        cells["others"] = " ".join(others)
        self._asked[sha256] = {name: str(cells[name]) for name in REVIEW}

    def write(self) -> None:
        """Write the table, by confidence, the surest first.

        What was typed into it since the run began is kept, and counts in the next; so are columns
        of its reader's own, and what other runs asked.
        """
        now = _read(self.path) if self.path.exists() else self._before
        rows = {
            (row["sha256"], row["class"]): row
            for row in now
            if _is_written_in(row) or row["sha256"] not in self._answered
        }
        for row in self._asked.values():
            before = rows.get((row["sha256"], row["class"]), {"verdict": ""})
            typed = {name: before[name] for name in ("verdict", *_own(before))}
            rows[row["sha256"], row["class"]] = row | typed
        order = sorted(rows.values(), key=lambda row: (-_number(row["confidence"]), row["path"]))
        with writing(self.path) as file:
            columns = [*REVIEW, *(_own(now[0]) if now else ())]
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(order)


def _own(row: _Question) -> list[str]:
    """Return the columns that whoever reads the table has put into it."""
    return [name for name in row if name not in REVIEW]


def _is_written_in(row: _Question) -> bool:
    """Tell whether a person wrote something into a row."""
    return any(row[name] for name in ("verdict", *_own(row)))


def _read(path: Path, known: set[str] | None = None) -> list[_Question]:
    """Read the table; where the model's classes are given, refuse verdicts that say nothing."""
    rows = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            lacking = [name for name in REVIEW if name not in columns]
            if lacking:
                raise LandmarksError(
                    f"{path}:1: no column {', '.join(lacking)}",
                    hint="Name the table that --review wrote, or one that is not there yet.",
                )
            for cells in reader:
                row = {name: (cells[name] or "").strip() for name in columns}
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

    A verdict is on the class of its row: another model's likeliest is another question. Another
    class refuses that of the row, too.
    """
    found: dict[str, Verdict] = {}
    for row in rows:
        verdict, said = found.get(row["sha256"], Verdict()), row["verdict"]
        accepted = row["class"] if said == ACCEPT else "" if said == REFUSE else said
        if said and accepted != row["class"]:
            verdict = replace(verdict, refused=verdict.refused | {row["class"]})
        if accepted in known:
            verdict = replace(verdict, accepted=accepted)
        found[row["sha256"]] = verdict
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
