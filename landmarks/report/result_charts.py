"""Charts of the results: curves, accuracy, classes, confidence. One colour a CNN."""

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from landmarks.metrics import score_histogram
from landmarks.report.galleries import hardest_first, recalls
from landmarks.report.material import Cnn, Material
from landmarks.report.photo_charts import HEAD, LINE
from landmarks.report.style import BAD, COLOURS, GOOD, GRID, INK, MUTED, QUIET, chart

AGREEMENT = ("both right", "only scratch right", "only transfer right", "both wrong")


def curves(material: Material) -> tuple[str, str]:
    """Draw accuracy on validation and the losses, epoch by epoch."""
    with chart("accuracy", "Validation accuracy by epoch", 5.0, 3.0) as accuracy:
        for cnn in material.cnns:
            table = cnn.tables["training"]
            accuracy.axes.plot(
                table["epoch"], 100 * table["val_accuracy"], color=COLOURS[cnn.name], lw=2.2
            )
        _curve_axes(accuracy.axes, "validation accuracy, %")
        accuracy.axes.set_ylim(0, 100)
    with chart("loss", "Loss in training and validation by epoch", 5.0, 3.0) as loss:
        for cnn in material.cnns:
            table, colour = cnn.tables["training"], COLOURS[cnn.name]
            loss.axes.plot(table["epoch"], table["val_loss"], color=colour, lw=2.2)
            loss.axes.plot(
                table["epoch"], table["train_loss"], color=colour, lw=1.3, ls=(0, (2, 2))
            )
        _curve_axes(loss.axes, "loss: line validation, dots training")
        loss.axes.set_ylim(bottom=0)
    return accuracy.svg, loss.svg


def _curve_axes(axes: Any, label: str) -> None:
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", visible=False)


def accuracy(material: Material) -> str:
    """Draw the accuracy of both on the test photos with its 95 % interval."""
    with chart("test", "Test accuracy with 95 % intervals", 5.2, 1.45) as drawn:
        for place, cnn in enumerate(material.cnns):
            share, low, high = (
                100 * cnn.figures[key] for key in ("accuracy", "accuracy_low", "accuracy_high")
            )
            colour = COLOURS[cnn.name]
            drawn.axes.plot([low, high], [place] * 2, color=colour, lw=7, alpha=0.35)
            drawn.axes.plot(share, place, "o", color=colour, ms=9)
            drawn.axes.text(high + 1.5, place, f"{share:.1f} %", va="center", weight="bold")
        lowest = min(cnn.figures["accuracy_low"] for cnn in material.cnns)
        drawn.axes.set(
            yticks=range(len(material.cnns)),
            yticklabels=[cnn.name for cnn in material.cnns],
            ylim=(len(material.cnns) - 0.4, -0.6),
            xlim=(max(0, 10 * np.floor(10 * lowest - 1)), 108),
            xlabel="% of the test photos",
        )
        drawn.axes.set_xticks([tick for tick in drawn.axes.get_xticks() if tick <= 100])
        drawn.axes.tick_params(axis="y", labelcolor=INK, labelsize=11)
        drawn.axes.grid(axis="y", visible=False)
    return drawn.svg


def recall(material: Material) -> str:
    """Draw which share of each landmark's photos is found, the hardest landmark first."""
    shares = [recalls(material, cnn) for cnn in material.cnns]
    order = hardest_first(material)
    height = HEAD + (LINE + 0.05) * len(order)
    with chart("recall", "Recall of each landmark by both CNNs", 5.2, height) as drawn:
        for cnn, table, shift in zip(material.cnns, shares, (-0.16, 0.16), strict=True):
            rows, colour = table.iloc[order], COLOURS[cnn.name]
            place = np.arange(len(order)) + shift
            low, high = 100 * rows["recall_low"], 100 * rows["recall_high"]
            drawn.axes.hlines(place, low, high, color=colour, alpha=0.3, lw=3)
            drawn.axes.plot(100 * rows["recall"], place, "o", color=colour, ms=5)
        drawn.axes.set(
            yticks=range(len(order)),
            yticklabels=[material.names[label] for label in order],
            ylim=(len(order) - 0.4, -0.6),
            xlim=(-2, 102),
            xlabel="% that are found; line: 95 % interval",
        )
        drawn.axes.tick_params(axis="y", labelcolor=INK)
        drawn.axes.grid(axis="y", color=GRID, lw=0.4)
    return drawn.svg


def agreement(material: Material) -> tuple[str, dict[str, int]]:
    """Draw on how many test photos which of the CNNs are right; also return the counts."""
    test = material.rows("test")
    first, second = (cnn.best[test] == material.truth[test] for cnn in material.cnns)
    parts = (first & second, first & ~second, ~first & second, ~first & ~second)
    counts = {name: int(part.sum()) for name, part in zip(AGREEMENT, parts, strict=True)}
    colours = (GOOD, COLOURS["scratch"], COLOURS["transfer"], BAD)
    with chart("agreement", "Photos that both, one or none get right", 6.0, 0.75) as drawn:
        left = 0
        for (name, n), colour in zip(counts.items(), colours, strict=True):
            drawn.axes.barh(0, n, left=left, color=colour, label=name, height=1)
            if n > 0.035 * len(test):
                drawn.axes.text(
                    left + n / 2, 0, str(n), ha="center", va="center", color="white", weight="bold"
                )
            left += n
        drawn.axes.set(xlim=(0, len(test)), ylim=(-0.5, 0.5))
        drawn.axes.axis("off")
    return drawn.svg, counts


def reliability(cnn: Cnn) -> str:
    """Draw what a confidence is worth: on the diagonal, it is the share that is right."""
    table = cnn.tables["reliability"]
    colour = COLOURS[cnn.name]
    alt = f"Reliability of {cnn.name}: accuracy against confidence"
    with chart(f"reliability-{cnn.name}", alt, 4.2, 3.6) as drawn:
        axes = drawn.axes
        axes.plot([0, 100], [0, 100], color=QUIET, lw=1.2, ls=(0, (4, 3)))
        middle, accuracy = 100 * table["confidence"], 100 * table["accuracy"]
        axes.vlines(
            middle,
            100 * table["accuracy_low"],
            100 * table["accuracy_high"],
            color=colour,
            alpha=0.35,
        )
        size = 20 + 260 * table["n"] / table["n"].sum()
        axes.scatter(middle, accuracy, s=size, color=colour, alpha=0.9, lw=0)
        axes.set(xlim=(0, 103), ylim=(0, 103), xlabel="confidence, %", ylabel="of these, right, %")
        axes.text(87, 6, "promises too much", color=MUTED, size=9, ha="center")
        axes.text(18, 95, "promises too little", color=MUTED, size=9, ha="center")
    return drawn.svg


def known(material: Material, cnn: Cnn) -> str:
    """Draw how scores of photos of known landmarks and of none spread."""
    ours, theirs = (cnn.scores[material.rows(role)] for role in ("test", "negative_testing"))
    table = score_histogram(ours, theirs)
    half = table["score"].iloc[0]
    edges = np.append(table["score"] - half, 1)
    alt = f"Scores of known and unknown photos by {cnn.name}"
    with chart(f"known-{cnn.name}", alt, 4.2, 2.8) as drawn:
        axes = drawn.axes
        for share, colour, label in (
            (100 * table["known"], COLOURS[cnn.name], "known landmark"),
            (100 * table["negatives"], MUTED, "none of them"),
        ):
            axes.stairs(share, edges, fill=True, color=colour, alpha=0.5, label=label)
            axes.stairs(share, edges, color=colour, lw=1.4)
        axes.axvline(cnn.card.known.threshold, color=INK, lw=1.2, ls=(0, (2, 2)))
        axes.set(xlim=(0, 1), xlabel="score", ylabel="% of the photos")
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0)
        axes.grid(axis="x", visible=False)
    return drawn.svg
