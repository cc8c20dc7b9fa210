"""Turn a tar or a folder of photos into the one format that is read: a stored, sorted zip."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

from landmarks.data.disk import telling_disk_errors
from landmarks.data.members import LIMITS, Census, Limits, parts, refusal
from landmarks.errors import LandmarksError
from landmarks.files import replacing

_CHUNK = 1 << 20
_BLOCK = 512
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can hold
_LONGEST_HEADER = 1 << 20
_OPENERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    b"\x5d\0\0": lzma.open,
}
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.TarError, ValueError)
_LINKS = (
    "Pack the photos themselves, not links to them "
    "(`cp -rL`, `tar --dereference --hard-dereference`)."
)

HEAD_BYTES = 512
"""As much of the start of a file as `kind` needs."""


def kind(head: bytes) -> str:
    """Say what the first `HEAD_BYTES` of a file promise: `zip`, `tar`, `packed` or nothing.

    `packed` is a compressed file, which should hold a tar.
    """
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return "zip"
    if any(head.startswith(magic) for magic in _OPENERS):
        return "packed"
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return ""
    return "tar"


def normalise(source: Path, destination: Path, limits: Limits = LIMITS) -> None:
    """Write `destination`, a zip, from a zip, a tar or a folder; whole or not at all.

    A zip is copied byte for byte. Photos of a tar or a folder are stored without compression,
    sorted by name and dated 1980, so that the same photos give the same bytes. Folders without
    photos are kept, as they tell of empty classes. Memory does not grow with the photos.

    Raises:
        LandmarksError: the source is missing, damaged or of another format, or has members that
            are not allowed; see `landmarks.data.members`.
    """
    found = "folder" if source.is_dir() else kind(_head(source))
    with telling_disk_errors(destination.parent), replacing(destination) as temporary:
        if found == "folder":
            _write(temporary, *_from_folder(source, limits))
        elif found == "zip":
            shutil.copyfile(source, temporary)
        elif found == "tar":
            with source.open("rb") as plain:
                _repack_tar(plain, source, temporary, limits)
        elif found == "packed":
            with _unpacked(source, temporary.with_suffix(".tar.part"), limits) as plain:
                _repack_tar(plain, source, temporary, limits)
        else:
            raise LandmarksError(
                f"{source} is neither a zip nor a tar (plain, gzip, bzip2 or xz) nor a folder",
                hint="Look into it: it may be a web page with an error, or a truncated file.",
            )


@dataclass(frozen=True)
class _Entry:
    """A photo, and a function that opens it at its first byte."""

    name: str
    size: int
    open: Callable[[], io.BufferedIOBase]


def _head(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise LandmarksError(
            f"{source} is missing", hint="Check `download.source` in params.yaml."
        ) from None


def _write(destination: Path, entries: list[_Entry], folders: set[str], origin: Path) -> None:
    """Write photos, and those folders that hold none of them."""
    filled = {folder for entry in entries for folder in _parents(entry.name)}
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_STORED) as archive:
        for folder in sorted(folders - filled):
            info = zipfile.ZipInfo(f"{folder}/", _EPOCH)
            info.create_system, info.external_attr = 3, (stat.S_IFDIR | 0o755) << 16 | 0x10
            archive.writestr(info, b"")
        for entry in sorted(entries, key=lambda entry: entry.name):
            info = zipfile.ZipInfo(entry.name, _EPOCH)
            info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            info.file_size = entry.size
            with entry.open() as photo, archive.open(info, "w") as member:
                left = entry.size
                while left and (chunk := photo.read(min(_CHUNK, left))):
                    left -= member.write(chunk)
                if left:
                    raise refusal(str(origin), entry.name, "ends too early", "Copy it again.")


def _parents(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name


def _from_folder(folder: Path, limits: Limits) -> tuple[list[_Entry], set[str], Path]:
    """Return the photos in a folder of class folders; links and devices are refused."""
    census = Census(str(folder), limits.total_bytes, limits)
    entries = []
    for found in _walk(folder):
        name = Path(found.path).relative_to(folder).as_posix()
        status = found.stat(follow_symlinks=False)
        if found.is_symlink():
            raise refusal(str(folder), name, "is a link", _LINKS)
        if found.is_dir():
            census.folder(name)
        elif not stat.S_ISREG(status.st_mode):
            raise refusal(str(folder), name, "is neither a file nor a folder", "Remove it.")
        elif census.file(name, status.st_size, status.st_size):
            entries.append(_Entry(name, status.st_size, partial(_open, found.path)))
    return entries, census.folders, folder


def _open(path: str) -> io.BufferedReader:
    return open(path, "rb")


def _walk(folder: Path | str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)


class _Guarded(io.RawIOBase):
    """A plain tar that gives no header of more than a megabyte, which would fill the memory."""

    def __init__(self, plain: BinaryIO) -> None:
        self._plain = plain

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._plain.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._plain.seek(offset, whence)

    def tell(self) -> int:
        return self._plain.tell()


class _Window(io.BufferedIOBase):
    """The bytes of one member of a plain tar; closing it leaves the tar open."""

    def __init__(self, plain: BinaryIO, start: int) -> None:
        self._plain = plain
        plain.seek(start)

    def read(self, size: int | None = -1) -> bytes:
        return self._plain.read(-1 if size is None else size)


def _repack_tar(plain: BinaryIO, source: Path, destination: Path, limits: Limits) -> None:
    census = Census(str(source), os.fstat(plain.fileno()).st_size, limits)
    entries, end = [], 0
    try:
        with tarfile.open(fileobj=_Guarded(plain), mode="r:") as archive:
            while (info := archive.next()) is not None:
                if info.size < 0 or archive.offset <= end:
                    raise tarfile.ReadError(f"a header at {end:,} that points backwards")
                end = archive.offset
                if entry := _tar_entry(info, census, plain):
                    entries.append(entry)
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
    except _DAMAGE as error:
        raise _damaged(source, str(error)) from error
    plain.seek(end)
    # tarfile takes a broken header in the middle for the end. A real end is a block of zeros.
    if plain.read(_BLOCK) != bytes(_BLOCK):
        raise _damaged(source, "it has no end mark")
    _write(destination, entries, census.folders, source)


def _tar_entry(info: tarfile.TarInfo, census: Census, plain: BinaryIO) -> _Entry | None:
    name = "/".join(parts(info.name)) if info.name.startswith("./") else info.name
    if info.issym() or info.islnk():
        raise refusal(census.archive, name, "is a link", _LINKS)
    if info.isdir():
        census.folder(name)
        return None
    if not info.isreg() or info.issparse():
        raise refusal(census.archive, name, "is neither a plain file nor a folder")
    if not census.file(name, info.size, info.size):
        return None
    start = info.offset_data
    return _Entry(name, info.size, lambda: _Window(plain, start))


@contextmanager
def _unpacked(source: Path, temporary: Path, limits: Limits) -> Iterator[BinaryIO]:
    """Yield the plain tar inside a compressed one, as a file on the disk for random access."""
    weight = source.stat().st_size
    most = min(limits.total_bytes, max(limits.ratio_from_bytes, limits.ratio * weight))
    magic = _head(source)
    opener = next(opener for start, opener in _OPENERS.items() if magic.startswith(start))
    try:
        with temporary.open("w+b") as plain:
            with opener(source) as packed:
                while chunk := _read(packed, source):
                    plain.write(chunk)
                    if plain.tell() > most:
                        raise LandmarksError(
                            f"{source} weighs {weight:,} bytes and unpacks to {most:,} or more, as"
                            " archives do that were made to fill disks",
                            hint="Pack the photos again, e.g. `tar -czf photos.tar.gz train test`.",
                        )
            plain.seek(0)
            yield plain
    finally:
        temporary.unlink(missing_ok=True)


def _read(packed: IO[bytes], source: Path) -> bytes:
    try:
        return packed.read(_CHUNK)
    except (*_DAMAGE, OSError) as error:
        raise _damaged(source, str(error)) from error


def _damaged(source: Path, reason: str) -> LandmarksError:
    return LandmarksError(
        f"{source} is damaged or no tar: {reason}",
        hint="It may be truncated: download or copy it again.",
    )
