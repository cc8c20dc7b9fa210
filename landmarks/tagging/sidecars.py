"""Sidecars on the disk: read with care, written whole, put back as they were."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from landmarks.errors import FULL
from landmarks.files import replacing
from landmarks.tagging import packet, stores, walk, xmp
from landmarks.tagging.deciding import REFUSED, Row
from landmarks.tagging.places import Header, Position, distance_km, from_xmp
from landmarks.tagging.spans import MOST_BYTES, Malformed
from landmarks.tagging.stores import Place

_SAME_KM = 0.1
"""Another program may spell a position anew: nearer than this, it still is the one we wrote."""


class Refused(Exception):
    """A sidecar that is left as it is; says which and why."""


class Oversized(Refused):
    """One that is too large to be read, and so was never written to by us."""


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
        if not _is_inferred(position, content):
            return position, (path or found.path).name
    return None, ""


def concerned(row: Row) -> list[Path]:
    """Return the sidecars that may have to change: those that are there, and that of a name."""
    found = row.read.found
    paths = (found.sidecar, *found.beside) if row.decision == "named" else found.beside
    return [stores.local(path) for path in dict.fromkeys(paths)]


def change(row: Row, path: Path, model: str, has_position: bool) -> Change | None:
    """Return what a sidecar becomes; None where nothing is to be said in it.

    Raises:
        Refused: it cannot be read or extended.
    """
    if row.decision == "named" and path == row.read.found.sidecar:
        return _tagged(row, path, model, has_position)
    return _withdrawn(row, path, model)


def _tagged(row: Row, path: Path, model: str, has_position: bool) -> Change:
    """Return what the sidecar of a named photo becomes."""
    before = _read(path)
    assert row.place is not None
    inferred = xmp.Inferred(row.place, row.place.confidence, model, not has_position)
    try:
        return Change(path, before, xmp.add(before, inferred))
    except Malformed as error:
        raise Refused(f"{path} was left as it is: {error}") from error


def _withdrawn(row: Row, path: Path, model: str) -> Change | None:
    """Return what a sidecar becomes in which no place is to stand.

    A place is taken out that a person refused, or that another model gave. It stays where this
    model gave it on other terms, and where none looked at the photo.
    """
    if not row.judged:
        return None
    try:
        change = cleared(path)
    except Oversized:
        if row.reason == REFUSED:
            raise
        return None
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
        raise Oversized(f"{path} was left as it is: larger than {MOST_BYTES:,} bytes") from None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error


def _is_inferred(position: Position, content: bytes) -> bool:
    """Tell whether the position in a sidecar is the one that we put there: it proves nothing."""
    record = packet.Packet(content).record()
    added = record.added if record else {}
    written = [next(iter(added.get(name, ())), "") for name in (packet.LATITUDE, packet.LONGITUDE)]
    ours = from_xmp(*written)
    return ours is not None and distance_km(ours, position) < _SAME_KM
