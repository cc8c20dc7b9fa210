"""All that the stages of dvc.yaml make, compared byte by byte."""

import filecmp
from pathlib import Path

from stories.clone import Clone


def outs(clone: Clone) -> list[str]:
    """Return the files of every out, in the order of stages, as DVC itself resolves dvc.yaml."""
    from dvc.repo import Repo

    with Repo(str(clone.folder)) as repo:
        paths = [Path(out.fs_path) for stage in repo.index.stages for out in stage.outs]
    found: list[str] = []
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [file.relative_to(clone.folder).as_posix() for file in files if not file.is_dir()]
    return found


def first_difference(clone: Clone, other: Clone) -> str | None:
    """Return the first file of an out that is not the same in both, or None."""
    for name in dict.fromkeys([*outs(clone), *outs(other)]):
        one, two = clone.folder / name, other.folder / name
        if not (one.is_file() and two.is_file() and filecmp.cmp(one, two, shallow=False)):
            return name
    return None


def leftovers(clone: Clone) -> list[str]:
    """Return what a build should not leave: temporary files, recovery states, unknown files."""
    places = [clone.folder / name for name in ("data", "models", "metrics", ".state")]
    made = {path for place in places if place.is_dir() for path in place.rglob("*")}
    temporary = {path for path in made if path.name.endswith((".part", ".old", ".tar"))}
    state = {path for path in made if ".state" in path.parts and path.suffix != ".lock"}
    left = {path for path in temporary | state if path.is_file() or path.name.startswith(".")}
    return [*sorted(path.relative_to(clone.folder).as_posix() for path in left), *_unknown(clone)]


def _unknown(clone: Clone) -> list[str]:
    return [line for line in clone.dirt().splitlines() if line.startswith("??")]
