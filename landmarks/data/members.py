"""What may stand in an archive of photos, and what may not, whatever its format."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from landmarks.errors import LandmarksError

PHOTO_SUFFIXES = frozenset(
    (".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jfif", ".jp2", ".jpe")
    + (".jpeg", ".jpg", ".jpx", ".mpo", ".png", ".tif", ".tiff", ".webp")
)
"""A name that ends otherwise is no photo of an archive; in a folder to tag, one that ends so is
always a row. What the bytes really are, the decoder finds out."""

ARCHIVE_SUFFIXES = frozenset(
    (".7z", ".bz2", ".cab", ".gz", ".iso", ".lz4", ".lzma", ".rar", ".tar", ".tbz2", ".tgz")
    + (".txz", ".xz", ".z", ".zip", ".zst")
)
SAFE_INPUT = "Pack the photos again, e.g. `zip -r photos.zip train test`."


@dataclass(frozen=True, order=True)
class Member:
    """A photo in an archive: its full name there, and its unpacked size in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Limits:
    """How large an archive may be before it counts as an attack.

    A photo hardly shrinks when it is packed: JPEG, PNG, HEIC and WebP gain a few per cent. One
    that unpacks to a hundred times its weight is no photo. Small ones are let pass, because a
    plain bitmap of one colour does shrink that far.
    """

    members: int = 1_000_000
    member_bytes: int = 256 << 20
    total_bytes: int = 1 << 40
    ratio: int = 100
    ratio_from_bytes: int = 32 << 20


LIMITS = Limits()


def refusal(archive: str, member: str, reason: str, hint: str = SAFE_INPUT) -> LandmarksError:
    """Return the error that names archive and member, with unprintable characters escaped."""
    shown = member if member.isprintable() else ascii(member)
    return LandmarksError(f"{archive}: member `{shown[:200]}` {reason}", hint=hint)


def parts(name: str) -> tuple[str, ...]:
    """Return the folders and the file of a member's name, without `.` and empty parts."""
    return tuple(part for part in name.split("/") if part not in ("", "."))


def check_name(archive: str, name: str) -> None:
    """Refuse a name that points outside the archive or that a table could not hold.

    Raises:
        LandmarksError: the name is absolute, climbs with `..`, has a drive letter, a backslash or
            a control character, or is not Unicode.
    """
    if name.startswith("/") or ".." in name.split("/"):
        raise refusal(archive, name, "points outside the archive")
    if "\\" in name or re.match("[A-Za-z]:", name):
        raise refusal(archive, name, "is a Windows path, which may point outside the archive")
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise refusal(archive, name, "has control characters in its name")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise refusal(archive, name, "has a name that is not valid Unicode") from None


def is_junk(name: str) -> bool:
    """Say whether an operating system left this behind: hidden, `__MACOSX/`, `Thumbs.db`."""
    return any(
        part.startswith(".") or part in ("__MACOSX", "@eaDir") or part.lower() in _LEFT_BEHIND
        for part in parts(name)
    )


_LEFT_BEHIND = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))


@dataclass
class Census:
    """The members of one archive, admitted one by one and counted against the limits.

    Args:
        archive: its name in error messages.
        weight: bytes of the archive as it was packed.
    """

    archive: str
    weight: int
    limits: Limits = LIMITS
    photos: list[Member] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    _files: set[tuple[str, ...]] = field(default_factory=set)
    _members: int = 0
    _total: int = 0

    def folder(self, name: str) -> None:
        """Admit a folder, or refuse it for its name."""
        self._admit(name, 0)
        if not is_junk(name) and parts(name):
            self.folders.add("/".join(parts(name)))

    def file(self, name: str, size: int, packed: int) -> bool:
        """Admit a file of `size` bytes unpacked and `packed` in the archive; is it a photo?

        Raises:
            LandmarksError: its name or its size is not allowed, it is an archive itself, there
                was one of that name before, or the archive has become too large with it.
        """
        self._admit(name, size)
        if parts(name) in self._files:
            raise refusal(self.archive, name, "stands in it twice")
        self._files.add(parts(name))
        if is_junk(name):
            self.skipped["hidden or left behind by the system"] += 1
            return False
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in ARCHIVE_SUFFIXES:
            raise refusal(
                self.archive, name, "is an archive itself", "Unpack it, then pack photos only."
            )
        self.folders.update("/".join(parts(name)[:end]) for end in range(1, len(parts(name))))
        if suffix not in PHOTO_SUFFIXES:
            self.skipped["not an image"] += 1
            return False
        if size > self.limits.member_bytes or self._bursts(size, packed):
            said = f"unpacks from {packed:,} to {size:,} bytes, too much for a photo"
            raise refusal(self.archive, name, said, "Remove it from the archive.")
        self.photos.append(Member(name, size))
        return True

    def _admit(self, name: str, size: int) -> None:
        check_name(self.archive, name)
        self._members += 1
        if self._members > self.limits.members:
            raise too_many(self.archive, self.limits)
        self._total += size
        if self._total > self.limits.total_bytes or self._bursts(self._total, self.weight):
            raise LandmarksError(
                f"{self.archive} weighs {self.weight:,} bytes and unpacks to {self._total:,} or"
                " more, as archives do that were made to fill disks",
                hint=SAFE_INPUT,
            )

    def _bursts(self, size: int, packed: int) -> bool:
        return size > self.limits.ratio_from_bytes and size > self.limits.ratio * packed


def too_many(archive: str, limits: Limits) -> LandmarksError:
    """Return the error for an archive with more members than anybody has photos."""
    return LandmarksError(
        f"{archive} has more than {limits.members:,} members",
        hint="Check that it is the archive you mean, or divide it.",
    )


def total_skipped(counts: Iterable[tuple[str, int]]) -> str:
    """Return `2 hidden ..., 1 not an image`, or nothing where nothing was skipped."""
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts))
