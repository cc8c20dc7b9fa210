"""However many photos a folder holds, they are looked at in the same memory."""

import tempfile
import tracemalloc
from collections.abc import Callable
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


def least_peak(work: Callable[[], None]) -> int:
    """Return the most bytes that Python holds during some work, the least of three times.

    Once in a while the table of interned strings, to which pathlib adds each name, moves to one of
    twice the size. That is the whole process's, of megabytes, and cannot happen twice in a row.
    """
    peaks = []
    for _ in range(3):
        tracemalloc.start()
        try:
            work()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(peaks)


def test_no_row_is_kept_until_the_end(tmp_path: Path) -> None:
    folder, model = tmp_path / "photos", write_model(tmp_path / "model")
    folder.mkdir()

    def tag_all() -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as name:
            out = Path(name)
            options = Options(folder, model, out / "a.csv", out / "a.json", state=out / "state")
            assert tag(options) == 0

    fill(folder, 0, 100)
    few = least_peak(tag_all)
    fill(folder, 100, 700)
    assert least_peak(tag_all) - few < 600 * ROW_BYTES


def test_a_folder_of_many_files_is_walked_in_little_memory(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"{number:06}.jpg").touch()

    def walk_all() -> None:
        assert sum(1 for _ in walk(tmp_path, lambda path, reason: pytest.fail(reason))) == 3000

    assert least_peak(walk_all) < 3000 * NAME_BYTES


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
