"""Sidecars on the disk: read with care, written whole, put back as they were."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from landmarks.errors import FULL
from landmarks.files import replacing
from landmarks.tagging import packet, stores, walk, xmp
from landmarks.tagging.deciding import REFUSED, Row
from landmarks.tagging.places import Header, Position
from landmarks.tagging.spans import MOST_BYTES, Malformed
from landmarks.tagging.stores import Place


class Refused(Exception):
    """A sidecar that is left as it is; says which and why."""


class Change(NamedTuple):
    """What a sidecar becomes: `after` is None where it is removed."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def needed(self) -> bool:
        """Whether anything changes at all."""
        return self.before != self.after


def own_position(found: walk.Found, header: Header) -> tuple[Position | None, str]:
    """Return where a photo was taken by itself or its sidecars, and which of them says so."""
    if header.position:
        return header.position, found.path.name
    for path in (None, *found.beside):
        try:
            content = header.xmp if path is None else _read(path)
            if not content or (position := packet.position_in(content)) is None:
                continue
        except (Malformed, Refused):  # said when it is to be written
            continue
        if not _inferred_position(content):
            return position, (path or found.path).name
    return None, ""


def tagged(row: Row, model: str, has_position: bool) -> Change:
    """Return what the sidecar of a named photo becomes.

    Raises:
        Refused: there is one that cannot be read or extended.
    """
    path = stores.local(row.read.found.sidecar)
    before = _read(path)
    assert row.place is not None
    inferred = xmp.Inferred(row.place, row.place.confidence, model, not has_position)
    try:
        return Change(path, before, xmp.add(before, inferred))
    except Malformed as error:
        raise Refused(f"{path} was left as it is: {error}") from error


def withdrawn(row: Row, model: str) -> Change | None:
    """Return what the sidecar of a photo that is not named becomes; None without one.

    A place is taken out that a person refused, or that another model gave. It stays where this
    model gave it on other terms, and where none looked at the photo.

    Raises:
        Refused: the sidecar cannot be read.
    """
    if not row.read.found.beside or not row.judged:
        return None
    change = cleared(stores.local(row.read.found.sidecar))
    if change.before is None or not change.needed or row.reason == REFUSED:
        return change
    record = packet.Packet(change.before).record()
    return None if record and record.model == model else change


def cleared(path: Path) -> Change:
    """Return what a sidecar becomes when all that was inferred is taken out.

    Raises:
        Refused: it cannot be read.
    """
    before = _read(path)
    try:
        # Others' sidecars are none of our business, however odd they are.
        ours = before is not None and packet.OWN.encode() in before
        return Change(path, before, xmp.remove(before) if ours and before else before)
    except Malformed as error:
        raise Refused(f"{path} was left as it is: {error}") from error


def write(change: Change) -> None:
    """Write a sidecar whole or not at all, with the rights and the place of the old one.

    Raises:
        Refused: the folder cannot be written. A full disk ends the run instead.
    """
    path = change.path.resolve() if change.path.is_symlink() else change.path
    try:
        if change.after is None:
            path.unlink()
            return
        with replacing(path) as temporary:
            temporary.write_bytes(change.after)
            if change.before is not None:
                shutil.copymode(path, temporary)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise Refused(f"{change.path} cannot be written: {error.strerror}") from error


def undo(folder: Path, complain: walk.Complain) -> Iterator[Change]:
    """Yield what undoing changes below a folder; what cannot be read is complained about."""
    for path in walk.sidecars(folder, complain):
        try:
            change = cleared(path)
        except Refused as error:
            complain(path, str(error))
        else:
            if change.needed:
                yield change


def _read(path: Place) -> bytes | None:
    try:
        return stores.read(path, MOST_BYTES)
    except stores.TooLarge:
        raise Refused(f"{path} was left as it is: larger than {MOST_BYTES:,} bytes") from None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error


def _inferred_position(content: bytes) -> bool:
    """Tell whether the position in a sidecar was put there by us: it proves nothing then."""
    record = packet.Packet(content).record()
    return record is not None and packet.LATITUDE in record.added
