"""How every chart of the page looks, and how it becomes a piece of the page."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib

COLOURS = {"scratch": "#c4661f", "transfer": "#2f6fb0"}
"""Of the CNNs, wherever they appear on the page."""
INK, MUTED, GRID, QUIET = "#2b2a28", "#77736c", "#e6e1d8", "#b9b3a7"
GOOD, BAD = "#3f7d58", "#b3403a"

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # the page's own font; text stays text
    "text.parse_math": False,  # a landmark may have a dollar in its name
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 72,
}
_FRAME = re.compile(r"<\?xml.*?(?=<svg)|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)
_IDENTITY = re.compile(r'(\bid="|href="#|url\(#)')


class Chart:
    """One figure while it is drawn, and then its SVG.

    Attributes:
        axes: a matplotlib Axes, or an array of them.
        svg: an `<svg>` element; empty while it is drawn.
    """

    def __init__(self, figure: Any, axes: Any) -> None:
        self.figure, self.axes, self.svg = figure, axes, ""


@contextmanager
def chart(name: str, alt: str, width: float, height: float, columns: int = 1) -> Iterator[Chart]:
    """Draw a chart of so many inches; its `svg` has the same bytes for the same figures.

    Args:
        name: tells it from every other chart of the page.
        alt: what it shows, for those who cannot see it.
        width, height: inches of 72 CSS pixels.
        columns: axes side by side.
    """
    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure, axes = pyplot.subplots(1, columns, figsize=(width, height))
        drawn = Chart(figure, axes)
        yield drawn
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    drawn.svg = _as_element(buffer.getvalue(), name, alt)


def _as_element(document: str, name: str, alt: str) -> str:
    """Turn an SVG file into an element whose ids are its own on the page."""
    element = _IDENTITY.sub(rf"\g<1>{name}-", _FRAME.sub("", document))
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    return element.replace("<svg ", f'<svg role="img" aria-label="{_escaped(alt)}" ', 1).strip()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
