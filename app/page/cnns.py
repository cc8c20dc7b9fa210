"""The second page: what both CNNs are worth, from the files of the pipeline."""

from collections.abc import Callable
from html import escape

import streamlit as st

from app.page import charts, figures, markup
from app.page.figures import Build, Cnn
from app.page.markup import many, percent
from app.page.verdicts import verdicts

HARDEST = 12
"""Landmarks that are shown at once."""


def page() -> None:
    """Draw the page."""
    markup.show(
        '<header class="hero"><h1>The two CNNs</h1><p>One was trained from nothing, '
        '<b class="scratch">scratch</b>; the other, <b class="transfer">transfer</b>, began from a '
        "network that had seen other pictures. All is measured on the exported files, with photos "
        "that no decision used.</p></header>"
    )
    found = figures.builds()
    if not found:
        text = "`make demo` builds both on pictures that the project draws, and measures them."
        markup.show(markup.notice("Nothing has been measured yet.", text))
        return
    build = found[0]
    if len(found) > 1:
        names = [one.name for one in found]
        chosen = st.segmented_control("Build", names, default=names[0], required=True, key="build")
        build = next(one for one in found if one.name == chosen)
    for block in (_scores, _words, _landmarks, _mistakes, _trust, _strangers, _speed):
        markup.show(block(build))


def _scores(build: Build) -> str:
    boxes = []
    for cnn in build.cnns:
        shown = cnn.figures
        low, high = percent(shown["accuracy_low"]), percent(shown["accuracy_high"])
        released = "<em>released</em>" if cnn.name == build.released else ""
        boxes.append(
            f'<div class="score {cnn.name}" data-cnn="{cnn.name}">'
            f"<p><b>{cnn.name}</b>{released}</p>"
            f'<p class="number">{percent(shown["accuracy"])}</p>'
            f"<p>of {shown['n']:.0f} new photos named rightly<br>95 % interval {low} to {high}</p>"
            f'<p class="quiet">{shown["parameters"] / 1e6:.2f} million weights, '
            f"{shown['onnx_bytes'] / 1e6:.1f} MB</p></div>"
        )
    return f'<div class="scores">{"".join(boxes)}</div>'


def _words(build: Build) -> str:
    lists = []
    for cnn in build.cnns:
        lines = "".join(
            f'<li class="{"good" if one.good else "bad"}"><span class="unseen">'
            f"{'Strength' if one.good else 'Weakness'}: </span>{escape(one.text)}</li>"
            for one in verdicts(build, cnn)
        )
        lists.append(
            f'<div><h4 class="{cnn.name}">{cnn.name}</h4><ul class="verdicts">{lines}</ul></div>'
        )
    return _section("Strengths and weaknesses", "", f'<div class="pair">{"".join(lists)}</div>')


def _landmarks(build: Build) -> str:
    rows: dict[str, list[tuple[str, float, float, float]]] = {}
    for cnn in build.cnns:
        for row in cnn.tables["per_class"]:
            if not row["recall"]:  # no test photo shows it
                continue
            share, low, high = (float(row[f"recall{end}"]) for end in ("", "_low", "_high"))
            rows.setdefault(row["class"], []).append((cnn.name, share, low, high))
    hardest = sorted(rows.items(), key=lambda item: sum(one[1] for one in item[1]))
    named = [(figures.landmark(name), found) for name, found in hardest]
    drawn = f'<div class="columns">{charts.intervals(named[:HARDEST])}</div>'
    if rest := named[HARDEST:]:
        drawn += (
            f"<details><summary>The other {many(len(rest), 'landmark')}</summary>"
            f'<div class="columns">{charts.intervals(rest)}</div></details>'
        )
    text = (
        "The share of each landmark's photos that is found, the hardest first; line: 95 % interval."
    )
    if untested := len(build.classes) - len(rows):
        text += f" {many(untested, 'landmark has', 'landmarks have')} no test photo."
    return _section("Landmark by landmark", text, drawn)


def _mistakes(build: Build) -> str:
    blocks, large = [], len(build.classes) > charts.COUNTED
    for cnn in build.cnns:
        pairs = "".join(
            f"<li><b>{escape(figures.landmark(row['actual']))}</b> taken for "
            f"<b>{escape(figures.landmark(row['predicted']))}</b> "
            f'<span class="quiet">{row["n"]} ×</span></li>'
            for row in cnn.tables["confusion_pairs"][:6]
        )
        blocks.append(
            f'<div><h4 class="{cnn.name}">{cnn.name}</h4><ol class="pairs">{pairs}</ol>'
            f"{'' if large else _matrix(build, cnn)}</div>"
        )
    drawn = f'<div class="pair">{"".join(blocks)}</div>'
    for cnn in build.cnns if large else ():
        title = f"All that {cnn.name} takes for something else"
        drawn += f"<details><summary>{title}</summary>{_matrix(build, cnn)}</details>"
    text = "A row of the table is what the photos show, a column the name that they got."
    return _section("Which is taken for which", text, drawn)


def _matrix(build: Build, cnn: Cnn) -> str:
    wide = " wide" if len(build.classes) > charts.COUNTED else ""
    return f'<div class="pan{wide}" tabindex="0">{charts.confusion(build, cnn)}</div>'


def _trust(build: Build) -> str:
    text = (
        "Of the photos that a CNN is 80 % sure of, 80 % should be right: then the dots lie on the "
        "dashed line. A larger dot stands for more photos."
    )
    return _section("What their confidence is worth", text, _pair(build, charts.reliability))


def _strangers(build: Build) -> str:
    if "negatives_n" not in build.cnns[0].figures:
        return _section("Photos of none of them", "There were no such photos to measure with.", "")
    text = (
        "Coloured: photos of a known landmark. Grey: of none. Left of the dashed line a photo is "
        "called unknown; the further the two lie apart, the better."
    )
    return _section("Photos of none of them", text, _pair(build, charts.known))


def _speed(build: Build) -> str:
    if build.speed is None:
        text = "Not measured for this build: `make speed` does it."
        return _section("Speed", text, "")
    rows, first = [], []
    for cnn in build.cnns:
        timed = build.speed[cnn.name]
        for runtime, milliseconds in timed["milliseconds_a_photo"].items():
            rows.append((f"{cnn.name}, {runtime}", milliseconds, f"{milliseconds} ms", cnn.name))
        answer = timed["first_answer"]["onnx"]
        first.append(f"{cnn.name} {answer['seconds']} s and {answer['memory_mb']} MB")
    machine = build.speed["machine"]
    text = (
        f"Milliseconds a photo, on {machine['cores']} cores ({machine['processor']}). From the "
        f"start of a program to its first answer with ONNX Runtime: {'; '.join(first)}."
    )
    return _section("Speed", text, f'<div class="columns">{charts.bars(sorted(rows))}</div>')


def _pair(build: Build, draw: Callable[[Cnn], str]) -> str:
    """Draw the same of both, side by side."""
    drawn = [f'<div><h4 class="{cnn.name}">{cnn.name}</h4>{draw(cnn)}</div>' for cnn in build.cnns]
    return f'<div class="pair">{"".join(drawn)}</div>'


def _section(title: str, text: str, inner: str) -> str:
    said = f"<p>{markup.with_code(text)}</p>" if text else ""
    return f'<section class="panel"><h2>{escape(title)}</h2>{said}{inner}</section>'
