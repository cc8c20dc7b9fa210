"""Which photo plays which role: reading `split.csv`, as every later stage does."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landmarks.data import store
from landmarks.errors import LandmarksError

COLUMNS = ("id", "class", "role", "reason")
ROLES = ("train", "val", "test", "negative_tuning", "negative_testing", "dropped")
_HINT = "Run `dvc repro split` to make it again."


def read_split(path: str | Path, *, photos: int | None = None) -> pd.DataFrame:
    """Read `split.csv`, columns `COLUMNS`.

    Args:
        path: the file.
        photos: number of rows that it must have; None for any.

    Raises:
        LandmarksError: the file is missing, damaged, or belongs to other photos.
    """
    split = store.read_csv(path, COLUMNS, ("id",), _HINT)
    unknown = sorted(set(split["role"]) - set(ROLES))
    if unknown:
        raise LandmarksError(f"{path} is damaged: it has a role {unknown[0]!r}", hint=_HINT)
    if photos is not None and len(split) != photos:
        raise LandmarksError(
            f"{path} has {len(split)} rows for {photos} decoded photos", hint=_HINT
        )
    if not np.array_equal(split["id"], np.arange(len(split))):
        raise LandmarksError(f"{path} is damaged: its ids are not 0, 1, 2, ...", hint=_HINT)
    measured = set(split.loc[split["role"].isin(("val", "test")), "class"])
    if strangers := sorted(measured - set(class_names(split))):
        raise LandmarksError(
            f"{path} is damaged: {strangers[0]!r} has photos to measure with, but none to train on",
            hint=_HINT,
        )
    return split


def class_names(split: pd.DataFrame) -> list[str]:
    """Return the classes in label order: those of the train photos, sorted."""
    return sorted(split.loc[split["role"] == "train", "class"].unique())


def rows(split: pd.DataFrame, role: str) -> NDArray[np.int64]:
    """Return the ids of the photos of one role, ascending; they are rows of the pixel array."""
    assert role in ROLES, role
    return np.sort(split.loc[split["role"] == role, "id"].to_numpy(np.int64))


def kinds(split: pd.DataFrame, ids: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return what kind of photo each negative is: the folder that it lay in."""
    found: NDArray[np.str_] = split.set_index("id")["class"].reindex(ids).to_numpy(str)
    return found


def labels(split: pd.DataFrame, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the label of each photo, int64: where its class stands in `class_names`.

    Raises:
        KeyError: a photo's class is not among them (a negative).
    """
    position = {name: label for label, name in enumerate(class_names(split))}
    classes = split.set_index("id")["class"].reindex(ids)
    return np.array([position[name] for name in classes], dtype=np.int64)
