"""However many photos a folder holds, they are looked at in the same memory."""

import tracemalloc
from pathlib import Path

import pytest
from tag_folder import RED, photo, write_model

from benchmarks import tagging
from landmarks.errors import LandmarksError
from landmarks.tagging.options import Options
from landmarks.tagging.run import tag
from landmarks.tagging.walk import walk

NAME_BYTES = 150
"""What the name of a file may cost: a folder's are sorted before the first photo is looked at."""

ROW_BYTES = 600
"""What a photo may cost in all: a row that is kept costs some 2,000."""


def fill(folder: Path, first: int, last: int) -> None:
    """Write photos that differ in what follows their end."""
    content = photo(RED)
    for number in range(first, last):
        (folder / f"{number:06}.jpg").write_bytes(content + number.to_bytes(4, "big"))


def peak(tmp_path: Path, folder: Path, model: Path) -> int:
    """Return the most bytes that Python holds while a folder is tagged into two tables."""
    out = tmp_path / str(len(list(folder.iterdir())))
    out.mkdir()
    tracemalloc.start()
    try:
        status = tag(Options(folder, model, out / "a.csv", out / "a.json", state=out / "state"))
        assert status == 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_no_row_is_kept_until_the_end(tmp_path: Path) -> None:
    folder, model = tmp_path / "photos", write_model(tmp_path / "model")
    folder.mkdir()
    fill(folder, 0, 100)
    peak(tmp_path, folder, model)  # what is imported and remembered once
    (tmp_path / "100").rename(tmp_path / "first")
    few = peak(tmp_path, folder, model)
    fill(folder, 100, 700)
    many = peak(tmp_path, folder, model)
    assert many - few < 600 * ROW_BYTES


def test_a_folder_of_many_files_is_walked_in_little_memory(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"{number:06}.jpg").touch()
    tracemalloc.start()
    try:
        found = sum(1 for _ in walk(tmp_path, lambda path, reason: pytest.fail(reason)))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == 3000 and held < 3000 * NAME_BYTES


def test_the_benchmark_measures_the_command_and_counts_its_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("reads /proc: Linux only")
    model = write_model(tmp_path / "model")
    tagging.measure_memory(130, model)
    few, many = capsys.readouterr().out.splitlines()
    assert few.startswith("peak memory with 100 photos: ")
    assert many.startswith("peak memory with 130 photos: ")
    for line in (few, many):
        assert 30 < int(line.split()[-2]) < 250 and line.endswith(" MB")
    photos = tmp_path / "photos"
    photos.mkdir()
    fill(photos, 0, 3)
    (photos / "lost.txt").write_text("no photo")
    with pytest.raises(LandmarksError, match=r"holds \{3\} rows"):
        tagging.peak(photos, model, tmp_path / "out")
    with pytest.raises(LandmarksError, match="--many is 100"):
        tagging.measure_memory(100, model)
