"""What accuracy costs: weights, bytes, operations and milliseconds of all that was compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landmarks import files

ONE_THREAD = "ONNX Runtime, 1 thread"
"""The way in speed.json that stands for both CNNs where latency.json was not measured."""


@dataclass(frozen=True)
class Cost:
    """One that was compared; what was not measured is None.

    Attributes:
        name: of the CNN or the rival.
        ours: whether it is one of the two CNNs.
        accuracy: share of the test photos, the mean over runs.
        low, high: 95 % interval of one run, or mean ± sd of several.
        runs: how many of them.
        figures: some of `parameters`, `onnx_bytes`, `gflops` and `milliseconds`.
    """

    name: str
    ours: bool
    accuracy: float
    low: float | None
    high: float | None
    figures: dict[str, float]
    runs: int = 1

    @property
    def milliseconds(self) -> float | None:
        return self.figures.get("milliseconds")


def interval(figures: Mapping[str, Any]) -> tuple[float, float]:
    """Return what the whisker spans: the 95 % interval of one run, or mean ± sd of several.

    Raises:
        KeyError: the interval of the one run was not measured.
    """
    accuracy = figures["test_accuracy"]
    if accuracy["sd"] is None:
        return figures["test_accuracy_low"]["mean"], figures["test_accuracy_high"]["mean"]
    return accuracy["mean"] - accuracy["sd"], accuracy["mean"] + accuracy["sd"]


def costs(folder: Path) -> list[Cost]:
    """Return both CNNs and the rivals of a collected result, as far as they were measured.

    Times come from one run on one machine: `latency.json`, or else `speed.json`.
    """
    latency = _read(folder / "latency.json").get("architectures", {})
    found = []
    for cnn, figures in _read(folder / "summary.json").items():
        known = {key: figures[key]["mean"] for key in _FIGURES if key in figures}
        measured = latency.get(cnn, {})
        if not latency and (speed := _read(folder / "speed.json")):
            measured = {"milliseconds": speed[cnn]["milliseconds_a_photo"][ONE_THREAD]}
        low, high = interval(figures) if _has_interval(figures) else (None, None)
        accuracy, runs = (figures["test_accuracy"][key] for key in ("mean", "n"))
        found.append(Cost(cnn, True, accuracy, low, high, _chosen(measured) | known, runs))
    rivals = _read(folder / "rivals.json")
    for name, figures in rivals.get("rivals", {}).items():
        # All but the course's CNN are the backbone with a linear head, however it was trained.
        measured = latency.get(name if name == "course_scratch" else rivals["backbone"], {})
        low, high = figures["test_accuracy_low"], figures["test_accuracy_high"]
        found.append(Cost(name, False, figures["test_accuracy"], low, high, _chosen(measured)))
    return found


_FIGURES = ("parameters", "onnx_bytes", "gflops")


def _chosen(figures: Mapping[str, float]) -> dict[str, float]:
    return {key: figures[key] for key in (*_FIGURES, "milliseconds") if key in figures}


def _has_interval(figures: Mapping[str, Any]) -> bool:
    return figures["test_accuracy"]["sd"] is not None or "test_accuracy_low" in figures


def _read(path: Path) -> dict[str, Any]:
    return dict(files.read_json(path)) if path.exists() else {}


_COLUMNS = (
    ("parameters, millions", "parameters", 1e6, 2),
    ("ONNX file, MB", "onnx_bytes", 1e6, 1),
    ("GFLOPs a photo", "gflops", 1, 2),
    ("ms a photo", "milliseconds", 1, 1),
)
"""What a column is called, the figure, what it is divided by, and its decimals."""


def cost_table(folder: Path) -> str:
    """Return a Markdown table of a collected result, a row for each that was compared."""
    titles = ["", "test accuracy, %", *(title for title, *_ in _COLUMNS)]
    lines = [f"| {' | '.join(titles)} |".replace("|  |", "| |"), "|---" * len(titles) + "|"]
    for cost in costs(folder):
        cells = [cost.name, _accuracy(cost)]
        for _, key, unit, decimals in _COLUMNS:
            value = cost.figures.get(key)
            cells.append("" if value is None else f"{value / unit:.{decimals}f}")
        lines.append(f"| {' | '.join(cells)} |")
    latency = _read(folder / "latency.json")
    measured = latency or _read(folder / "speed.json")
    way = latency.get("way", ONE_THREAD)
    lines += [
        "",
        "GFLOPs: 10^9 operations, two for each multiply-add of convolutions and products.",
        "Behind accuracy: the 95 % interval of one run, or the standard deviation of several.",
    ]
    if measured:
        lines.append(f"Milliseconds: {way}; {measured['machine']['processor']}.")
    return "\n".join(lines) + "\n"


def _accuracy(cost: Cost) -> str:
    said = f"{100 * cost.accuracy:.1f}"
    if cost.low is None or cost.high is None:
        return said
    if cost.runs > 1:
        return f"{said} ± {50 * (cost.high - cost.low):.1f}"
    return f"{said} ({100 * cost.low:.1f} to {100 * cost.high:.1f})"
