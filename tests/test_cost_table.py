"""What accuracy costs stands beside it: what was measured, and nothing that was not."""

from pathlib import Path
from typing import Any

import pytest

from landmarks.files import write_json
from tools.cost_table import cost_table, costs


def summary(accuracy: float, **figures: float) -> dict[str, Any]:
    named = {"test_accuracy": accuracy, "test_accuracy_low": 0.7, "test_accuracy_high": 0.9}
    return {
        name: {"mean": value, "sd": None, "n": 1} for name, value in {**named, **figures}.items()
    }


def measure(folder: Path, *, latency: bool = True) -> Path:
    """Write a collected result: both CNNs, two rivals, and what was timed."""
    figures = {"parameters": 5e6, "onnx_bytes": 2e7, "gflops": 0.84}
    write_json(
        folder / "summary.json",
        {"scratch": summary(0.8, **figures), "transfer": summary(0.85, parameters=2e6)},
    )
    accuracy = {"test_accuracy_low": 0.6, "test_accuracy_high": 0.8}
    rivals = {"course_scratch": 0.7, "fine_tuning": 0.75}
    write_json(
        folder / "rivals.json",
        {
            "backbone": "mobilenet_v2",
            "rivals": {name: {"test_accuracy": a, **accuracy} for name, a in rivals.items()},
        },
    )
    speed = {"milliseconds_a_photo": {"ONNX Runtime, 1 thread": 99.0}}
    processor = {"machine": {"processor": "a processor"}}
    write_json(folder / "speed.json", processor | {"scratch": speed, "transfer": speed})
    if latency:
        timed = {"scratch": 8.0, "transfer": 10.0, "mobilenet_v2": 5.0}
        architectures = {
            name: {"milliseconds": ms, "gflops": 0.6, "parameters": 2e6, "onnx_bytes": 9e6}
            for name, ms in timed.items()
        }
        facts = processor | {"way": "one way for all", "architectures": architectures}
        write_json(folder / "latency.json", facts)
    return folder


def test_each_accuracy_has_its_cost_beside_it(tmp_path: Path) -> None:
    lines = cost_table(measure(tmp_path)).splitlines()
    assert lines[2] == "| scratch | 80.0 (70.0 to 90.0) | 5.00 | 20.0 | 0.84 | 8.0 |"
    assert lines[3] == "| transfer | 85.0 (70.0 to 90.0) | 2.00 | 9.0 | 0.60 | 10.0 |"
    # A fine-tuned backbone costs what the backbone costs; the course's CNN was not timed.
    assert lines[4] == "| course_scratch | 70.0 (60.0 to 80.0) |  |  |  |  |"
    assert lines[5] == "| fine_tuning | 75.0 (60.0 to 80.0) | 2.00 | 9.0 | 0.60 | 5.0 |"
    assert "one way for all; a processor." in lines[-1]


def test_times_of_two_machines_are_not_mixed(tmp_path: Path) -> None:
    """speed.json counts only where there is no latency.json, and knows both CNNs alone."""
    found = {cost.name: cost.milliseconds for cost in costs(measure(tmp_path))}
    assert found == {
        "scratch": 8.0, "transfer": 10.0, "course_scratch": None, "fine_tuning": 5.0,
    }  # fmt: skip
    other = measure(tmp_path / "other", latency=False)
    found = {cost.name: cost.milliseconds for cost in costs(other)}
    assert found == {
        "scratch": 99.0, "transfer": 99.0, "course_scratch": None, "fine_tuning": None,
    }  # fmt: skip


def test_without_times_the_table_says_nothing_of_a_machine(tmp_path: Path) -> None:
    write_json(tmp_path / "summary.json", {"scratch": summary(0.8, parameters=5e6)})
    text = cost_table(tmp_path)
    assert "| scratch | 80.0 (70.0 to 90.0) | 5.00 |  |  |  |" in text
    assert "Milliseconds" not in text


@pytest.mark.parametrize(("sd", "runs"), [(None, 1), (0.01, 3)])
def test_several_runs_have_a_spread_in_place_of_an_interval(
    tmp_path: Path, sd: float | None, runs: int
) -> None:
    figures = summary(0.8)
    figures["test_accuracy"] |= {"sd": sd, "n": runs}
    write_json(tmp_path / "summary.json", {"scratch": figures})
    [cost] = costs(tmp_path)
    assert (cost.low, cost.high) == pytest.approx((0.79, 0.81) if sd else (0.7, 0.9))
    said = "80.0 ± 1.0" if sd else "80.0 (70.0 to 90.0)"
    assert f"| scratch | {said} |" in cost_table(tmp_path)
