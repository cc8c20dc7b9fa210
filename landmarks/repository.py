"""Fetches an exported model from a DVC repository, here or anywhere, at any of its versions."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landmarks.errors import LandmarksError

_CHUNK = 1 << 20


def fetch(
    url: str | Path,
    rev: str | None,
    folder: str,
    names: tuple[str, ...],
    target: Path,
    remote_config: Mapping[str, Any] | None = None,
) -> None:
    """Copy files of a model from a repository's storage into `target`, each with the right MD5.

    Args:
        url: of the Git repository, or its folder.
        rev: branch, tag or commit; None is the default branch, or the work tree of a folder.
        folder: of the model in the repository.
        names: files in it.
        target: a folder that exists.
        remote_config: options of the storage, for keys that are not in the repository.

    Raises:
        LandmarksError: DVC is not installed, there is no such repository, revision or model, or the
            storage lacks it or holds other bytes.
    """
    try:
        import dvc.api
    except ImportError as error:
        raise LandmarksError(
            f"to fetch a model from {url} DVC is needed, and it is not installed",
            hint='`pip install dvc`, with its extra for the storage: "dvc[s3]", "dvc[ssh]".',
        ) from error
    where = f"{url} at {rev}" if rev else str(url)
    with _explained(where):
        options = {"remote_config": dict(remote_config)} if remote_config else {}
        files = dvc.api.DVCFileSystem(str(url), rev=rev, **options)
        for name in names:
            _copy(files, f"{folder}/{name}", target / name, where)


def _copy(files: Any, path: str, target: Path, where: str) -> None:
    expected, digest = files.info(path).get("md5"), hashlib.md5(usedforsecurity=False)
    with files.open(path, "rb") as source, target.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    # DVC compares hashes when it pulls, but not when it reads a single file.
    if expected and digest.hexdigest() != expected:
        raise LandmarksError(
            f"{path} of {where} is damaged in the storage, so it was not loaded: its MD5 is "
            f"{digest.hexdigest()}, not {expected}",
            hint="`make check-storage` and `make mend-storage` in that repository.",
        )


@contextmanager
def _explained(where: str) -> Iterator[None]:
    from dvc.exceptions import DvcException

    try:
        yield
    except LandmarksError:
        raise
    except FileNotFoundError as error:
        raise LandmarksError(
            f"{where} has no such model, or its storage lacks it or does not let you in: {error}",
            hint="See that it was pushed with `dvc push`; keys go to `remote_config`.",
        ) from error
    except DvcException as error:
        causes = [str(one) for one in (error, error.__cause__) if one is not None]
        raise LandmarksError(
            f"no model can be fetched from {where}: {': '.join(causes)}",
            hint="Check the address and the revision.",
        ) from error
    except Exception as error:  # noqa: BLE001 - each kind of storage has errors of its own
        raise LandmarksError(
            f"the storage of {where} does not answer as it should: {error}",
            hint="See that it runs and lets you in.",
        ) from error
