"""What the page is made of: photos, roles, metrics, and what both exports say of every photo."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landmarks import card
from landmarks.data.attribution import EMPTY, read_attribution
from landmarks.data.roles import class_names, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.errors import LandmarksError
from landmarks.evaluation import run_export
from landmarks.files import read_json

CNNS = ("scratch", "transfer")
ROLES = ("train", "val", "test", "negative_testing")
"""Roles of the photos that are shown to the exported models."""

_TABLES = ("training", "confusion", "per_class", "confusion_pairs", "reliability")
_NAMES = {name: "str" for name in ("class", "actual", "predicted", "taken_for")}


@dataclass(frozen=True)
class Cnn:
    """One CNN: its card, its figures and tables, and its answers.

    Attributes:
        name: `scratch` or `transfer`.
        folder: of the export.
        card: what the export says of itself.
        figures: of `metrics/<name>.json`, measured on test photos.
        validation: of `metrics/<name>/validation.json`.
        tables: the tables of `metrics/<name>/`, by name.
        probabilities: float32 (N, C), a row a photo of the store; NaN where it was not asked.
        scores: float32 (N,), how well a photo fits the known landmarks, 0 to 1.
    """

    name: str
    folder: Path
    card: card.ModelCard
    figures: dict[str, Any]
    validation: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    probabilities: NDArray[np.float32]
    scores: NDArray[np.float32]

    @property
    def best(self) -> NDArray[np.int64]:
        """The class that it names on each photo, int64 (N,); without meaning where not asked."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of that class, float32 (N,)."""
        confidence: NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidence


@dataclass(frozen=True)
class Material:
    """All that stands above the report in the pipeline.

    Attributes:
        store: the decoded photos.
        split: the role of each.
        classes: names of the classes' folders, in label order.
        names: names of the landmarks, in the same order.
        truth: int64 (N,), the label of each photo; -1 where it shows no known landmark.
        cnns: both CNNs.
        released: name of the one that users get.
        attribution: what is known of authors and licences, by photo.
    """

    store: PhotoStore
    split: pd.DataFrame
    classes: list[str]
    names: list[str]
    truth: NDArray[np.int64]
    cnns: tuple[Cnn, ...]
    released: str
    attribution: pd.DataFrame = field(default_factory=EMPTY.copy)

    @classmethod
    def read(cls, root: str | Path = ".") -> Self:
        """Read the outs of the other stages in a project, and run both exports on its photos.

        Raises:
            LandmarksError: something is missing, damaged or belongs to another run.
        """
        root = Path(root)
        store = PhotoStore.open(root / "data/photos")
        split = read_split(root / "data/split.csv", photos=len(store.table))
        classes = class_names(split)
        truth = np.full(len(split), -1)
        ours = split.index[split["class"].isin(classes) & (store.table["source"] == "archive")]
        truth[ours] = labels(split, ours.to_numpy(np.int64))
        asked = np.sort(np.concatenate([rows(split, role) for role in ROLES]))
        cnns = tuple(_read_cnn(root, name, store, asked, classes) for name in CNNS)
        names = [landmark.name for landmark in cnns[0].card.classes]
        released = read_json(root / "metrics/released.json", "cnn")["cnn"]
        attribution = read_attribution(root / "data/attribution.csv", photos=len(split))
        return cls(store, split, classes, names, truth, cnns, released, attribution)

    def rows(self, role: str) -> NDArray[np.int64]:
        """Return the photos of a role, ascending."""
        return rows(self.split, role)

    def size(self, row: int) -> tuple[int, int]:
        """Return width and height of the original of a photo, pixels."""
        table = self.store.table
        return int(table["width"].iloc[row]), int(table["height"].iloc[row])

    @property
    def invented(self) -> bool:
        """Whether the landmarks are drawn ones."""
        return self.cnns[0].card.invented


def _read_cnn(
    root: Path, name: str, store: PhotoStore, asked: NDArray[np.int64], classes: list[str]
) -> Cnn:
    folder, metrics = root / "models" / name, root / "metrics"
    described = card.read(folder)
    if [landmark.class_name for landmark in described.classes] != classes:
        raise LandmarksError(
            f"{folder} was made for other classes than data/split.csv has",
            hint="Run `dvc repro` to bring all stages to one state.",
        )
    probabilities = np.full((len(store.pixels), len(classes)), np.nan, np.float32)
    scores = np.full(len(store.pixels), np.nan, np.float32)
    answers = run_export(folder, "onnx", store.pixels, asked, f"{name}, all photos")
    probabilities[asked], scores[asked] = answers.probabilities, answers.known_score
    return Cnn(
        name=name,
        folder=folder,
        card=described,
        figures=read_json(metrics / f"{name}.json", "accuracy", "n"),
        validation=read_json(metrics / name / "validation.json", "accuracy", "n"),
        tables={table: _read_table(metrics / name / f"{table}.csv") for table in _TABLES},
        probabilities=probabilities,
        scores=scores,
    )


def _read_table(path: Path) -> pd.DataFrame:
    try:
        columns = pd.read_csv(path, nrows=0).columns
        kinds = {name: kind for name, kind in _NAMES.items() if name in columns}
        # A class may be called `nan`; a share whose denominator is 0 is an empty cell.
        empty = {name: [""] for name in columns if name not in kinds}
        return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=empty)
    except FileNotFoundError:
        raise LandmarksError(f"there is no {path}", hint="Run `dvc repro evaluate`.") from None
    except ValueError as error:
        raise LandmarksError(f"{path} is damaged ({error})", hint="Run `dvc checkout`.") from error
