"""Give every decoded photo a role: train, validation, test, negative or dropped."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from landmarks import params
from landmarks.data import attribution as sources
from landmarks.data.duplicates import equal_pairs, near_pairs
from landmarks.data.roles import ROLES, class_names
from landmarks.errors import LandmarksError


def assign_splits(
    photos: pd.DataFrame, settings: params.Split, attribution: pd.DataFrame = sources.EMPTY
) -> pd.DataFrame:
    """Divide photos by content: neither the order of rows nor the names of files matter.

    - Photos under one of `exclude_licences` are dropped; the others are divided without them.
    - The archive's own test folder stays the test set. Without one, `test_share` of every class.
    - `validation_share` of every class of the rest is for validation. Near-duplicates (the same
      file, or perceptual hashes at most `near_duplicate_distance` bits apart) stay on one side, if
      they are of one class.
    - A train photo that nearly duplicates a test photo is dropped, and so is one file that stands
      in several classes: one of its labels must be wrong.
    - Negatives are halved by hash, and dropped if they duplicate a photo of the archive.

    Args:
        photos: the table that `decode` wrote (`photos.COLUMNS`).
        settings: parameters of the stage.
        attribution: of the photos, as `read_attribution` returns it.

    Returns:
        Columns `COLUMNS`, one row a photo, in the order of `id`.

    Raises:
        LandmarksError: a class has no train photo, there are fewer than two classes, or no photo
            for validation or for test.
    """
    photos = photos.set_index("id", drop=False).sort_index()
    split = pd.DataFrame(
        {"id": photos["id"], "class": photos["class"], "role": "", "reason": ""}, dtype=object
    )
    refused = photos["verdict"] != "ok"
    _drop(split, photos.index[refused], "refused: " + photos["reason"][refused])
    kept = _drop_excluded(split, photos[~refused], settings, attribution)
    # By content, so that whoever comes first below does so in every archive that holds it.
    usable = kept.sort_values(["sha1", "class", "path"])
    ours = usable[usable["source"] == "archive"]
    negatives = usable[usable["source"] == "negatives"]
    official = photos.loc[photos["source"] == "archive", "official_split"] == "test"
    _split_archive(split, ours, settings, divided=official.nunique() == 2)
    _split_negatives(split, negatives, ours, settings)
    archive = split[photos["source"] == "archive"]
    if official.any() and (archive["role"] == "train").any():
        _check_test_folder(archive[official])
    _check_classes(archive)
    return split.astype({"id": "int64"}).reset_index(drop=True)


def _drop_excluded(
    split: pd.DataFrame, photos: pd.DataFrame, settings: params.Split, attribution: pd.DataFrame
) -> pd.DataFrame:
    """Drop photos under excluded licences; return the others."""
    pattern = sources.excluded(attribution, photos.index, settings.exclude_licences)
    out = pattern != ""
    _drop(split, photos.index[out], sources.EXCLUDED + " `" + pattern[out] + "`")
    return photos[~out]


def _split_archive(
    split: pd.DataFrame, ours: pd.DataFrame, settings: params.Split, *, divided: bool
) -> None:
    """Divide the archive's usable photos; `divided` says whether it has a test folder itself."""
    official = ours["official_split"] == "test"
    if divided:
        split.loc[ours.index[official], "role"] = "test"
        rest = _drop_conflicts(split, ours[~official])
    else:
        rest = _drop_conflicts(split, ours)
        chosen = _choose(rest, settings.test_share, settings, purpose="test")
        split.loc[chosen, "role"] = "test"
        rest = rest.drop(chosen)
    test = ours[split.loc[ours.index, "role"] == "test"]
    copies = _copies_of(rest, test, settings.near_duplicate_distance)
    _drop(split, copies.index, "near-duplicate of test photo " + copies.astype(str))
    rest = rest.drop(copies.index)
    split.loc[rest.index, "role"] = "train"
    chosen = _choose(rest, settings.validation_share, settings, purpose="validation")
    split.loc[chosen, "role"] = "val"


def _drop_conflicts(split: pd.DataFrame, photos: pd.DataFrame) -> pd.DataFrame:
    """Drop files that stand in several classes, all copies; return the others."""
    conflict = photos.groupby("sha1")["class"].transform("nunique") > 1
    _drop(split, photos.index[conflict], "the same file stands in several classes")
    return photos[~conflict]


def _split_negatives(
    split: pd.DataFrame, negatives: pd.DataFrame, ours: pd.DataFrame, settings: params.Split
) -> None:
    distance = settings.near_duplicate_distance
    copies = _copies_of(negatives, ours, distance)
    _drop(split, copies.index, "near-duplicate of archive photo " + copies.astype(str))
    rest = negatives.drop(copies.index)
    # One draw a group, by its first hash: a further photo in the archive moves no other.
    tuning: list[int] = []
    for ids in _groups(rest, distance):
        if _rank("negatives", rest, ids)[0] < 128:
            tuning.extend(ids)
    split.loc[rest.index, "role"] = "negative_testing"
    split.loc[tuning, "role"] = "negative_tuning"


def _choose(
    photos: pd.DataFrame, share: float, settings: params.Split, *, purpose: str
) -> list[int]:
    """Choose a share of every class, near-duplicates together, at random by seed and content.

    Whole groups are taken in a random order as long as they fit. A class of at least two groups
    gives at least one photo where a group fits, and every class keeps at least one.
    """
    chosen: list[int] = []
    for _, members in photos.groupby("class"):
        groups = _groups(members, settings.near_duplicate_distance)
        wanted = min(max(1, round(share * len(members))), len(members) - 1)
        purpose_and_seed = f"{purpose} {settings.seed}"
        for ids in sorted(groups, key=lambda ids: _rank(purpose_and_seed, members, ids)):
            if len(ids) <= wanted:
                chosen.extend(ids)
                wanted -= len(ids)
    return chosen


def _rank(purpose: str, photos: pd.DataFrame, ids: list[int]) -> bytes:
    """Return random bytes that only the purpose and the content of a group's first photo decide."""
    return hashlib.sha256(f"{purpose} {photos['sha1'][ids[0]]}".encode()).digest()


def _groups(photos: pd.DataFrame, distance: int) -> list[list[int]]:
    """Group near-duplicates: lists of ids, each in the order of the rows."""
    first, second = _pairs(photos, photos, distance)
    count = len(photos)
    links = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    labels = connected_components(links, directed=False)[1]
    return [list(ids) for _, ids in pd.Series(photos.index).groupby(labels)]


def _copies_of(photos: pd.DataFrame, originals: pd.DataFrame, distance: int) -> pd.Series:
    """Return, by id of each photo that nearly duplicates an original, the lowest such original."""
    mine, theirs = _pairs(photos, originals, distance)
    pairs = pd.Series(originals.index.to_numpy()[theirs], index=photos.index[mine], dtype="int64")
    return pairs.groupby(level=0).min()


def _pairs(
    left: pd.DataFrame, right: pd.DataFrame, distance: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    same = equal_pairs(left["sha1"], right["sha1"])
    near = near_pairs(_hashes(left), _hashes(right), distance)
    return np.concatenate([same[0], near[0]]), np.concatenate([same[1], near[1]])


def _hashes(photos: pd.DataFrame) -> NDArray[np.uint64]:
    return np.array([int(text, 16) for text in photos["dhash"]], dtype=np.uint64)


def _drop(split: pd.DataFrame, ids: Iterable[int], reasons: str | pd.Series) -> None:
    split.loc[ids, "role"] = "dropped"
    split.loc[ids, "reason"] = reasons


def _check_test_folder(split: pd.DataFrame) -> None:
    """Refuse to go on where no photo of the archive's own test folder is left."""
    if (split["role"] == "dropped").all():
        common = _reasons(split).index[0]
        raise LandmarksError(
            f"no photo of the archive's test folder is left (most: {common})", hint=_more(common)
        )


def _more(common: str) -> str:
    """Return what to do where photos are missing for this reason."""
    if common.startswith(sources.EXCLUDED):
        return (
            "Add photos under other licences to these folders, leave them out, or shorten "
            "split.exclude_licences."
        )
    return "Add readable photos to these folders or leave the folders out."


def _check_classes(split: pd.DataFrame) -> None:
    classes = set(split["class"])
    missing = sorted(classes - set(split.loc[split["role"] == "train", "class"]))
    if missing:
        why = _reasons(split[split["class"].isin(missing)])
        common = str(next(iter(why.index), "in the test folder"))
        raise LandmarksError(
            f"no photo is left to train on in {len(missing)} of {len(classes)} classes: "
            + ", ".join(missing[:5])
            + (", …" if len(missing) > 5 else "")
            + f" (most: {common})",
            hint=_more(common),
        )
    if len(classes) < 2:
        raise LandmarksError(
            f"there is only one class, {next(iter(classes), '?')}",
            hint="Give an archive with a folder of photos for each of two or more landmarks.",
        )
    for role, purpose in (("val", "validation"), ("test", "test")):
        if not (split["role"] == role).any():
            raise LandmarksError(
                f"no photo is left for {purpose}: near-duplicates stay on one side, and each class"
                " keeps one to train on",
                hint="Add other photos, or lower split.near_duplicate_distance.",
            )


def _reasons(split: pd.DataFrame) -> pd.Series:
    """Return how many photos were dropped, by reason, the commonest first."""
    reasons = split.loc[split["role"] == "dropped", "reason"]
    return reasons.str.replace(r" \d+$", "", regex=True).value_counts()


def describe(split: pd.DataFrame) -> str:
    """Say in one line how many photos have which role, and why others were dropped."""
    counts = split["role"].value_counts()
    said = ", ".join(f"{counts[role]} {role}" for role in ROLES if role in counts)
    why = ", ".join(f"{n} {reason}" for reason, n in _reasons(split).sort_index().items())
    return f"split: {len(class_names(split))} classes, {said}" + (f" ({why})" if why else "")
