"""Charts of the photos: how many of each class, and of what shape."""

import numpy as np

from landmarks.report.material import Material
from landmarks.report.style import GRID, INK, QUIET, chart

ROLE_COLOURS = {"train": "#4d5b53", "val": "#8fa398", "test": "#c9d2cb"}
LINE, HEAD = 0.225, 0.75
"""Inches of a row and of what is above and below the rows."""


def balance(material: Material) -> str:
    """Draw how many photos of each class play which role."""
    names = material.names
    height = HEAD + LINE * len(names)
    with chart("balance", "Photos of each landmark by role", 5.2, height) as drawn:
        left = np.zeros(len(names))
        for role, colour in ROLE_COLOURS.items():
            n = np.bincount(material.truth[material.rows(role)], minlength=len(names))
            drawn.axes.barh(range(len(names)), n, left=left, height=0.72, color=colour, label=role)
            left += n
        for place, total in enumerate(left):
            drawn.axes.text(total + left.max() * 0.01, place, f"{total:.0f}", va="center", size=9)
        drawn.axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
        drawn.axes.tick_params(axis="y", labelcolor=INK)
        drawn.axes.grid(axis="y", visible=False)
        drawn.axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderpad=0)
    return drawn.svg


def shapes(material: Material) -> str:
    """Draw how large the photos were and of what proportions, before they were resized."""
    table = material.store.table
    sizes = table.loc[(table["verdict"] == "ok") & (material.truth >= 0), ["width", "height"]]
    short, ratio = sizes.min(axis=1), sizes["width"] / sizes["height"]
    with chart("shapes", "Short sides and proportions of the photos", 6.0, 2.5, 2) as drawn:
        for axes, values, label in zip(
            drawn.axes,
            (short, ratio.clip(0.4, 2.5)),
            ("short side, pixels", "width : height"),
            strict=True,
        ):
            axes.hist(values, bins=24, color=QUIET, edgecolor="white", linewidth=0.5)
            axes.set(xlabel=label)
            axes.grid(axis="x", visible=False)
        drawn.axes[0].set_ylabel("photos")
        drawn.axes[1].axvline(1, color=GRID, linewidth=1, zorder=0)
    return drawn.svg
