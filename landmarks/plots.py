"""Plots as data: small tables in Git that `dvc plots show` draws."""

from pathlib import Path

import numpy as np
import pandas as pd

from landmarks import metrics
from landmarks.files import write_text


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV (RFC 4180 with \\n): floats with six decimals, missing ones empty."""
    text = table.to_csv(index=False, float_format=f"%.{metrics.DECIMALS}f", lineterminator="\n")
    write_text(path, text)


def confusion(
    labels: metrics.Labels, predicted: metrics.Labels, classes: list[str]
) -> pd.DataFrame:
    """Return `actual` and `predicted`, one row a photo, as DVC's confusion template counts them."""
    names = np.array(classes)
    return pd.DataFrame({"actual": names[labels], "predicted": names[predicted]})


def write_tables(
    folder: str | Path,
    probabilities: metrics.Probabilities,
    labels: metrics.Labels,
    classes: list[str],
    *,
    bins: int,
    pairs: int,
) -> None:
    """Write `confusion`, `confusion_pairs`, `per_class` and `reliability` (.csv) into `folder`.

    Args:
        folder: made where it is missing; other files in it stay.
        probabilities: (N, C), rows sum to 1.
        labels: int (N,).
        classes: C names in label order.
        bins: of the reliability table.
        pairs: most rows of `confusion_pairs`.
    """
    predicted = probabilities.argmax(axis=1)
    tables = {
        "confusion": confusion(labels, predicted, classes),
        "confusion_pairs": metrics.confusion_pairs(labels, predicted, classes, pairs),
        "per_class": metrics.per_class(labels, predicted, classes),
        "reliability": metrics.reliability(probabilities, labels, bins),
    }
    for name, table in tables.items():
        write_table(Path(folder) / f"{name}.csv", table)


def write_scores(folder: str | Path, known: metrics.Scores, negatives: metrics.Scores) -> None:
    """Write `known_scores.csv` into `folder`: how scores of both sorts of photos spread."""
    write_table(Path(folder) / "known_scores.csv", metrics.score_histogram(known, negatives))
