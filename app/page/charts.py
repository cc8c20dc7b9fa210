"""Charts without a library of the browser: rows of HTML where text matters, SVG elsewhere."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from app.page.figures import Build, Cnn, landmark
from app.page.markup import percent, picture

COUNTED = 20
"""Up to so many classes a table of all confusions is legible beside another."""

COLOURS = {"scratch": "#a54c14", "transfer": "#2b66a3"}
_INK, _MUTED, _GRID = "#2b2a28", "#69655e", "#e3ddd2"
_FONT = "system-ui, -apple-system, Segoe UI, Inter, Roboto, DejaVu Sans, sans-serif"


def intervals(rows: Iterable[tuple[str, Sequence[tuple[str, float, float, float]]]]) -> str:
    """Draw shares with their 95 % intervals, a line a row: what it is, then each CNN's.

    Args:
        rows: a title, and (CNN, share, low, high) for each.
    """
    lines = []
    for title, found in rows:
        marks = "".join(
            f'<span class="range {cnn}" style="left:{100 * low:.1f}%;'
            f'width:{100 * (high - low):.1f}%"></span>'
            f'<span class="dot {cnn}" style="left:{100 * share:.1f}%"></span>'
            for cnn, share, low, high in found
        )
        said = " ".join(
            f'<span class="{cnn}" title="{cnn}: {percent(low, 0)} to {percent(high, 0)}">'
            f"{percent(share, 0)}</span>"
            for cnn, share, low, high in found
        )
        lines.append(
            f'<li><span class="what">{escape(title)}</span><span class="track" aria-hidden="true">'
            f'{marks}</span><span class="figures">{said}</span></li>'
        )
    return f'<ul class="intervals">{"".join(lines)}</ul>'


def bars(rows: Sequence[tuple[str, float, str, str]]) -> str:
    """Draw amounts as bars: what, how much, the figure in words, which CNN's colour."""
    most = max((amount for _, amount, _, _ in rows), default=1) or 1
    lines = [
        f'<li><span class="what">{escape(title)}</span><span class="figure">{escape(said)}</span>'
        f'<span class="bar" aria-hidden="true"><i class="{cnn}" '
        f'style="width:{100 * amount / most:.1f}%"></i></span></li>'
        for title, amount, said, cnn in rows
    ]
    return f'<ul class="amounts">{"".join(lines)}</ul>'


def reliability(cnn: Cnn) -> str:
    """Draw what a confidence is worth: on the dashed line, it is the share that is right."""
    side, edge = 280, 34
    total = sum(cnn.numbers("reliability", "n")) or 1
    drawn = []
    for row in cnn.tables["reliability"]:
        x = edge + side * float(row["confidence"])
        low, high = (side * (1 - float(row[key])) for key in ("accuracy_low", "accuracy_high"))
        y, size = side * (1 - float(row["accuracy"])), 3 + 12 * (int(row["n"]) / total) ** 0.5
        drawn.append(
            f'<path d="M{x:.1f},{low:.1f}V{high:.1f}" stroke-width="2" opacity=".35"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" stroke="none"/>'
        )
    ticks = "".join(
        f'<path d="M{edge},{side * k / 4}h{side}M{edge + side * k / 4},0v{side}" stroke="{_GRID}"/>'
        f'<text x="{edge + side * k / 4}" y="{side + 16}" text-anchor="middle">{25 * k}</text>'
        f'<text x="{edge - 6}" y="{side * (4 - k) / 4 + 4}" text-anchor="end">{25 * k}</text>'
        for k in range(5)
    )
    svg = (
        f'{ticks}<path d="M{edge},{side}L{edge + side},0" stroke="#a9a49b" stroke-dasharray="5 4"/>'
        f'<g fill="{COLOURS[cnn.name]}" stroke="{COLOURS[cnn.name]}">{"".join(drawn)}</g>'
        f'<text x="{edge + side / 2}" y="{side + 34}" text-anchor="middle">confidence, %</text>'
        f'<text x="{edge + 8}" y="14">of these, right, %</text>'
    )
    error = percent(cnn.figures["ece"])
    alt = f"Reliability of {cnn.name}: its confidence is off by {error} on average"
    return picture(_svg(svg, side + edge + 20, side + 58, "0 -18"), alt)


def known(cnn: Cnn) -> str:
    """Draw how the scores of photos of known landmarks and of none spread."""
    wide, high, edge = 300, 130, 14
    most = max(*cnn.numbers("known_scores", "known"), *cnn.numbers("known_scores", "negatives"), 0)
    step = wide / max(1, len(cnn.tables["known_scores"]))
    drawn = ""
    for column, colour in (("negatives", _MUTED), ("known", COLOURS[cnn.name])):
        for k, share in enumerate(cnn.numbers("known_scores", column)):
            tall = high * share / (most or 1)
            drawn += (
                f'<rect x="{edge + k * step:.1f}" y="{high - tall:.1f}" width="{step - 1:.1f}" '
                f'height="{tall:.1f}" fill="{colour}" opacity=".6"/>'
            )
    svg = (
        f'{drawn}<path d="M{edge},{high}h{wide}" stroke="{_GRID}"/>'
        f'<path d="M{edge + wide / 2},0v{high}" stroke="{_INK}" stroke-dasharray="3 3"/>'
        f'<text x="{edge}" y="{high + 17}">called unknown</text>'
        f'<text x="{edge + wide}" y="{high + 17}" text-anchor="end">called known</text>'
    )
    figures = cnn.figures
    alt = f"Scores of known and unknown photos by {cnn.name}"
    if "auroc" in figures:
        alt += f": AUROC {figures['auroc']:.3f}"
    return picture(_svg(svg, wide + 2 * edge, high + 26), alt)


def confusion(build: Build, cnn: Cnn) -> str:
    """Draw what the photos show (rows) against the names that they got (columns)."""
    classes = build.classes
    cell, edge = (20, 158) if len(classes) <= COUNTED else (13, 170)
    place = {name: k for k, name in enumerate(classes)}
    counts = Counter((row["actual"], row["predicted"]) for row in cnn.tables["confusion"])
    of = Counter(row["actual"] for row in cnn.tables["confusion"])
    size, colour = edge + cell * len(classes), COLOURS[cnn.name]
    lines = "".join(
        f'<path d="M{edge},{edge + cell * k}H{size}M{edge + cell * k},{edge}V{size}" '
        f'stroke="{_GRID}" stroke-width=".7"/>'
        for k in range(len(classes) + 1)
    )
    names = ""
    for k, name in enumerate(classes):
        text, middle = escape(landmark(name)[:26]), edge + cell * (k + 0.5)
        names += f'<text x="{edge - 5}" y="{middle + 3.5}" text-anchor="end">{text}</text>'
        turned = f'transform="translate({middle + 3.5} {edge - 5}) rotate(-90)"'
        names += f"<text {turned}>{text}</text>"
    drawn = ""
    for (actual, said), number in counts.items():
        x, y = edge + cell * place[said], edge + cell * place[actual]
        share = number / of[actual]
        strong = 0.25 * share if said == actual else min(1.0, 0.3 + 1.6 * share)
        drawn += f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}" fill="{colour}" '
        drawn += f'opacity="{strong:.2f}"/>'
        ink = "#fff" if strong > 0.55 else _INK
        drawn += f'<text x="{x + cell / 2}" y="{y + cell / 2 + 3.5}" text-anchor="middle" '
        drawn += f'fill="{ink}">{number}</text>'
    right = sum(n for (actual, said), n in counts.items() if actual == said)
    alt = f"Confusion of {cnn.name}: {right} of {counts.total()} photos on the diagonal"
    font = 10.5 if cell == 20 else 8.5
    return picture(_svg(drawn + lines + names, size + 4, size + 4, "0 0", font), alt, "matrix")


def _svg(inner: str, width: float, height: float, corner: str = "0 0", font: float = 12) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{corner} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="{_FONT}" font-size="{font}" '
        f'fill="{_MUTED}">{inner}</svg>'
    )
