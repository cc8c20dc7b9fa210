"""Draws results/NAME/: accuracy, how both CNNs learned, accuracy against time, the ablation."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from landmarks import files
from landmarks.errors import LandmarksError, run
from tools.collect_results import CNNS, RECIPE, ROOT, preset_name
from tools.cost_table import Cost, costs, interval

COLOURS = {"scratch": "#d9822b", "transfer": "#3b82c4"}
INK, GRID = "#7d8590", "#7d859040"
"""Grey that can be read on white and on the dark background of a code host."""

NAME_ADVANCE, NAME_LEADING = 5.8, 14
"""Points that a letter of a name takes, and that two names over each other are apart."""

_STYLE: Any = {
    "svg.hashsalt": "landmarks",  # the same picture is the same file
    "svg.fonttype": "path",  # whatever fonts the reader has
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


@contextmanager
def _picture(target: Path, *size: float, **layout: Any) -> Iterator[Any]:
    """Yield the axes of a new picture, and write it, the same bytes each time, when drawn.

    Raises:
        LandmarksError: matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        raise LandmarksError(
            "matplotlib is not installed", hint="Run `make setup` to install what is pinned."
        ) from None
    with pyplot.rc_context(_STYLE):
        figure, axes = pyplot.subplots(figsize=size, **layout)
        yield axes
        figure.tight_layout(w_pad=3)
        with files.replacing(target) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(figure)


def draw(folder: Path) -> Path:
    """Draw a collected result as `results.svg` in its folder, the same bytes each time.

    Raises:
        LandmarksError: the folder holds no results, or matplotlib is not installed.
    """
    summary = files.read_json(folder / "summary.json")
    curves = {cnn: pd.read_csv(folder / "metrics" / cnn / "training.csv") for cnn in CNNS}
    target = folder / "results.svg"
    with _picture(target, 9.6, 3.0, ncols=2, width_ratios=(1, 1.25)) as (left, right):
        _draw_accuracy(left, summary)
        _draw_curves(right, curves)
    return target


def draw_latency(folder: Path) -> tuple[Path | None, list[str]]:
    """Draw test accuracy against milliseconds a photo as `plots/latency.svg`.

    Returns:
        The picture, None where nothing was timed; and the names of those that are left out of it,
        because their time was not measured.
    """
    every = costs(folder)
    timed = [cost for cost in every if cost.milliseconds is not None]
    if not timed:
        return None, [cost.name for cost in every]
    target = folder / "plots" / "latency.svg"
    with _picture(target, 7.2, 4.2) as axes:
        for cost in timed:
            _draw_point(axes, cost)
        axes.set(
            title="Accuracy on test against time",
            xlabel="milliseconds a photo on one CPU core\n"
            "lines: 95 % interval of one run, mean ± sd of several",
            ylabel="% of the test photos",
            xlim=(0, 1.45 * max(cost.milliseconds or 0 for cost in timed)),  # room for names
        )
        axes.margins(y=0.12)
        _draw_names(axes, timed)
    return target, [cost.name for cost in every if cost.milliseconds is None]


def draw_ablation(folder: Path) -> Path | None:
    """Draw what each ingredient is worth as `plots/ablation.svg`; None where nothing was ablated.

    A row for each network that was trained without one, by its accuracy on validation.
    """
    source = folder / "ablation.json"
    measured = files.read_json(source) if source.exists() else {}
    begun = {cnn: measured[cnn] for cnn in CNNS if cnn in measured}
    ablated = {cnn: found for cnn, found in begun.items() if {RECIPE} < found["runs"].keys()}
    if not ablated:
        return None
    rows = max(len(found["runs"]) for found in ablated.values())
    target = folder / "plots" / "ablation.svg"
    with _picture(target, 9.6, 1 + 0.27 * rows, ncols=len(ablated), squeeze=False) as axes:
        for panel, (cnn, found) in zip(axes[0], ablated.items(), strict=True):
            _draw_ingredients(panel, cnn, found)
    return target


def _draw_ingredients(axes: Any, cnn: str, found: dict[str, Any]) -> None:
    runs = {name: 100 * one["val_accuracy"] for name, one in found["runs"].items()}
    whole, chance = runs.pop(RECIPE), 100 * found["chance"]
    names = sorted(runs, key=lambda name: runs[name])
    axes.axvspan(whole - chance, whole + chance, color=GRID, linewidth=0)
    axes.axvline(whole, color=INK, linewidth=1.2)
    for place, name in enumerate(names):
        axes.plot([whole, runs[name]], [place, place], color=COLOURS[cnn], linewidth=2)
        axes.plot(runs[name], place, marker="o", markersize=6, color=COLOURS[cnn])
    axes.set(
        title=f"{cnn}, {found['epochs']} epochs: {whole:.1f} %",
        xlabel=f"% of {found['n']} validation photos\ngrey: may be chance",
        yticks=range(len(names)),
        yticklabels=[f"without {name.replace('_', ' ')}" for name in names],
    )
    axes.invert_yaxis()


def _draw_point(axes: Any, cost: Cost) -> None:
    colour = COLOURS.get(cost.name, INK)
    x, y = cost.milliseconds, 100 * cost.accuracy
    if cost.low is not None and cost.high is not None:
        axes.plot([x, x], [100 * cost.low, 100 * cost.high], color=colour, linewidth=1.2)
    axes.plot(x, y, marker="o" if cost.ours else "s", markersize=7, color=colour)


class Line(NamedTuple):
    """Where a line of text is wanted: its left end, width, and height above the ground."""

    left: float
    width: float
    height: float


def apart(lines: list[Line]) -> list[float]:
    """Return heights for lines of text at which none stands over another, moved up if need be."""
    placed: dict[int, Line] = {}
    for index in sorted(range(len(lines)), key=lambda index: lines[index].height):
        left, width, height = lines[index]
        for other in sorted(placed.values(), key=lambda line: line.height):
            beside = other.left + other.width <= left or left + width <= other.left
            if not beside and abs(height - other.height) < NAME_LEADING:
                height = other.height + NAME_LEADING
        placed[index] = Line(left, width, height)
    return [placed[index].height for index in range(len(lines))]


def _draw_names(axes: Any, timed: list[Cost]) -> None:
    """Write names and accuracies to the right of the points, once the axes have their limits."""
    axes.autoscale_view()
    axes.figure.tight_layout()  # or the axes would change their size afterwards
    names = [f"{cost.name.replace('_', ' ')}, {100 * cost.accuracy:.1f}" for cost in timed]
    points = axes.transData.transform([(one.milliseconds, 100 * one.accuracy) for one in timed])
    points *= 72 / axes.figure.dpi  # of a printer, as type is measured in
    lines = [
        Line(left, NAME_ADVANCE * len(name), height)
        for name, (left, height) in zip(names, points, strict=True)
    ]
    for cost, name, line, height in zip(timed, names, lines, apart(lines), strict=True):
        axes.annotate(
            name,
            (cost.milliseconds, 100 * cost.accuracy),
            (9, height - line.height),
            textcoords="offset points",
            va="center",
            color=COLOURS.get(cost.name, INK),
            weight="bold" if cost.ours else "normal",
        )


def _draw_accuracy(axes: Any, summary: dict[str, Any]) -> None:
    photos = summary[CNNS[0]]["test_n"]["mean"]
    for place, cnn in enumerate(CNNS):
        mean = 100 * summary[cnn]["test_accuracy"]["mean"]
        low, high = (100 * bound for bound in interval(summary[cnn]))
        axes.barh(place, mean, height=0.5, color=COLOURS[cnn])
        axes.plot([low, high], [place, place], color=INK, linewidth=2, solid_capstyle="butt")
        axes.text(min(high + 2, 101), place, f"{mean:.1f} %", va="center", weight="bold")
    axes.set(
        title="Accuracy on test",
        xlabel=f"% of {photos:,.0f} photos{_whiskers(summary)}",
        xlim=(0, 100),
        yticks=range(len(CNNS)),
        yticklabels=CNNS,
    )
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def _whiskers(summary: dict[str, Any]) -> str:
    """Return what the whiskers show, for each CNN where they show different things."""
    runs = {cnn: summary[cnn]["test_accuracy"]["n"] for cnn in CNNS}
    said = {c: "95 % interval" if n == 1 else f"mean ± sd of {n} runs" for c, n in runs.items()}
    if len(set(said.values())) == 1:
        return f", {said[CNNS[0]]}"
    return "".join(f"\n{cnn}: {text}" for cnn, text in said.items())


def _draw_curves(axes: Any, curves: dict[str, pd.DataFrame]) -> None:
    for cnn, table in curves.items():
        colour = COLOURS[cnn]
        accuracy = 100 * table["val_accuracy"]
        axes.plot(table["epoch"], accuracy, color=colour, linewidth=2)
        last = (table["epoch"].iloc[-1], accuracy.iloc[-1])
        axes.annotate(
            cnn, last, (6, 0), textcoords="offset points", va="center", color=COLOURS[cnn]
        )
    axes.set(title="Accuracy on validation in training", xlabel="epoch", ylabel="%", ylim=(0, 100))
    axes.margins(x=0.12)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.draw_results", description=__doc__)
    parser.add_argument("--name", help="folder in results/; the preset's name by default")
    arguments = parser.parse_args()
    folder = ROOT / "results" / (arguments.name or preset_name())
    print(f"drawn: {draw(folder).relative_to(ROOT)}")
    timed, left_out = draw_latency(folder)
    for picture in filter(None, (timed, draw_ablation(folder))):
        print(f"drawn: {picture.relative_to(ROOT)}")
    if left_out:
        print(
            f"no time was measured for {', '.join(left_out)}: `python -m benchmarks.latency` does"
        )


if __name__ == "__main__":
    run(main)
