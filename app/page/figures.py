"""What was measured of both CNNs: read from `metrics/` and `results/`, wherever a build is kept."""

import csv
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.page.model import ROOT
from landmarks import catalogue
from landmarks.catalogue import readable
from landmarks.errors import LandmarksError

CNNS = ("scratch", "transfer")
_TABLES = ("confusion", "confusion_pairs", "known_scores", "per_class", "reliability")
Row = dict[str, str]


@dataclass(frozen=True)
class Cnn:
    """One CNN's figures, shares from 0 to 1, and its tables with a column's text by its name."""

    name: str
    figures: dict[str, float]
    tables: dict[str, list[Row]]

    def numbers(self, table: str, column: str) -> list[float]:
        """Return a column of a table; what is not known is 0."""
        return [float(row[column] or 0) for row in self.tables[table]]


@dataclass(frozen=True)
class Build:
    """One run of the pipeline.

    Attributes:
        name: of the folder in `results/`; `this build` of what lies in `metrics/`.
        cnns: both.
        released: the one that users get, empty where nothing says so.
        speed: what `make speed` measured; None where it was not run.
    """

    name: str
    cnns: tuple[Cnn, Cnn]
    released: str
    speed: dict[str, Any] | None

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the tables."""
        return [row["class"] for row in self.cnns[0].tables["per_class"]]


def builds(root: Path = ROOT) -> list[Build]:
    """Return every build that is kept whole below the project, that of `metrics/` first."""
    kept = [found for found in map(_kept, sorted((root / "results").glob("*/metrics"))) if found]
    here = _read(root / "metrics", "this build", None)
    if here is None:
        return kept
    for other in kept:
        if other.cnns == here.cnns:  # it was collected: show it once, with what was timed
            kept.remove(other)
            here = Build(f"this build ({other.name})", other.cnns, other.released, other.speed)
            break
    return [here, *kept]


def landmark(class_name: str) -> str:
    """Return a landmark's name: that of the project's catalogues, or what its folder tells."""
    return _catalogued().get(class_name) or readable(class_name)


@cache
def _catalogued() -> dict[str, str]:
    names = {}
    for path in sorted((ROOT / "catalogues").glob("*.csv")):
        try:
            names.update({key: row.name for key, row in catalogue.load(path).rows.items()})
        except LandmarksError:  # somebody edits it: the names of the folders do
            continue
    return names


def _kept(folder: Path) -> Build | None:
    return _read(folder, folder.parent.name, folder.parent / "speed.json")


def _read(folder: Path, name: str, speed: Path | None) -> Build | None:
    """Read a build; None where a part of it is missing or is no table at all."""
    try:
        scratch, transfer = (_cnn(folder, cnn) for cnn in CNNS)
        released = folder / "released.json"
        cnn = json.loads(released.read_text())["cnn"] if released.is_file() else ""
        timed = json.loads(speed.read_text()) if speed and speed.is_file() else None
    except (OSError, ValueError, KeyError):
        return None
    return Build(name, (scratch, transfer), cnn, timed)


def _cnn(folder: Path, name: str) -> Cnn:
    figures = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    tables = {}
    for table in _TABLES:
        with (folder / name / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            tables[table] = list(csv.DictReader(file))
    return Cnn(name, figures, tables)
