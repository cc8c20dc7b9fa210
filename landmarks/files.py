"""Small files written whole or not at all, the same bytes for the same content."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landmarks.errors import LandmarksError

_CHUNK = 1 << 20
_LEFT = re.compile(r"\..*\.(\d+)(\.tar)?\.part")
"""Names that `replacing` and its callers give: hidden, the number of the writing process, part."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it over `path` when the block succeeds.

    The content is flushed to the disk before the move, so that a power cut leaves either the old
    file or the new one. On an error the temporary file is removed and `path` stays as it was.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def clear_leftovers(*folders: Path, names: str = "*") -> None:
    """Remove what killed processes were writing into these folders, or into folders in them.

    `names` is a pattern of the files that were to be written.

    Only the temporary files and folders of `replacing` and its like are touched, and none of a
    process that lives.
    """
    for folder in folders:
        for left in [*folder.glob(f".{names}.part"), *folder.glob(f"*/.{names}.part")]:
            named = _LEFT.fullmatch(left.name)
            if named is None or _lives(int(named[1])):
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    """Return whether another process has this number. Its own is at most that of a dead one."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 with newlines as they are, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as JSON with sorted keys, two spaces, and a final newline.

    Raises:
        ValueError: for NaN or infinity, which JSON (RFC 8259) does not know.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: str | os.PathLike[str], *keys: str) -> Any:
    """Read a JSON file; where `keys` are named, it must be an object that has them.

    Raises:
        LandmarksError: it is missing, not JSON, or lacks a key.
    """
    try:
        tree = json.loads(Path(path).read_text(encoding="utf-8"))
        if missing := [key for key in keys if not isinstance(tree, dict) or key not in tree]:
            raise ValueError(f"it has no `{missing[0]}`")
        return tree
    except FileNotFoundError:
        raise LandmarksError(f"there is no {path}", hint="Run `dvc repro` to make it.") from None
    except ValueError as error:
        raise LandmarksError(f"{path} is damaged: {error}", hint="Run `dvc checkout`.") from error


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 (FIPS 180-4) of a file as 64 hexadecimal digits, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
