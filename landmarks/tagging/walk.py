"""A folder's photos, told by content: in a steady order, a folder at a time, without loops."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from landmarks.data.members import PHOTO_SUFFIXES
from landmarks.errors import LandmarksError
from landmarks.tagging import stores
from landmarks.tagging.stores import Place, Remote

RAW = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc",
    ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl",
    ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
"""Extensions of cameras' raw files: left out, though many begin like TIFF."""

SIDECAR = ".xmp"
_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cjP  ",
)
_HEAD = 16
_AT_ONCE = 32
"""Files of a store that are looked into at once: each costs a round trip."""

_LIST = 1000
_BRANDS = frozenset((b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1"))


@dataclass(frozen=True)
class Found:
    """A photo and what stands beside it.

    Attributes:
        path: of the photo.
        sidecar: where its place is written: `photo.jpg.xmp`, or a `photo.xmp` that is its alone.
        beside: the sidecars that are there and say something of it.
    """

    path: Place
    sidecar: Place
    beside: tuple[Place, ...] = ()


Complain = Callable[[Place, str], None]


def walk(folder: Place, complain: Complain) -> Iterator[Found]:
    """Yield the photos in a folder and all below it, in the order of their names.

    Links to files are followed, links to folders are not: nothing is met twice, and no loop holds.
    Hidden files and folders are left out, as are raw files and what is no image by its content
    unless its name promises one.

    Args:
        folder: where to begin.
        complain: called with a folder that cannot be read, and why.
    """
    if isinstance(folder, Remote):
        for there, remote in _remote_folders(folder, complain):
            beside = _Beside(there, remote, remote.__getitem__)
            yield from map(beside.found, _remote_photos(remote))
        return
    for here, names in _folders(folder, complain):
        beside = _Beside(here, names, here.joinpath)
        yield from (beside.found(name) for name in names if _is_photo(here / name))


def sidecars(folder: Path, complain: Complain) -> Iterator[Path]:
    """Yield every sidecar in a folder and all below it."""
    for here, names in _folders(folder, complain):
        yield from (here / name for name in names if name.lower().endswith(SIDECAR))


def _folders(folder: Path, complain: Complain) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder with the names of its files, and no more of them: it may hold millions."""
    todo = [folder]
    while todo:
        here = todo.pop()
        files, below = [], []
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
                    elif _is_file(entry):
                        files.append(entry.name)
        except OSError as error:
            complain(here, error.strerror or str(error))
        yield here, sorted(files)
        todo += [here / name for name in sorted(below, reverse=True)]


def _remote_folders(
    folder: Remote, complain: Complain
) -> Iterator[tuple[Remote, dict[str, Remote]]]:
    todo = [folder]
    while todo:
        here = todo.pop()
        try:
            files, below = stores.listed(here)
        except LandmarksError as error:
            complain(here, error.message)
            continue
        shown = sorted(name for name in files if not name.startswith("."))
        yield here, {name: files[name] for name in shown}
        seen = [one for one in below if not one.name.startswith(".")]
        todo += sorted(seen, key=lambda one: one.name, reverse=True)


def _remote_photos(files: dict[str, Remote]) -> Iterator[str]:
    """Yield the names of photos; those that promise nothing are looked into, many at once."""
    names = list(files)
    with ThreadPoolExecutor(_AT_ONCE, "look") as pool:
        for start in range(0, len(names), _LIST):
            some = names[start : start + _LIST]
            unsure = [name for name in some if _promised(name) is None]
            heads = pool.map(lambda name: stores.head(files[name], _HEAD), unsure)
            photos = {name for name, head in zip(unsure, heads, strict=True) if _begins(head)}
            yield from (name for name in some if _promised(name) or name in photos)


def _is_file(entry: "os.DirEntry[str]") -> bool:
    """Tell whether this is a file, or a link that leads to one, to nothing or to itself."""
    try:
        if entry.is_file():
            return True
    except OSError:
        return True
    return entry.is_symlink() and not os.path.exists(entry.path)


class _Beside:
    """The sidecars of one folder, and which files share a name where there is one.

    Args:
        here: the folder.
        names: of its files.
        place: gives the file of a name.
    """

    def __init__(self, here: Place, names: Collection[str], place: Callable[[str], Place]) -> None:
        self.here, self.place = here, place
        self.sidecars = {name for name in names if name.lower().endswith(SIDECAR)}
        self.real = {name.lower(): name for name in sorted(self.sidecars)}
        # Only of files with a sidecar, or a large folder would take ten times the memory.
        paired = {name.lower() for name in names if (name + SIDECAR).lower() in self.real}
        self.alike = Counter(name.lower() for name in names if name.lower() in paired)
        split = (os.path.splitext(name.lower()) for name in names)
        self.stems = Counter(
            stem
            for stem, ending in split
            if stem + SIDECAR in self.real and (ending in PHOTO_SUFFIXES or ending in RAW)
        )

    def found(self, name: str) -> Found:
        path, own = self.place(name), self._own(name)
        stem, extension = os.path.splitext(name.lower())
        names = [own] if own in self.sidecars else []
        # Not `photo.jpg_original` or `photo.jpg~`, which are photos, too, by their content.
        named = extension in PHOTO_SUFFIXES or extension in RAW
        if named and self.stems[stem] == 1 and stem + SIDECAR in self.real:
            names.append(self.real[stem + SIDECAR])
        there = tuple(map(self.place, names))
        return Found(path, there[0] if there else self.here / own, there)

    def _own(self, name: str) -> str:
        """Return the photo's full name with `.xmp`, or what another program made of its case."""
        exact = name + SIDECAR
        if exact in self.sidecars or self.alike[name.lower()] > 1:
            return exact
        return self.real.get(exact.lower(), exact)


def _is_photo(path: Path) -> bool:
    promised = _promised(path.name)
    if promised is not None:
        return promised
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _begins(file.read(_HEAD))
    except OSError:
        return False


def _promised(name: str) -> bool | None:
    """Tell by its name whether a file is a photo; None where the name says nothing."""
    extension = os.path.splitext(name)[1].lower()
    if extension in PHOTO_SUFFIXES:
        return True
    return False if extension in RAW or extension == SIDECAR else None


def _begins(head: bytes) -> bool:
    """Tell whether a file begins as photos do."""
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    heif = head[4:8] == b"ftyp" and head[8:12] in _BRANDS
    return head.startswith(_SIGNATURES) or webp or heif
