"""Times in results/ are those of the call itself, and the table says who is faster."""

import time
from pathlib import Path

import numpy as np
import pytest
from small_export import write_export

from benchmarks import speed

PHOTOS = np.zeros((6, 8, 8, 3), dtype=np.uint8)


def test_a_disturbed_round_does_not_count_against_anyone() -> None:
    calls: list[int] = []
    a_round = speed.WARM_UP + len(PHOTOS)

    def disturbed(photo: np.ndarray) -> None:
        assert photo.shape == (1, 8, 8, 3)
        calls.append(1)
        time.sleep(0.03 if a_round < len(calls) <= 2 * a_round else 0.002)

    times = speed.milliseconds({"slow": lambda _: time.sleep(0.01), "quick": disturbed}, PHOTOS)
    assert times["slow"] >= 10
    assert 2 <= times["quick"] < times["slow"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc: Linux only")
def test_first_answer_is_timed_in_a_process_of_its_own(tmp_path: Path) -> None:
    first = speed.first_answer(write_export(tmp_path / "scratch"), "onnx")
    assert first["seconds"] > 0.05
    # This process holds PyTorch and far more; the child must not be charged for it.
    assert 10 < first["memory_mb"] < 300


def test_the_table_gives_ratios_against_the_rival() -> None:
    figures = {
        "milliseconds_a_photo": {speed.RIVAL: 20.0, "ONNX Runtime, 1 thread": 5.0},
        "times_the_speed_of_the_rival": {speed.RIVAL: 1.0, "ONNX Runtime, 1 thread": 4.0},
        "first_answer": {"onnx": {"seconds": 0.3, "memory_mb": 90}},
        "training_photos_a_second": 123.4,
    }
    lines = speed.table(figures).splitlines()
    assert lines[2].split()[-2:] == ["5.00", "4.00"]
    assert lines[-1].endswith("123.4 photos/s")
