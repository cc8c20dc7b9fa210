"""A folder's photos, told by content: in a steady order, a folder at a time, without loops."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PHOTO = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif", ".tif", ".tiff", ".heic",
    ".heif", ".hif", ".gif", ".bmp", ".jp2", ".j2k", ".mpo",
)  # fmt: skip
"""Extensions that promise a photo: such a file is always a row, whatever it holds."""

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
_BRANDS = frozenset((b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1"))


@dataclass(frozen=True)
class Found:
    """A photo and what stands beside it.

    Attributes:
        path: of the photo.
        sidecar: where its place is written: `photo.jpg.xmp`, or a `photo.xmp` that is its alone.
        others: further sidecars that say something of it.
    """

    path: Path
    sidecar: Path
    others: tuple[Path, ...] = ()


Complain = Callable[[Path, str], None]


def walk(folder: Path, complain: Complain) -> Iterator[Found]:
    """Yield the photos in a folder and all below it, in the order of their names.

    Links to files are followed, links to folders are not: nothing is met twice, and no loop holds.
    Hidden files and folders are left out, as are raw files and what is no image by its content
    unless its name promises one.

    Args:
        folder: where to begin.
        complain: called with a folder that cannot be read, and why.
    """
    for here, names in _folders(folder, complain):
        beside = _Beside(names)
        for name in names:
            if _is_photo(here / name):
                yield beside.found(here, name)


def sidecars(folder: Path, complain: Complain) -> Iterator[Path]:
    """Yield every sidecar in a folder and all below it."""
    for here, names in _folders(folder, complain):
        yield from (here / name for name in names if name.lower().endswith(SIDECAR))


def _folders(folder: Path, complain: Complain) -> Iterator[tuple[Path, list[str]]]:
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


def _is_file(entry: "os.DirEntry[str]") -> bool:
    """Tell whether this is a file, or a link that leads to one, to nothing or to itself."""
    try:
        if entry.is_file():
            return True
    except OSError:
        return True
    return entry.is_symlink() and not os.path.exists(entry.path)


class _Beside:
    """Which files of one folder share a name up to the extension."""

    def __init__(self, names: list[str]) -> None:
        self.names = frozenset(names)
        self.real = {name.lower(): name for name in names}
        self.alike = Counter(name.lower() for name in names)
        split = [os.path.splitext(name.lower()) for name in names]
        self.stems = Counter(stem for stem, ending in split if ending in PHOTO or ending in RAW)

    def found(self, here: Path, name: str) -> Found:
        own = self._own(name)
        stem, extension = os.path.splitext(name.lower())
        short = self.real.get(stem + SIDECAR) if self.stems[stem] == 1 else None
        if short is None or not extension:
            return Found(here / name, here / own)
        if own in self.names:
            return Found(here / name, here / own, (here / short,))
        return Found(here / name, here / short)

    def _own(self, name: str) -> str:
        """Return the photo's full name with `.xmp`, or what another program made of its case."""
        exact = name + SIDECAR
        if exact in self.names or self.alike[name.lower()] > 1:
            return exact
        return self.real.get(exact.lower(), exact)


def _is_photo(path: Path) -> bool:
    extension = path.suffix.lower()
    if extension in PHOTO:
        return True
    if extension in RAW or extension == SIDECAR:
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    heif = head[4:8] == b"ftyp" and head[8:12] in _BRANDS
    return head.startswith(_SIGNATURES) or webp or heif
