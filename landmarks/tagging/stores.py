"""Where photos lie and tables go: on this machine, or in a store that fsspec reaches by a URL."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landmarks import files
from landmarks.errors import LandmarksError

SCALE = '`pip install ".[scale]"` in the project brings what it needs.'
"""The hint of whatever the plain installation lacks."""

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_FILE = "file://"
_BUCKETS = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "az", "oss"))
"""Stores of objects, in buckets: an object appears when all of it is there, or not at all."""


class TooLarge(Exception):
    """A file that is larger than it may be."""


@dataclass(frozen=True)
class Remote:
    """A file or folder in a store: has what is used of `pathlib.Path`.

    Attributes:
        fs: the store, an `fsspec.AbstractFileSystem`.
        path: its name there, without a slash at the end.
        size: bytes, None where it was not listed.
        version: changes with the content, as far as the store tells: an ETag or a time.
    """

    fs: Any
    path: str
    size: int | None = None
    version: str = ""

    def __str__(self) -> str:
        return str(self.fs.unstrip_protocol(self.path))

    def __truediv__(self, name: str) -> "Remote":
        return Remote(self.fs, f"{self.path.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """What stands behind the last slash."""
        return self.path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The extension with its dot, or nothing."""
        return os.path.splitext(self.name)[1]


Place = Path | Remote


def place(text: str) -> Place:
    """Return the file or folder that a path or a URL names; nothing is asked of its store yet.

    Raises:
        LandmarksError: no such kind of store, or a package that it needs is not installed.
    """
    if not _URL.match(text):
        return Path(text)
    if text.lower().startswith(_FILE):
        return Path(text[len(_FILE) :])
    try:
        import fsspec
    except ImportError:
        raise LandmarksError(f"{text} needs fsspec, which is not installed", hint=SCALE) from None
    try:
        fs, path = fsspec.url_to_fs(text)
    except (ImportError, ValueError) as error:  # a package is missing, or nobody knows it
        raise LandmarksError(
            f"{text}: {error}", hint="Name a folder, or a URL such as s3://bucket/photos."
        ) from error
    except Exception as error:  # stores with a login are asked at once
        raise _unanswered(text, error) from error
    if _in_bucket(fs) and not path.strip("/"):
        raise LandmarksError(f"{text} names no bucket", hint="Write s3://bucket/folder.")
    return Remote(fs, path.rstrip("/"))


def meant(path: Path) -> str:
    """Return the URL that a path was before it lost a slash; empty where it was none."""
    text = str(path).replace(":/", "://", 1)
    return text if _URL.match(text) else ""


def local(where: Place) -> Path:
    """Return a path of this machine, where nothing else can be: options were checked."""
    assert isinstance(where, Path), where
    return where


def real(path: Path) -> Path:
    """Return where a path leads in the end; a link that leads to itself leads no further."""
    return Path(os.path.realpath(path))


def relative(where: Place, top: Place) -> str:
    """Return the name of a file below a folder, with slashes."""
    if isinstance(where, Remote):
        return where.path[len(top.path.rstrip("/")) + 1 :] if isinstance(top, Remote) else ""
    return where.relative_to(local(top)).as_posix()


def check_folder(folder: Place) -> None:
    """Refuse what is no folder.

    Raises:
        LandmarksError: says so, or that its store does not answer.
    """
    try:
        if isinstance(folder, Remote):
            kind = folder.fs.info(folder.path)["type"]
        else:
            kind = "directory" if folder.is_dir() else "file" if folder.exists() else ""
    except FileNotFoundError:
        kind = ""
    except Exception as error:
        raise _unanswered(str(folder), error) from error
    if kind != "directory":
        what = "no folder" if kind else "no such folder"
        raise LandmarksError(f"{folder}: {what}", hint="Name the folder of your photos.")


def check_bucket(where: Place) -> None:
    """Refuse a file or folder in a bucket that is not there, before the work begins.

    Raises:
        LandmarksError: the bucket is missing, or not open to us.
    """
    if isinstance(where, Path) or not _in_bucket(where.fs):
        return
    bucket = where.path.partition("/")[0]
    try:
        where.fs.info(bucket)
    except FileNotFoundError:
        raise LandmarksError(
            f"{where}: there is no bucket {bucket}", hint="Make it, or name another one."
        ) from None
    except Exception as error:
        raise _unanswered(str(where), error) from error


def listed(folder: Remote) -> tuple[dict[str, Remote], list[Remote]]:
    """Return the files in a folder by name, and the folders in it.

    Raises:
        LandmarksError: its store does not answer.
    """
    found: dict[str, Remote] = {}
    below = []
    try:
        entries = folder.fs.ls(folder.path, detail=True)
        folder.fs.invalidate_cache(folder.path)  # or it would keep every list for ever
    except Exception as error:
        raise _unanswered(str(folder), error) from error
    for entry in entries:
        path = entry["name"].rstrip("/")
        if path == folder.path or not path.rpartition("/")[2]:
            continue  # stores have objects that stand for folders
        if entry["type"] == "directory":
            below.append(Remote(folder.fs, path))
        else:
            found[path.rpartition("/")[2]] = Remote(
                folder.fs, path, entry.get("size"), _version(entry)
            )
    return found, below


def mark(where: Place) -> str:
    """Return what changes when a file does, without reading it; empty where it is not there."""
    if isinstance(where, Remote):
        return f"{where.size} {where.version}"
    try:
        status = where.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def head(where: Remote, size: int) -> bytes:
    """Return the first bytes of a file; nothing where it is gone or not open to us.

    Raises:
        LandmarksError: its store does not answer.
    """
    if not where.size:
        return b""
    try:
        return bytes(where.fs.cat_file(where.path, start=0, end=min(size, where.size)))
    except (FileNotFoundError, PermissionError):
        return b""
    except Exception as error:
        raise _unanswered(str(where), error) from error


def read(where: Place, most: int) -> bytes:
    """Return what a file holds.

    Raises:
        OSError: it is not there or not open to us.
        TooLarge: it holds more than `most` bytes.
        LandmarksError: its store does not answer.
    """
    if isinstance(where, Path):
        with where.open("rb") as file:
            if os.fstat(file.fileno()).st_size > most:
                raise TooLarge
            return file.read()
    if where.size is not None and where.size > most:
        raise TooLarge
    if where.size == 0:
        return b""
    try:
        # From the first byte on, or s3fs would ask for the size again.
        return bytes(where.fs.cat_file(where.path, start=0))
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        raise _unanswered(str(where), error) from error


def remove(where: Place) -> None:
    """Remove a file that may be gone already."""
    if isinstance(where, Path):
        where.unlink(missing_ok=True)
        return
    try:
        where.fs.rm_file(where.path)
    except FileNotFoundError:
        pass
    except Exception as error:
        raise _unanswered(str(where), error) from error


@contextmanager
def replacing(where: Place) -> Iterator[Path]:
    """Yield a temporary path; what is written there comes to `where` when the block succeeds.

    It comes whole or not at all, and what was there before stays until then. A link stays one.
    """
    if isinstance(where, Path):
        with files.replacing(real(where)) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory(prefix="landmarks-") as folder:
        temporary = Path(folder) / "whole"
        yield temporary
        try:
            _put(temporary, where)
        except Exception as error:
            raise _unanswered(str(where), error) from error


def _put(file: Path, where: Remote) -> None:
    if _in_bucket(where.fs):
        where.fs.put_file(str(file), where.path)
        return
    parent, _, name = where.path.rpartition("/")
    part = f"{parent}/.{name}.{os.getpid()}.part"
    where.fs.makedirs(parent, exist_ok=True)
    try:
        where.fs.put_file(str(file), part)
        where.fs.mv(part, where.path)
    finally:
        if where.fs.exists(part):
            where.fs.rm_file(part)


def _in_bucket(fs: Any) -> bool:
    names = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return not _BUCKETS.isdisjoint(names)


def _version(entry: dict[str, Any]) -> str:
    told = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "mtime")
    return next((str(entry[name]) for name in (*told, "created") if entry.get(name)), "")


def _unanswered(url: str, error: Exception) -> LandmarksError:
    said = str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return LandmarksError(f"{url}: there is none ({said})", hint="Mend the URL.")
    if isinstance(error, PermissionError) or "credentials" in said.lower():
        return LandmarksError(
            f"{url} is not open to you: {said}",
            hint="Give keys as other programs of that store take them, such as AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY or `aws configure` for s3.",
        )
    return LandmarksError(
        f"{url} cannot be used: {said}",
        hint="Mend that and run the same command again: what is done is kept.",
    )
