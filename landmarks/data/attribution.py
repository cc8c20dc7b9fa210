"""Who made which photo and under which licence: the pipeline's table, and what follows from it."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landmarks.data import store
from landmarks.errors import LandmarksError

COLUMNS = ("id", "author", "license", "url", "title")
"""Columns of the table; `id` is the row in the array of pixels."""
EMPTY = pd.DataFrame(columns=list(COLUMNS[1:]), index=pd.Index([], dtype="int64", name="id"))
"""The attribution of photos of which nothing is known."""
EXCLUDED = "licence excluded:"
"""Begins the reason why a photo under an excluded licence has no role."""
UNKNOWN, OTHERS = "unknown", "others"
LISTED = 50
"""Most licences that are told one by one."""

_LONGEST = 200
_HINT = "Run `dvc repro attribution` to make it again."
_DEED = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)"
    r"/([a-z+-]+)/(\d[\d.]*)(?:/([a-z]{2,3}))?(?:/.*)?",
    re.IGNORECASE,
)
_PUBLIC = {"zero": "CC0", "mark": "Public Domain Mark"}


def read_attribution(path: str | Path, *, photos: int) -> pd.DataFrame:
    """Read `attribution.csv`: author, license, url and title as text, empty where not known.

    Args:
        path: the file; it has rows of photos that have an entry and of no others.
        photos: number of decoded photos, which no id may exceed.

    Returns:
        Columns `COLUMNS` without `id`, which is the index.

    Raises:
        LandmarksError: the file is missing, damaged, or belongs to other photos.
    """
    table = store.read_csv(path, COLUMNS, ("id",), _HINT)
    if (np.diff(table["id"], prepend=-1) < 1).any():
        raise LandmarksError(f"{path} is damaged: its ids are not in order", hint=_HINT)
    if len(table) and table["id"].iloc[-1] >= photos:
        raise LandmarksError(
            f"{path} is of other photos: it has an id {table['id'].iloc[-1]}, and there are "
            f"{photos} photos",
            hint=_HINT,
        )
    return table.set_index("id")


def licences(attribution: pd.DataFrame, ids: Iterable[int]) -> pd.Series:
    """Return the licence of each photo as its entry has it, empty where it is not known."""
    return attribution["license"].reindex(np.fromiter(ids, np.int64), fill_value="")


def readable(licence: str) -> str:
    """Return what a licence is called: an address of Creative Commons is `CC BY-SA 3.0`."""
    found = _DEED.fullmatch(licence)
    if not found:
        return licence or UNKNOWN
    kind, version, port = found.groups()
    name = _PUBLIC.get(kind.lower()) or f"CC {kind.upper()}"
    return f"{name} {version}" + (f" {port.upper()}" if port else "")


def excluded(attribution: pd.DataFrame, ids: Iterable[int], patterns: Sequence[str]) -> pd.Series:
    """Return, by id, the first pattern that a photo's licence matches; empty where none does.

    A pattern is compared with the licence as its entry has it and with its name (`readable`),
    whole and without regard to case; `*` stands for anything. Photos without an entry, and those
    whose entry tells no licence, have the licence `unknown`.
    """
    found = licences(attribution, ids)
    first = {
        licence: next((pattern for pattern in patterns if _matches(licence, pattern)), "")
        for licence in found.unique()
    }
    return found.map(first)


def idle(attribution: pd.DataFrame, ids: Iterable[int], patterns: Sequence[str]) -> list[str]:
    """Return the patterns that no photo's licence matches."""
    found = licences(attribution, ids).unique()
    return [pattern for pattern in patterns if not any(_matches(one, pattern) for one in found)]


def names(attribution: pd.DataFrame, ids: Iterable[int]) -> pd.Series:
    """Return how many photos have which licence, by its name, the commonest first."""
    found = licences(attribution, ids)
    called = found.map({licence: readable(licence) for licence in found.unique()})
    counts = called.value_counts().rename_axis("name").reset_index(name="n")
    return counts.sort_values(["n", "name"], ascending=[False, True]).set_index("name")["n"]


def learned_from(attribution: pd.DataFrame, ids: Iterable[int]) -> dict[str, Any] | None:
    """Count what is known of the photos that a model learned from; None where no table was given.

    Returns:
        `photos`, different `authors`, and `licences`: photos by the name of their licence. Those
        of licences that are not among the `LISTED` commonest are `others`.
    """
    if not len(attribution):
        return None
    rows = np.fromiter(ids, np.int64)
    counts = names(attribution, rows)
    told: Counter[str] = Counter()
    for place, (name, n) in enumerate(counts.items()):
        told[str(name)[:_LONGEST] if place < LISTED else OTHERS] += int(n)
    authors = set(attribution["author"].reindex(rows, fill_value="")) - {""}
    return {"photos": len(rows), "authors": len(authors), "licences": dict(told)}


def _matches(licence: str, pattern: str) -> bool:
    written, wanted = (licence or UNKNOWN).casefold(), pattern.casefold()
    return fnmatchcase(written, wanted) or fnmatchcase(readable(licence).casefold(), wanted)
