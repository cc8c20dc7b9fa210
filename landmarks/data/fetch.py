"""Bring one large file here: resumed after a break, checked, and in place only when whole."""

import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from landmarks import files
from landmarks.data import repack
from landmarks.data.archive import find_directory
from landmarks.data.partial import Identity, Partial
from landmarks.data.remote import LOCAL_COPY, Changed, Hiccup, advice, reading, shown
from landmarks.errors import LandmarksError

_ADVANCE = 1 << 20
"""A try that brought this many new bytes was no failure: large files may take many tries."""


@dataclass(frozen=True)
class Patience:
    """How long to bear with a bad connection; waits double from the first to the longest.

    Attributes:
        tries: in a row, none of which brought the download forward.
        first_wait, longest_wait: seconds.
        timeout: seconds without a byte after which the connection counts as lost.
    """

    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 60.0


PATIENCE = Patience()


@dataclass(frozen=True)
class Form:
    """What a file must be.

    Attributes:
        name: in messages.
        archive: whether it is a zip or a tar; else it is text and no web page.
        most: bytes that it may have; None for any.
    """

    name: str
    archive: bool
    most: int | None = None


ARCHIVE = Form("zip or tar archive", archive=True)


@contextmanager
def fetching(
    source: str,
    *,
    sha256: str | None,
    state: Path,
    progress: bool = True,
    patience: Patience = PATIENCE,
    form: Form = ARCHIVE,
) -> Iterator[Partial]:
    """Bring a file from a URL or a path of this machine here, whole, for the time of the block.

    What came so far is kept in `state` when the connection or this process dies, and the next
    call continues there if the file is the same: by size, and ETag, Last-Modified or the like.
    So is the whole file when the block fails, unless the block discards it.

    Args:
        source: http(s), any other URL that fsspec reads, or a path.
        sha256: what the file's SHA-256 must be, 64 hexadecimal digits, or None for any.
        state: a folder for partial files.
        progress: draw a bar on stderr.
        form: what the file must be.

    Raises:
        LandmarksError: nothing is at the source, it cannot be reached, it is of another form, too
            large or has another SHA-256, or the disk is full.
    """
    partial = Partial(state, source)
    with partial.alone():
        for second_time in (False, True):
            resumed = _complete(partial, source, sha256, progress, patience, form)
            try:
                _check(partial, source, sha256, form)
                break
            except LandmarksError:
                partial.discard()
                # Parts of different files may have been put together: once more, in one go.
                if second_time or not resumed:
                    raise
                print(f"{shown(source)}: its parts do not fit, starting over", file=sys.stderr)
        yield partial
        partial.discard()


def _complete(
    partial: Partial,
    source: str,
    sha256: str | None,
    progress: bool,
    patience: Patience,
    form: Form,
) -> bool:
    """Receive until the file is whole, in as many tries as it takes; were there several?"""
    resumed, failures, most = partial.size > 0, 0, partial.size
    name = shown(source).rpartition("/")[2]
    bar: tqdm[Any] = tqdm(
        desc=name,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=not progress,
        mininterval=0.5 if sys.stderr.isatty() else 10,  # a log needs no moving picture
    )
    with bar:
        while True:
            try:
                _receive(partial, source, sha256 is not None, bar, patience, form)
                return resumed
            except Hiccup as hiccup:
                if isinstance(hiccup, Changed):
                    partial.discard()
                elif partial.size >= most + _ADVANCE:
                    failures = 0
                failures, most = failures + 1, max(most, partial.size)
                if failures >= patience.tries or hiccup.wait > patience.longest_wait:
                    raise _given_up(partial, source, hiccup, failures) from hiccup
                wait = min(patience.first_wait * 2 ** (failures - 1), patience.longest_wait)
                wait = max(wait, hiccup.wait)
                bar.write(f"{name}: {hiccup}; trying again in {wait:g} s", file=sys.stderr)
                time.sleep(wait)
                resumed = resumed or partial.size > 0


def _receive(
    partial: Partial,
    source: str,
    checked: bool,
    bar: "tqdm[Any]",
    patience: Patience,
    form: Form,
) -> None:
    """Receive what one connection brings.

    Without a mark of its version or a checksum of the whole, nothing would tell that the file
    changed between two connections: then it starts over.
    """
    known = partial.identity
    offset = partial.size if known.mark or checked else 0
    if offset > (known.size or offset):
        offset = 0
    with reading(source, offset, known, patience.timeout) as reply:
        bar.total, bar.n = reply.identity.size, reply.start
        bar.refresh()
        _check_size(reply.identity.size or 0, partial, source, form)
        judged = False
        with partial.writing(reply.start, reply.identity) as file:
            for chunk in reply.chunks:
                file.write(chunk)
                bar.update(len(chunk))
                _check_size(partial.size, partial, source, form)
                if not judged and partial.size >= repack.HEAD_BYTES:
                    judged = _is_of_form(partial, source, form)
    _check_length(partial, reply.identity)


def _check_length(partial: Partial, identity: Identity) -> None:
    if identity.size is None or partial.size == identity.size:
        return
    if partial.size > identity.size:
        raise Changed(f"{partial.size:,} bytes came instead of {identity.size:,}")
    raise Hiccup(f"the connection ended after {partial.size:,} of {identity.size:,} bytes")


def _check_size(size: int, partial: Partial, source: str, form: Form) -> None:
    if form.most is not None and size > form.most:
        partial.discard()
        raise LandmarksError(
            f"{shown(source)} has {size:,} bytes, and {form.most:,} are the most that a "
            f"{form.name} may have",
            hint=advice(source, "Check `download` in params.yaml."),
        )


def _is_of_form(partial: Partial, source: str, form: Form) -> bool:
    """Judge by the first bytes; True, or an error."""
    head = partial.head(repack.HEAD_BYTES)
    archive = bool(repack.kind(head))
    start = head.lstrip()[:15].lower()
    page = start.startswith((b"<!doctype html", b"<html", b"<?xml"))
    if archive == form.archive and (archive or (head and not page)):
        return True
    partial.discard()
    what = "an archive" if archive else "a web page" if page else "another file"
    raise LandmarksError(
        f"{shown(source)} is no {form.name} but {what if head else 'empty'}",
        hint=advice(source, "Check `download` in params.yaml."),
    )


def _check(partial: Partial, source: str, sha256: str | None, form: Form) -> None:
    """Refuse a file that is complete but wrong."""
    _is_of_form(partial, source, form)
    found = files.sha256(partial.path) if sha256 else None
    if found != sha256:
        raise LandmarksError(
            f"{shown(source)} has the SHA-256 {found}, but {sha256} is expected",
            hint="If the new file is the one you want, put its SHA-256 into `download` in"
            " params.yaml.",
        )
    if repack.kind(partial.head(repack.HEAD_BYTES)) == "zip":
        _check_zip(partial, source)


def _check_zip(partial: Partial, source: str) -> None:
    try:
        with partial.path.open("rb") as file:
            find_directory(file)
    except (struct.error, ValueError) as error:
        raise LandmarksError(
            f"{shown(source)} ended after {partial.size:,} bytes and is no whole zip: it has no "
            "directory at its end",
            hint=advice(source, "It is truncated, or its server states a wrong length."),
        ) from error


def _given_up(partial: Partial, source: str, hiccup: Hiccup, failures: int) -> LandmarksError:
    kept = f" Then it continues after {partial.size:,} bytes." if partial.size else ""
    if hiccup.wait:
        said = f"{shown(source)}: {hiccup} and asks to wait {hiccup.wait:,.0f} s"
    else:
        said = f"{shown(source)}: {hiccup}; {failures} tries failed"
    return LandmarksError(
        said, hint=f"Check the network and run the same command again.{kept} {LOCAL_COPY}"
    )
