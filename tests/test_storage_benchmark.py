"""The benchmark of storages times the same photos both ways, and would notice a step that fails."""

import zipfile
from pathlib import Path

import pytest

from benchmarks import storage
from landmarks.errors import LandmarksError


@pytest.mark.slow
def test_every_step_is_timed_for_both_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for number in range(6):
            packed.writestr(f"{number % 2:02}.Class/{number}.jpg", bytes([number]) * 1000)
    taken = storage.measure(archive)
    said = capsys.readouterr().out
    assert "one archive: 1 files" in said and "loose files: 6 files" in said
    assert set(taken) >= {"push", "push, nothing new", "pull", "checkout", "status"}
    assert all(seconds > 0 for found in taken.values() for seconds in found.values())


def test_ratios_say_how_many_times_longer_loose_files_take() -> None:
    text = storage.table({"push": {"one archive": 2.0, "loose files": 50.0}})
    assert text.splitlines()[1].split() == ["push", "2.00", "50.00", "25.0"]


def test_a_step_that_fails_is_an_error(tmp_path: Path) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a/1.jpg", b"1")
    assert storage.prepare(tmp_path / "repo", archive, loose=True) == 1
    every = storage.steps(tmp_path / "repo")
    (tmp_path / "repo/photos/a/1.jpg").unlink()
    (tmp_path / "repo/photos/a").rmdir()
    (tmp_path / "repo/photos").rmdir()
    with pytest.raises(LandmarksError, match="dvc add --quiet photos failed"):
        every["add"]()
