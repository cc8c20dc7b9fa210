"""The ONE place where photos are read from a zip: straight from it, never unpacked to the disk."""

import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from landmarks.data.layout import Photo, kinds, layout
from landmarks.data.members import LIMITS, SAFE_INPUT, Census, Limits, Member, refusal, too_many
from landmarks.errors import LandmarksError

__all__ = ["Archive", "Member", "MemberError", "Photo", "kinds", "layout", "open_archive"]

# APPNOTE.TXT 6.3.10, sections 4.3.12, 4.3.14, 4.3.16 and 4.4.4.
_END, _END64, _LOCATOR, _ENTRY = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2"
_END_BYTES, _LOCATOR_BYTES, _LONGEST_COMMENT = 22, 20, 0xFFFF
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK = 1 << 20
_AVERAGE_ENTRY = 512

DAMAGED = "It may be truncated: download or copy it again."


class MemberError(LandmarksError):
    """One member cannot be read; the others can."""


class Archive:
    """An open zip of photos. It may be used in several processes: each gets a handle of its own.

    Attributes:
        path: the file.
        members: its photos, sorted by name.
        folders: its folders, with or without photos, but for hidden ones.
        skipped: how many other members there are, by reason.
    """

    def __init__(self, path: str | os.PathLike[str], limits: Limits = LIMITS) -> None:
        self.path = Path(path)
        self.limits = limits
        _count_entries(self.path, limits)
        self._reopen()
        try:
            census = _take_census(self._zip, self.path, limits)
        except BaseException:
            self.close()
            raise
        self.members: list[Member] = sorted(census.photos)
        self.folders: list[str] = sorted(census.folders)
        self.skipped: Counter[str] = census.skipped

    def read(self, member: Member | str) -> bytes:
        """Return the bytes of a photo, never more than its declared size and the limit.

        Raises:
            MemberError: the member is not there, is damaged, or is not as long as declared.
        """
        if os.getpid() != self._process:
            self._reopen()  # A forked process would share its position in the file with others.
        name = member if isinstance(member, str) else member.name
        try:
            info = self._zip.getinfo(name)
            if info.file_size > self.limits.member_bytes:
                raise MemberError(f"{self.path}: member `{name}` is too large for a photo")
            with self._zip.open(info) as file:
                # zipfile stops at the declared size and compares the checksum there.
                content = file.read(info.file_size)
                if len(content) != info.file_size:
                    raise zipfile.BadZipFile("it is not as long as declared")
        except KeyError:
            raise MemberError(f"{self.path} has no member `{name}`") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise MemberError(
                f"{self.path}: member `{name}` is damaged: {error}", hint=DAMAGED
            ) from error
        return content

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _reopen(self) -> None:
        self._process = os.getpid()
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise _no_zip(self.path, str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[Path, Limits]]:
        """A copy that was pickled for another process opens the file anew."""
        return (type(self), (self.path, self.limits))


def open_archive(path: str | os.PathLike[str], limits: Limits = LIMITS) -> Archive:
    """Open a zip and check all its members before the first is read.

    Raises:
        LandmarksError: it is missing, damaged or no zip; a member's name points outside, is there
            twice, or is a link; a member is encrypted, packed in a way that cannot be bounded, or
            an archive itself; there are too many; they unpack to far more than they weigh.
    """
    return Archive(path, limits)


def _take_census(file: zipfile.ZipFile, path: Path, limits: Limits) -> Census:
    census = Census(str(path), path.stat().st_size, limits)
    packed = 0
    for info in file.infolist():
        _check_kind(info, str(path))
        if info.is_dir():
            census.folder(info.filename)
        else:
            census.file(info.filename, info.file_size, info.compress_size)
        packed += info.compress_size
        if packed > census.weight:
            raise LandmarksError(
                f"{path}: its members share bytes or reach beyond its end, as in archives that"
                " were made to fill disks",
                hint=SAFE_INPUT,
            )
    return census


def _check_kind(info: zipfile.ZipInfo, archive: str) -> None:
    name = info.orig_filename
    if "\0" in name:
        raise refusal(archive, name, "has control characters in its name")
    if info.flag_bits & _ENCRYPTED:
        raise refusal(archive, name, "is encrypted", "Pack the photos again without a password.")
    mode = stat.S_IFMT(info.external_attr >> 16)
    if mode == stat.S_IFLNK:
        raise refusal(archive, name, "is a link", "Pack the photos themselves, not links to them.")
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refusal(archive, name, "is neither a file nor a folder")
    if info.compress_type not in _METHODS:
        said = f"is packed by method {info.compress_type}; only 0 (store) and 8 (deflate) are read"
        raise refusal(archive, name, said)


def _count_entries(path: Path, limits: Limits) -> None:
    """Refuse a zip with too many members before `zipfile` makes an object of each.

    The count that a zip declares may be a lie, hence the entries themselves are counted.
    """
    try:
        with path.open("rb") as file:
            start, end = find_directory(file)
            file.seek(start)
            seen, tail = 0, b""
            while (left := end - file.tell()) > 0 and (chunk := file.read(min(_CHUNK, left))):
                seen += (tail + chunk).count(_ENTRY)
                tail = chunk[-3:]
    except (FileNotFoundError, NotADirectoryError):
        raise LandmarksError(
            f"{path} is missing", hint="Run `dvc repro download`, or name another archive."
        ) from None
    except IsADirectoryError:
        raise LandmarksError(f"{path} is a folder, not a zip") from None
    except (struct.error, ValueError) as error:
        raise _no_zip(path, "it has no directory at its end") from error
    if seen > limits.members or end - start > limits.members * _AVERAGE_ENTRY:
        raise too_many(str(path), limits)


def find_directory(file: BinaryIO) -> tuple[int, int]:
    """Return at which byte of a zip the central directory starts, and where it ends.

    Raises:
        ValueError, struct.error: there is none: the zip is cut off, or no zip.
    """
    size = file.seek(0, os.SEEK_END)
    tail_start = max(0, size - _LONGEST_COMMENT - _END_BYTES - _LOCATOR_BYTES)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rindex(_END)
    length, end = struct.unpack_from("<L", tail, at + 12)[0], tail_start + at
    locator = at - _LOCATOR_BYTES
    if locator >= 0 and tail[locator : locator + 4] == _LOCATOR:
        # zipfile looks for the 64-bit record right before its locator, too.
        file.seek(max(0, tail_start + locator - 56))
        record = file.read(56)
        if record[:4] == _END64:
            length, end = struct.unpack_from("<Q", record, 40)[0], tail_start + locator - 56
    if length > end:
        raise ValueError("the directory is longer than the file")
    file.seek(end - length)
    if length and file.read(len(_ENTRY)) != _ENTRY:
        raise ValueError("what should be the directory is something else")
    return end - length, end


def _no_zip(path: Path, reason: str) -> LandmarksError:
    return LandmarksError(f"{path} is no whole zip archive: {reason}", hint=DAMAGED)
