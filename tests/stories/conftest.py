"""A clone of the project in which the real pipeline has built a small sample."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stories import warming
from stories.clone import Clone, first_on_path

from landmarks.locks import alone
from tools.preset import set_value

ROOT = Path(__file__).resolve().parents[2]
# Small enough to build in a minute or two on two busy cores; the stages are the real ones.
TINY = {
    "download.sample.train_photos": 10,
    "download.sample.test_photos": 4,
    "download.sample.negatives": 16,
    "train.scratch.epochs": 2,
    "train.scratch.lr_warmup_epochs": 1,
    "train.scratch.initial_crop_size": 32,
    "train.scratch.train_crop_size": 32,
    "train.scratch.val_crop_size": 48,
    "train.scratch.width": 8,
    "train.scratch.threads": 2,  # as in the sample: two builds must agree on their sums, too
    "train.transfer.epochs": 2,
    "train.transfer.lr_warmup_epochs": 1,
    "train.transfer.initial_crop_size": 64,
    "train.transfer.train_crop_size": 64,
    "train.transfer.val_crop_size": 64,
    "train.transfer.threads": 1,
}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, warm_programs: list[Path]) -> Clone:
    """A clone at a path with a space where the small sample is built, committed and pushed.

    Nobody changes it: a story that does takes a copy. Processes that test together share it.
    It is built by programs that start at once; test_same_each_time.py builds the same for real.
    """
    base = tmp_path_factory.getbasetemp()
    top = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "stories"
    clone, whole = Clone(top / "the project", top / "home"), top / "whole"
    with alone(top / "lock", "the sample of the stories"):
        if not whole.exists():
            assert not clone.folder.exists(), "another process could not build it"
            with found_first(warm_programs):
                _build(clone)
            whole.touch()
    return clone


@contextmanager
def found_first(folders: list[Path]) -> Iterator[None]:
    """Have all clones find the programs in these folders first."""
    before = list(first_on_path)
    first_on_path[:] = folders
    try:
        yield
    finally:
        first_on_path[:] = before


def _build(clone: Clone) -> None:
    clone.home.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        target = clone.folder / name
        # A file that was deleted and not committed is still listed.
        if (ROOT / name).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    text = (clone.folder / "params.yaml").read_text(encoding="utf-8")
    for key, value in TINY.items():
        text = set_value(text, key, str(value)).replace(f"'{value}'", str(value))
    for name in ("params.yaml", "presets/sample.yaml"):
        (clone.folder / name).write_text(text, encoding="utf-8")
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.commit()
    clone.run("dvc", "repro")
    clone.commit()
    clone.run("dvc", "push")


@pytest.fixture(scope="session")
def warm_programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The folder of the programs that start at once."""
    with warming.programs(tmp_path_factory.mktemp("warm")) as folder:
        yield [folder]


@pytest.fixture(scope="module")
def warm(warm_programs: list[Path]) -> Iterator[None]:
    """Have `python` and `dvc` in the clones of a module's stories start at once: see warming.py."""
    with found_first(warm_programs):
        yield


@pytest.fixture(scope="session")
def strace() -> None:
    """Skip where there is no strace, or where it may not look into processes."""
    if shutil.which("strace") is None:
        pytest.skip("strace is missing: apt-get install strace")
    tried = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "true"], capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"strace cannot trace here: {tried.stderr.splitlines()[-1:]}")
