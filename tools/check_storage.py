"""Reads every object of the storage again: names what is missing, damaged or cut off, and mends it.

DVC itself asks only whether an object is there, and a pull that fails does not say which was bad.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from landmarks.errors import LandmarksError, run
from tools.dvc_cli import ROOT

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Object:
    """One object of the storage: a file, or the list of the files of a folder.

    Args:
        name: the path in the work tree of what it holds; a list ends in a slash.
        md5: its name in the storage, and the MD5 of its content.
        stage: what makes it.
        size: its bytes, None where dvc.lock does not say.
    """

    name: str
    md5: str
    stage: str
    size: int | None = None


@dataclass(frozen=True)
class Trouble:
    """What is wrong with an object, and the place of the object in the storage."""

    object: Object
    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.object.name}: {self.reason} ({self.place})"


class Storage:
    """The default remote of a DVC repository, and the objects that a revision needs of it."""

    def __init__(self, repo: Any, rev: str = "") -> None:
        from dvc.exceptions import DvcException

        try:
            self._repo = repo
            self._remote = repo.cloud.get_remote_odb()
            self._lists: dict[str, bytes] = {}
            self.url: str = self._remote.fs.unstrip_protocol(self._remote.path)
            with repo.switch(rev) if rev else _here():
                self._outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
                self._named = [(str(out), out.stage.addressing) for out in self._outs]
        except DvcException as error:
            raise LandmarksError(str(error), hint="See docs/storage.md.") from error

    def check(self, targets: list[str]) -> tuple[int, list[Trouble]]:
        """Read all objects of `targets`, or of every out; return their number and what is wrong.

        Raises:
            LandmarksError: no such out, or the storage cannot be read at all.
        """
        chosen = [
            (out, name, stage)
            for out, (name, stage) in zip(self._outs, self._named, strict=True)
            if not targets or any(_within(name, target) for target in targets)
        ]
        if not chosen:
            known = ", ".join(name for name, _ in self._named)
            raise LandmarksError(
                f"no out is called {' '.join(targets)}", hint=f"There are: {known}"
            )
        seen, troubles = 0, []
        for out, name, stage in tqdm(chosen, desc="reading", unit="out", leave=False, disable=None):
            whole = Object(name, out.hash_info.value, stage, out.meta.size)
            if out.is_dir_checksum:
                whole = Object(f"{name}/", out.hash_info.value, stage)
            for one in [*self._files(whole), whole]:
                seen += 1
                if reason := self._wrong(one):
                    troubles.append(Trouble(one, self._place(one), reason))
        return seen, troubles

    def mend(self, troubles: list[Trouble]) -> list[Trouble]:
        """Put whole copies from the cache here in place of bad objects; return what is left."""
        from dvc_data.hashfile.db import get_index

        left = []
        for trouble in troubles:
            md5 = trouble.object.md5
            if not self._have(md5):
                left.append(trouble)
                continue
            with _asking(self.url):
                if self._remote.fs.exists(self._remote.oid_to_path(md5)):
                    self._remote.delete(md5)
                cache = self._repo.cache.local
                self._remote.add(cache.oid_to_path(md5), cache.fs, md5, check_exists=False)
            print(f"mended {trouble.object.name} ({trouble.place})")
        # What DVC noted of this storage is no longer so.
        get_index(self._remote).clear()
        return left

    def _files(self, folder: Object) -> Iterator[Object]:
        if not folder.name.endswith("/"):
            return
        content = None if self._wrong(folder) else self._lists[folder.md5]
        if content is None and self._have(folder.md5):
            content = Path(self._repo.cache.local.oid_to_path(folder.md5)).read_bytes()
        for entry in json.loads(content or "[]"):
            copy = Path(self._repo.cache.local.oid_to_path(entry["md5"]))
            size = copy.stat().st_size if copy.exists() else None
            yield Object(folder.name + entry["relpath"], entry["md5"], folder.stage, size)

    def _wrong(self, one: Object) -> str:
        """Return what is wrong with an object, nothing where it is as it should be."""
        digest, size, lines = hashlib.md5(usedforsecurity=False), 0, b""
        path = self._remote.oid_to_path(one.md5)
        try:
            with _asking(self.url), self._remote.fs.open(path, "rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    lines += chunk if one.md5.endswith(".dir") else b""
        except FileNotFoundError:
            return "the storage lacks it"
        if digest.hexdigest() == one.md5.partition(".")[0]:
            self._lists[one.md5] = lines
            return ""
        if one.size is not None and size < one.size:
            return f"it is cut off, {size:,} of {one.size:,} bytes"
        return f"it is damaged, its MD5 is {digest.hexdigest()} ({size:,} bytes)"

    def _have(self, md5: str) -> bool:
        """Return whether DVC's cache here holds a whole copy."""
        copy = Path(self._repo.cache.local.oid_to_path(md5))
        if not copy.is_file():
            return False
        with copy.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest() == md5.partition(".")[0]

    def _place(self, one: Object) -> str:
        place: str = self._remote.fs.unstrip_protocol(self._remote.oid_to_path(one.md5))
        return place


@contextmanager
def opened(root: Path = ROOT, rev: str = "") -> Iterator[Storage]:
    """Yield the default storage of the repository at `root`, for what `rev` or the work tree needs.

    Raises:
        LandmarksError: no such revision, no default storage, or options that DVC does not know.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            yield Storage(repo, rev)
    except DvcException as error:
        raise LandmarksError(str(error), hint="See docs/storage.md.") from error


@contextmanager
def _here() -> Iterator[None]:
    yield


@contextmanager
def _asking(url: str) -> Iterator[None]:
    """Say in one line that the storage does not answer, or refuses to; pass what is missing on."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - each kind of storage has errors of its own
        reason = str(error) or type(error).__name__
        raise LandmarksError(
            f"the storage {url} does not answer as it should: {reason}",
            hint="See that it runs, and your keys in .dvc/config.local (docs/storage.md).",
        ) from error


def _within(name: str, target: str) -> bool:
    target = target.rstrip("/")
    return name == target or name.startswith(f"{target}/")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make check-storage", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="OUT", help="by default every out")
    parser.add_argument("--rev", default="", help="a Git revision, by default the work tree")
    parser.add_argument("--mend", action="store_true", help="replace bad objects from the cache")
    arguments = parser.parse_args()
    with opened(rev=arguments.rev) as storage:
        seen, troubles = storage.check([one for one in arguments.targets if one])
        for trouble in troubles:
            print(trouble)
        left = storage.mend(troubles) if arguments.mend else troubles
    if left and arguments.mend:
        stages = " ".join(dict.fromkeys(trouble.object.stage for trouble in left))
        raise LandmarksError(
            f"{len(left)} objects have no whole copy in DVC's cache here",
            hint=f"Mend where there is one, or make them again: dvc repro --force {stages}.",
        )
    if left:
        raise LandmarksError(
            f"{len(left)} of {seen} objects in {storage.url} are not as they should be",
            hint="`make mend-storage` replaces them from DVC's cache, in a clone that has them.",
        )
    print(f"All {seen} objects in {storage.url} are as they should be.")


if __name__ == "__main__":
    run(main)
