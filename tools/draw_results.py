"""Draws results/NAME/ as one picture: test accuracy of both CNNs, and how they learned."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from landmarks import files
from landmarks.errors import LandmarksError, run
from tools.collect_results import CNNS, ROOT, preset_name

COLOURS = {"scratch": "#d9822b", "transfer": "#3b82c4"}
INK, GRID = "#7d8590", "#7d859040"
"""Grey that can be read on white and on the dark background of a code host."""

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


def interval(figures: dict[str, Any]) -> tuple[float, float]:
    """Return what the whisker spans: the 95 % interval of one run, or mean ± sd of several."""
    accuracy = figures["test_accuracy"]
    if accuracy["sd"] is None:
        return figures["test_accuracy_low"]["mean"], figures["test_accuracy_high"]["mean"]
    return accuracy["mean"] - accuracy["sd"], accuracy["mean"] + accuracy["sd"]


def draw(folder: Path) -> Path:
    """Draw a collected result as `results.svg` in its folder, the same bytes each time.

    Raises:
        LandmarksError: the folder holds no results, or matplotlib is not installed.
    """
    summary = files.read_json(folder / "summary.json")
    curves = {cnn: pd.read_csv(folder / "metrics" / cnn / "training.csv") for cnn in CNNS}
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        raise LandmarksError(
            "matplotlib is not installed", hint="Run `make setup` to install what is pinned."
        ) from None
    with pyplot.rc_context(_STYLE):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 3.0), width_ratios=(1, 1.25))
        _draw_accuracy(left, summary)
        _draw_curves(right, curves)
        figure.tight_layout(w_pad=3)
        target = folder / "results.svg"
        with files.replacing(target) as temporary:
            figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    return target


def _draw_accuracy(axes: Any, summary: dict[str, Any]) -> None:
    first = summary[CNNS[0]]
    runs, photos = first["test_accuracy"]["n"], first["test_n"]["mean"]
    for place, cnn in enumerate(CNNS):
        mean = 100 * summary[cnn]["test_accuracy"]["mean"]
        low, high = (100 * bound for bound in interval(summary[cnn]))
        axes.barh(place, mean, height=0.5, color=COLOURS[cnn])
        axes.plot([low, high], [place, place], color=INK, linewidth=2, solid_capstyle="butt")
        axes.text(min(high + 2, 101), place, f"{mean:.1f} %", va="center", weight="bold")
    whisker = "95 % interval" if runs == 1 else f"mean ± sd of {runs} runs"
    axes.set(
        title="Accuracy on test",
        xlabel=f"% of {photos:,.0f} photos, {whisker}",
        xlim=(0, 100),
        yticks=range(len(CNNS)),
        yticklabels=CNNS,
    )
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


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
    target = draw(ROOT / "results" / (arguments.name or preset_name()))
    print(f"drawn: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    run(main)
