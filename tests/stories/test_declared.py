"""Declared = used: what each stage opens, writes and reads of its parameters, against dvc.yaml.

Each stage runs for real, one by one, in a copy of the small build. What only another setting uses
is no excuse for a gap or an excess: the stages run with that setting too, and both count together.
"""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from declared import Stage, has_code, stages
from stories import trace
from stories.clone import Clone
from stories.trace import Seen
from stories.watch import leaves

from tools import preset

# The first story builds the clone; the time is for machines that do other things besides.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FINGERPRINT = {"export@scratch", "export@transfer"}
"""Stages that use parameters by handing them out: model.json tells the hash of them all."""


TAUGHT = ", taught"
"""Ends the names of stages that run with a teacher: they depend on it then, so they count apart."""

_TEACHING = {"train.transfer.teacher_share", "train.transfer.teacher_temperature"}
IDLE = {
    "refit@scratch": {"train.scratch.patience"},
    "train@transfer": _TEACHING,
    "refit@transfer": {"train.transfer.patience"} | _TEACHING,
    "refit@transfer" + TAUGHT: {"train.transfer.patience"},
}
"""Parameters that a stage declares and does not read, these and no others. `refit` obeys patience
by way of `train`, where it decides which epoch is best; without a teacher nobody listens to one."""


@dataclass(frozen=True)
class Traced:
    """The pipeline as dvc.yaml declares it, and as it was seen to run in `clone`."""

    clone: Clone
    declared: dict[str, Stage]
    seen: dict[str, Seen]
    params: dict[str, Any]

    def covered(self, name: str) -> set[str]:
        """Return the leaves of the parameters that a stage declares."""
        keys = self.declared[name].params
        return {leaf for leaf in leaves(self.params) if _beneath(leaf, keys, ".")}

    def excused(self, name: str, path: str) -> bool:
        """Return whether a stage may read a file that is not in its deps: all exceptions."""
        file = self.clone.folder / path
        return (
            (path == "params.yaml" and bool(self.declared[name].params))
            # Recovery and locks, which outlive a kill and are no part of a result.
            or path.startswith(".state/")
            # What it wrote itself: its outs, and what they are called until they are whole.
            or path in self.seen[name].written
            or _unfinished(path)
            # A package that is a docstring: there is nothing in it that could matter.
            or (path.endswith("/__init__.py") and not has_code(file))
            # Known by its SHA-256, which is a parameter: another file is refused.
            or (file.is_file() and _sha256(file) in self._values(name))
        )

    def _values(self, name: str) -> Iterator[object]:
        for leaf in self.covered(name):
            value: Any = self.params
            for key in leaf.split("."):
                value = value[key]
            yield value


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _unfinished(path: str) -> bool:
    """Return whether a path is of the temporary kind that Git ignores: see .gitignore."""
    return any(part.endswith(".part") for part in path.split("/"))


def _beneath(path: str, roots: frozenset[str], separator: str = "/") -> bool:
    return any(path == root or path.startswith(root + separator) for root in roots)


@pytest.fixture(scope="module")
def traced(built: Clone, strace: None, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """Every stage of the small build, run once more under strace, and some with other settings."""
    top = tmp_path_factory.mktemp("declared")
    clone = built.copy(top / "clone")
    pipeline = stages(clone.folder)
    seen: dict[str, Seen] = {}

    def run(name: str, where: Clone, variant: str = "") -> None:
        for out in pipeline[name].outs:  # as DVC does
            path = where.folder / out
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        found = trace.run(where, top / f"{where.folder.name}-{name}", pipeline[name].cmd)
        counted = name + variant
        seen[counted] = seen[counted] | found if counted in seen else found

    for name in pipeline:
        run(name, clone)
    for cnn in ("scratch", "transfer"):
        other = clone.copy(top / f"release of {cnn}, refit")
        _set(other, "release.model", cnn)
        _set(other, f"refit.{cnn}", "true")
        for name in (f"refit@{cnn}", f"calibrate@{cnn}", "release"):
            run(name, other)
    other = clone.copy(top / "own photos")
    _own_photos(other, top)
    for name in ("download", "decode", "attribution", "split"):
        run(name, other)
    for refit in ("false", "true"):
        other = clone.copy(top / f"taught, refit {refit}")
        _set(other, "train.transfer.teacher", "models/scratch/weights.safetensors")
        _set(other, "refit.transfer", refit)
        taught = stages(other.folder)
        run("refit@transfer", other, TAUGHT)
    run("train@transfer", other, TAUGHT)
    pipeline |= {name + TAUGHT: taught[name] for name in ("train@transfer", "refit@transfer")}
    params = yaml.safe_load((clone.folder / "params.yaml").read_text(encoding="utf-8"))
    return Traced(clone, pipeline, seen, params)


def _set(clone: Clone, key: str, value: str) -> None:
    path = clone.folder / "params.yaml"
    text = preset.set_value(path.read_text(encoding="utf-8"), key, value)
    text = re.sub("'(true|false)'", r"\1", text)
    path.write_text(text, encoding="utf-8")


def _own_photos(clone: Clone, folder: Path) -> None:
    """Set an archive without a test folder, negatives and authors, all known by their hashes."""
    archive, negatives = folder / "photos.zip", folder / "negatives.zip"
    authors = folder / "authors.csv"
    shutil.copy(clone.folder / "data/negatives.zip", negatives)
    with (
        zipfile.ZipFile(clone.folder / "data/landmark_images.zip") as sample,
        zipfile.ZipFile(archive, "w") as own,
    ):
        for member in sample.namelist():
            if "train/" in member:
                own.writestr(member.rpartition("train/")[2], sample.read(member))
        first = own.namelist()[0]
    authors.write_text(f"id,url,author,license,title\n{first},,Ann,CC BY 4.0,\n")
    for key, path in (("source", archive), ("negatives", negatives), ("attribution", authors)):
        _set(clone, f"download.{key}", str(path))
    _set(clone, "download.attribution_sha256", _sha256(authors))
    _set(clone, "download.sha256", _sha256(archive))
    _set(clone, "download.negatives_sha256", _sha256(negatives))


def test_no_stage_reads_a_file_that_it_does_not_declare(traced: Traced) -> None:
    gaps = {}
    for name, stage in traced.declared.items():
        unknown = {path for path in traced.seen[name].read if not _beneath(path, stage.deps)}
        if gap := {path for path in unknown if not traced.excused(name, path)}:
            gaps[name] = sorted(gap)
    assert not gaps, "opened but not in deps of dvc.yaml:\n" + yaml.safe_dump(gaps)


def test_every_file_that_a_stage_declares_is_read(traced: Traced) -> None:
    excess = {}
    for name, stage in traced.declared.items():
        read = traced.seen[name].read
        unread = {dep for dep in stage.deps if not any(_beneath(p, frozenset({dep})) for p in read)}
        if unread:
            excess[name] = sorted(unread)
    assert not excess, "in deps of dvc.yaml but never opened:\n" + yaml.safe_dump(excess)


def test_a_stage_writes_its_outs_and_nothing_else(traced: Traced) -> None:
    strays, missing = {}, {}
    for name, stage in traced.declared.items():
        written = traced.seen[name].written
        allowed = stage.outs | {".state"}
        if stray := {p for p in written if not (_beneath(p, allowed) or _unfinished(p))}:
            strays[name] = sorted(stray)
        absent = {o for o in stage.outs if not any(_beneath(p, frozenset({o})) for p in written)}
        if absent:
            missing[name] = sorted(absent)
    assert not strays, "written but not in outs of dvc.yaml:\n" + yaml.safe_dump(strays)
    assert not missing, "in outs of dvc.yaml but never written:\n" + yaml.safe_dump(missing)


def test_no_stage_looks_into_the_home_of_its_user_or_leaves_anything_there(traced: Traced) -> None:
    assert not {name: sorted(seen.home) for name, seen in traced.seen.items() if seen.home}


def test_no_stage_reads_a_parameter_that_it_does_not_declare(traced: Traced) -> None:
    gaps = {}
    for name, seen in traced.seen.items():
        if gap := (seen.params | seen.dumped) - traced.covered(name):
            gaps[name] = sorted(gap)
    assert not gaps, "read but not in params of dvc.yaml:\n" + yaml.safe_dump(gaps)


def test_every_parameter_that_a_stage_declares_is_used(traced: Traced) -> None:
    excess = {}
    for name, seen in traced.seen.items():
        used = seen.params | (seen.dumped if name in FINGERPRINT else frozenset())
        idle = traced.covered(name) - used
        if idle != IDLE.get(name, set()):
            excess[name] = sorted(idle)
    assert not excess, (
        "never read, though in params of dvc.yaml, or excused without need:\n"
        + yaml.safe_dump(excess)
    )


def test_being_watched_changes_nothing(traced: Traced) -> None:
    assert traced.clone.run("dvc", "status", "--quiet", check=False).returncode == 0
    assert traced.clone.dirt() == ""
