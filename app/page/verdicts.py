"""Strengths and weaknesses in words, each sentence computed from the metrics of a build."""

from typing import NamedTuple

from app.page.figures import Build, Cnn, landmark
from app.page.markup import percent

LIKELY_CALIBRATED = 0.03
"""An ECE up to here is good where nothing says what perfect calibration would give."""

SAFE = 0.95
"""Names that are called safe should be right so often."""

FEW = 0.2
"""A CNN that names more strangers than this is fooled too often."""


class Verdict(NamedTuple):
    """A sentence, and whether it is good news."""

    good: bool
    text: str


def verdicts(build: Build, cnn: Cnn) -> list[Verdict]:
    """Return what a CNN is good and bad at, good news first."""
    found = [
        *_landmarks(cnn),
        *_mistakes(cnn),
        _calibration(cnn),
        *_safe(cnn),
        *_strangers(cnn),
        _size(build, cnn),
    ]
    return sorted(found, key=lambda one: not one.good)


def _landmarks(cnn: Cnn) -> list[Verdict]:
    rows = [row for row in cnn.tables["per_class"] if row["recall"]]
    perfect = sum(float(row["recall"]) == 1 for row in rows)
    worst = min(rows, key=lambda row: (float(row["recall"]), row["class"]))
    found = []
    if perfect:
        found.append(
            Verdict(True, f"Finds every test photo of {perfect} of {len(rows)} landmarks.")
        )
    if float(worst["recall"]) < 1:
        share, name = percent(float(worst["recall"]), 0), landmark(worst["class"])
        found.append(Verdict(False, f"Finds {name} least: {share} of {worst['n']} photos."))
    return found


def _mistakes(cnn: Cnn) -> list[Verdict]:
    pairs = cnn.tables["confusion_pairs"]
    if not pairs:
        return [Verdict(True, "Makes no mistake on the test photos.")]
    first = pairs[0]
    actual, said = landmark(first["actual"]), landmark(first["predicted"])
    times = f"{first['n']} of its photos" if first["n"] != "1" else "one of its photos"
    return [Verdict(False, f"Its commonest mistake: takes {actual} for {said}, in {times}.")]


def _calibration(cnn: Cnn) -> Verdict:
    error = cnn.figures["ece"]
    limit = cnn.figures.get("ece_perfect", LIKELY_CALIBRATED)
    word = "can be taken at its word" if error <= limit else "promises other than it keeps"
    return Verdict(
        error <= limit,
        f"Its confidence {word}: off by {100 * error:.1f} points on average (perfect calibration "
        f"gives up to {100 * limit:.1f} on so few photos).",
    )


def _safe(cnn: Cnn) -> list[Verdict]:
    figures = cnn.figures
    if "precise_precision" not in figures:
        return []
    right, named = figures["precise_precision"], figures["precise_recall"]
    return [
        Verdict(
            right >= SAFE,
            f"Of the names that it calls sure, {percent(right)} are right; {percent(named, 0)} of "
            "the photos get one.",
        )
    ]


def _strangers(cnn: Cnn) -> list[Verdict]:
    figures = cnn.figures
    if "negatives_named" not in figures:
        return []
    share = figures["negatives_named"]
    return [
        Verdict(
            share <= FEW,
            f"Takes {percent(share, 0)} of {figures['negatives_n']:.0f} photos of nothing known "
            f"for a landmark; of those that show one it keeps {percent(figures['known_kept'], 0)}.",
        )
    ]


def _size(build: Build, cnn: Cnn) -> Verdict:
    sizes = {one.name: one.figures["onnx_bytes"] for one in build.cnns}
    small = sizes[cnn.name] == min(sizes.values())
    text = f"Its file has {sizes[cnn.name] / 1e6:.1f} MB"
    return Verdict(small, f"{text}: the {'smaller' if small else 'larger'} of the two.")
