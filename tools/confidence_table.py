"""The table of what confidence is worth, from the summary of finished runs."""

from collections.abc import Mapping
from typing import Any

_ROWS = (
    ("ECE", "test_ece", 3),
    ("ECE that perfect calibration stays below 19 times in 20", "test_ece_perfect", 3),
    ("AUROC, known against negatives", "test_auroc", 3),
    ("negatives that still get a name, %", "test_negatives_named", 1),
    ("known photos that keep theirs, %", "test_known_kept", 1),
    ("precision of safe names, one threshold, %", "test_precise_precision", 1),
    ("recall of safe names, one threshold, %", "test_precise_recall", 1),
    ("precision of safe names, a threshold a class, %", "test_precise_by_class_precision", 1),
    ("recall of safe names, a threshold a class, %", "test_precise_by_class_recall", 1),
    ("temperature", "temperature", 2),
    ("threshold of the score", "validation_known_threshold", 3),
)
"""What is written, the figure, and its decimals: 1 is for shares, written as percentages."""

_OF_ONE_RUN = "validation_known_threshold"
"""Each run may have chosen another score, so that a mean of their thresholds means nothing."""

_KIND = "test_auroc_"


def confidence_table(summary: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a Markdown table, a column a CNN.

    Args:
        summary: as `summary.json` holds it: CNN, then figure, then `mean`, `sd` and `n`.

    Returns:
        The figures that were measured; of one run with the 95 % interval where there is one, of
        several with the standard deviation over the runs.
    """
    kinds = {key for figures in summary.values() for key in figures if key.startswith(_KIND)}
    rows = list(_ROWS)
    place = next(number for number, row in enumerate(rows) if row[1] == "test_auroc") + 1
    rows[place:place] = [
        (f"AUROC against `{key.removeprefix(_KIND)}` alone", key, 3) for key in sorted(kinds)
    ]
    lines = ["| on test photos | " + " | ".join(summary) + " |", "|---" * (len(summary) + 1) + "|"]
    for label, key, decimals in rows:
        cells = [_cell(figures, key, decimals) for figures in summary.values()]
        if any(cells):
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(figures: Mapping[str, Any], key: str, decimals: int) -> str:
    if key not in figures or (key == _OF_ONE_RUN and figures[key]["n"] > 1):
        return ""
    scale = 100 if decimals == 1 else 1

    def text(value: float) -> str:
        return f"{scale * value:.{decimals}f}"

    said = text(figures[key]["mean"])
    if figures[key]["sd"] is not None:
        return f"{said} ± {text(figures[key]['sd'])}"
    if f"{key}_low" in figures:
        low, high = (text(figures[f"{key}_{end}"]["mean"]) for end in ("low", "high"))
        return f"{said} ({low} to {high})"
    return said
