"""Answers to take home: the same tables and sidecars that `landmarks tag` writes, in memory."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from app.page.answers import Answer
from landmarks.tagging import tables, xmp
from landmarks.tagging.albums import file_name
from landmarks.tagging.deciding import Row


class Download(NamedTuple):
    """A file for the browser to save."""

    name: str
    kind: str
    content: bytes


def rows(decided: Iterable[Row], guesses: int) -> list[Row]:
    """Return what was decided, with as many guesses as are shown."""
    return [_fewer(row, guesses) for row in decided]


def as_csv(decided: Sequence[Row], model: str, guesses: int) -> Download:
    """Return a row a photo; the columns are those of `landmarks tag --csv`."""
    text = tables.csv_text(decided, tables.Context(Path(), model), guesses)
    return Download("landmarks.csv", "text/csv", text.encode("utf-8", "backslashreplace"))


def as_json(decided: Sequence[Row], model: str) -> Download:
    """Return one JSON document; the keys are those of `landmarks tag --json`."""
    text = tables.json_text(decided, tables.Context(Path(), model))
    return Download("landmarks.json", "application/json", text.encode("utf-8", "backslashreplace"))


def as_xmp(decided: Sequence[tuple[Answer, Row]], model: str) -> Download | None:
    """Return the sidecar of the one photo that is named, or an archive of all; None without any."""
    named = [(answer, row) for answer, row in decided if row.decision == "named"]
    sidecars: dict[str, bytes] = {}
    for answer, row in named:
        sidecars[_free(row.read.found.sidecar.name, sidecars)] = _sidecar(answer, row, model)
    if not sidecars:
        return None
    if len(sidecars) == 1:
        [(name, content)] = sidecars.items()
        return Download(name, "application/rdf+xml", content)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sidecars.items():
            archive.writestr(name, content)
    return Download("landmarks-xmp.zip", "application/zip", file.getvalue())


def _fewer(row: Row, guesses: int) -> Row:
    prediction = row.read.prediction
    if prediction is None:
        return row
    kept = prediction.model_copy(update={"guesses": prediction.guesses[:guesses]})
    return replace(row, read=replace(row.read, prediction=kept))


def _sidecar(answer: Answer, row: Row, model: str) -> bytes:
    assert row.place is not None
    return xmp.add(None, xmp.Inferred(row.place, row.place.confidence, model, answer.own is None))


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name that leads nowhere else and that no other photo has: `photo (2).jpg.xmp`."""
    safe = file_name(name.removesuffix(".xmp"))
    stem, dot, ending = safe.rpartition(".")
    if not stem:
        stem, dot, ending = safe, "", ""
    names = [f"{safe}.xmp", *(f"{stem} ({n}){dot}{ending}.xmp" for n in range(2, 1_000))]
    return next(one for one in names if one not in set(taken))
