"""Which class and which official split a photo has, by where it lies in its archive."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from landmarks.data.members import Member, parts
from landmarks.errors import LandmarksError

TRAIN_FOLDERS = frozenset(("train", "training", "val", "valid", "validation"))
"""Photos that an archive sets aside for validation are train photos: `split` draws its own."""
TEST_FOLDERS = frozenset(("test", "testing"))

_LAYOUT = (
    "It should hold one folder a class, e.g. `train/00.Name/photo.jpg` and `test/00.Name/photo.jpg`"
    " or `00.Name/photo.jpg`."
)


@dataclass(frozen=True, order=True)
class Photo:
    """A photo and what its place says.

    `path` is the member's name. `class_name` is its class folder, in Unicode's NFC, because
    systems disagree about accents in file names. `official_split` is `train`, `test` or, where
    the archive has no test folder, empty.
    """

    path: str
    class_name: str
    official_split: str


def layout(
    members: Iterable[Member], folders: Iterable[str] = (), *, archive: str = "the archive"
) -> list[Photo]:
    """Return the photos that lie in class folders, sorted by path; others are left out.

    Class folders may lie beneath `train` and `test` folders, and all of it beneath one top
    folder. Folders inside a class folder belong to the class. With a train or a test folder,
    what lies beside them is left out.

    Args:
        members: the photos of an archive.
        folders: all its folders, so that a class without photos is noticed.
        archive: its name in error messages.

    Raises:
        LandmarksError: no photo lies in a class folder; there are fewer than two classes; a class
            has no photo, or too few to be divided; train and test differ in their classes.
    """
    placed = [(member.name, parts(member.name)) for member in members]
    top = _top_folder([place for _, place in placed])
    inner = [(name, place[len(top) :]) for name, place in placed if place[: len(top)] == top]
    divided = any(len(place) > 2 and _split_of(place[0]) for _, place in inner)
    tested = divided and any(len(p) > 2 and _split_of(p[0]) == "test" for _, p in inner)
    photos = []
    for name, place in inner:
        split = _split_of(place[0]) if divided else ""
        folder_at = 1 if divided else 0
        if len(place) > folder_at + 1 and (split or not divided):
            label = unicodedata.normalize("NFC", place[folder_at])
            photos.append(Photo(name, label, split if tested else ""))
    if not photos:
        raise LandmarksError(f"{archive} has no photo in a class folder", hint=_LAYOUT)
    _check_empty(photos, folders, top, divided, archive)
    _check_counts(photos, archive)
    return sorted(photos)


def kinds(members: Iterable[Member], *, archive: str = "the archive") -> list[Photo]:
    """Return photos of no known landmark, sorted by path: the class is the kind of photo.

    They lie as `<kind>/<file>`, optionally beneath one top folder. An archive without any photo
    gives an empty list.

    Raises:
        LandmarksError: there are photos, but none lies in a folder.
    """
    placed = [(member.name, parts(member.name)) for member in members]
    top = _top_folder([place for _, place in placed])
    photos = [
        Photo(name, unicodedata.normalize("NFC", place[len(top)]), "")
        for name, place in placed
        if len(place) > len(top) + 1
    ]
    if placed and not photos:
        raise LandmarksError(
            f"{archive} has photos, but none in a folder",
            hint="It should hold one folder a kind of photo, e.g. `everyday/photo.jpg`.",
        )
    return sorted(photos)


def _split_of(folder: str) -> str:
    name = folder.lower()
    return "train" if name in TRAIN_FOLDERS else "test" if name in TEST_FOLDERS else ""


def _top_folder(places: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the one folder that all folders lie in, or nothing."""
    in_folders = [place for place in places if len(place) > 1]
    first = {place[0] for place in in_folders}
    deep = any(len(place) > 2 for place in in_folders)
    return tuple(first) if len(first) == 1 and deep and not _split_of(min(first)) else ()


def _check_empty(
    photos: Sequence[Photo],
    folders: Iterable[str],
    top: tuple[str, ...],
    divided: bool,
    archive: str,
) -> None:
    """Refuse class folders that hold no photo."""
    depth = len(top) + (2 if divided else 1)
    filled = {parts(photo.path)[:depth] for photo in photos}
    empty = sorted(
        folder
        for folder in folders
        if len(parts(folder)) == depth
        and parts(folder)[: len(top)] == top
        and (not divided or _split_of(parts(folder)[len(top)]))
        and parts(folder) not in filled
    )
    if empty:
        raise LandmarksError(
            f"{archive}: no photo in {_named(empty)}", hint="Add photos or remove the folder."
        )


def _check_counts(photos: Sequence[Photo], archive: str) -> None:
    """Refuse classes that cannot be learned or measured."""
    tested = any(photo.official_split == "test" for photo in photos)
    learned = Counter(photo.class_name for photo in photos if photo.official_split != "test")
    measured = {photo.class_name for photo in photos if photo.official_split == "test"}
    if unknown := sorted(measured - set(learned)):
        raise LandmarksError(
            f"{archive}: only its test folder has {_named(unknown)}",
            hint="Add train photos of them, or remove their test photos.",
        )
    if tested and (untested := sorted(set(learned) - measured)):
        raise LandmarksError(
            f"{archive}: only its train folder has {_named(untested)}",
            hint="Add test photos of them, remove the class, or remove the whole test folder.",
        )
    if len(learned) < 2:
        raise LandmarksError(
            f"{archive} has one class only, {_named(sorted(learned))}", hint=_LAYOUT
        )
    least = 2 if tested else 3
    if few := sorted(name for name, count in learned.items() if count < least):
        raise LandmarksError(
            f"{archive}: fewer than {least} photos to divide in {_named(few)}",
            hint="Training and validation need one photo each, and so does the test where there"
            " is no test folder. Add photos or remove the class.",
        )


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return f"{shown} and {len(names) - 5:,} more" if len(names) > 5 else shown
