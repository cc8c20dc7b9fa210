"""How good answers are: accuracy, calibration, confusions, and whether nothing gets a name."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

Probabilities = NDArray[np.floating]
Labels = NDArray[np.integer]
Scores = NDArray[np.floating]
Flags = NDArray[np.bool_]
Kinds = NDArray[np.str_]

DECIMALS = 6
"""Digits that are written: more would differ between processors."""

TOP_K = 5
CONFUSIONS_NAMED = 3
RESAMPLES, RESAMPLING_SEED = 1000, 1
SCORE_BINS = 20


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of the share `hits / n` (Wilson 1927), each bound in 0 to 1."""
    interval = binomtest(int(hits), int(n)).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def summary(probabilities: Probabilities, labels: Labels, bins: int) -> dict[str, float]:
    """Return every figure of one CNN on one set of photos.

    Args:
        probabilities: (N, C), rows sum to 1, C at least 2.
        labels: int (N,), the true columns.
        bins: of the calibration error.

    Returns:
        `accuracy` with `accuracy_low` and `accuracy_high` (Wilson, 95 %), `top5_accuracy`,
        `macro_f1` over the classes that occur, `nll` (nats a photo), `ece`, and `n`; rounded to
        six decimals.
    """
    predicted = probabilities.argmax(axis=1)
    low, high = wilson((predicted == labels).sum(), len(labels))
    figures = {
        "accuracy": accuracy_score(labels, predicted),
        "accuracy_low": low,
        "accuracy_high": high,
        "top5_accuracy": top_k_accuracy(probabilities, labels, TOP_K),
        "macro_f1": f1_score(labels, predicted, average="macro", zero_division=0),
        "nll": negative_log_likelihood(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels, bins),
    }
    return {name: round(float(value), DECIMALS) for name, value in figures.items()} | {
        "n": len(labels)
    }


def top_k_accuracy(probabilities: Probabilities, labels: Labels, k: int) -> float:
    """Return the share of photos whose true class is among the `k` likeliest; 1 when k >= C."""
    classes = probabilities.shape[1]
    if k >= classes:
        return 1.0
    if classes == 2:  # scikit-learn wants one column for two classes; here k is 1
        return float(accuracy_score(labels, probabilities.argmax(axis=1)))
    return float(top_k_accuracy_score(labels, probabilities, k=k, labels=np.arange(classes)))


def negative_log_likelihood(probabilities: Probabilities, labels: Labels) -> float:
    """Return the mean of -ln p(true class), nats; a probability of 0 counts as 2.2e-16."""
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)  # float32 rows sum to 1 only within 1e-6
    return float(log_loss(labels, exact, labels=np.arange(exact.shape[1])))


def expected_calibration_error(probabilities: Probabilities, labels: Labels, bins: int) -> float:
    """Return the ECE (Guo et al. 2017) over equal-width bins of the top probability, 0 to 1."""
    table = reliability(probabilities, labels, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["n"]).sum() / len(labels))


def reliability(probabilities: Probabilities, labels: Labels, bins: int) -> pd.DataFrame:
    """Return what a confidence is worth: one row for each bin that holds a photo.

    The bins are (0, 1/bins], (1/bins, 2/bins], ... of the top probability, as in Guo et al. 2017
    (arXiv:1706.04599).

    Returns:
        `low`, `high` (of the bin), `n`, `confidence` (mean), `accuracy` with `accuracy_low` and
        `accuracy_high` (Wilson, 95 %).
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    rows = []
    for index in np.unique(place):
        inside = place == index
        low, high = wilson(right[inside].sum(), inside.sum())
        rows.append(
            {
                "low": edges[index],
                "high": edges[index + 1],
                "n": int(inside.sum()),
                "confidence": confidence[inside].mean(),
                "accuracy": right[inside].mean(),
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return pd.DataFrame(rows)


def perfect_ece(probabilities: Probabilities, bins: int) -> float:
    """Return the 95th percentile of the ECE that perfect calibration would have on these photos.

    With few photos the ECE is above 0 though every confidence is true. Here it is drawn whether a
    photo is right, with its confidence as the chance, again and again.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    inside = np.searchsorted(edges, confidence, side="left")[None] == np.arange(bins)[:, None]
    random = np.random.default_rng(RESAMPLING_SEED)
    drawn = random.random((RESAMPLES, len(confidence))) < confidence
    gaps = np.abs((drawn - confidence) @ inside.T.astype(np.float64)).sum(axis=1)
    return float(np.quantile(gaps / len(confidence), 0.95))


def auroc(known: Scores, negatives: Scores) -> float:
    """Return the chance that a known photo scores above a negative one; ties count half."""
    truth = np.repeat([1, 0], [len(known), len(negatives)])
    return float(roc_auc_score(truth, np.concatenate([known, negatives])))


def unknown_summary(
    known: Scores, negatives: Scores, kinds: Kinds, threshold: float
) -> dict[str, float]:
    """Return how well a score parts photos of known landmarks from photos of none.

    Args:
        known: (N,), at least one.
        negatives: (M,); may be none.
        kinds: (M,), what kind of photo each negative is.
        threshold: a photo with less is called unknown.

    Returns:
        `known_kept`, the share of the known photos that reach the threshold; and where there are
        negatives `negatives_n`, `negatives_named`, the share that reaches it all the same, with
        `negatives_named_low` and `negatives_named_high` (Wilson, 95 %), `auroc` and, for each kind,
        `auroc_KIND` and `negatives_named_KIND`; rounded to six decimals.
    """
    figures: dict[str, float] = {"known_kept": float((known >= threshold).mean())}
    if len(negatives):
        named = negatives >= threshold
        low, high = wilson(named.sum(), len(named))
        figures |= {
            "auroc": auroc(known, negatives),
            "negatives_named": float(named.mean()),
            "negatives_named_low": low,
            "negatives_named_high": high,
            "negatives_n": len(named),
        }
    for kind in np.unique(kinds):
        figures[f"auroc_{kind}"] = auroc(known, negatives[kinds == kind])
        figures[f"negatives_named_{kind}"] = float((negatives >= threshold)[kinds == kind].mean())
    return {name: round(value, DECIMALS) for name, value in figures.items()}


def naming_summary(named: Flags, right: Flags, known: int, prefix: str) -> dict[str, float]:
    """Return what is gained and risked where only sure names are written.

    Args:
        named: (N,), whether a name is written, for known photos and negatives alike.
        right: (N,), whether it is, or would be, the right one.
        known: number of photos that show a known landmark.
        prefix: of the figures' names.

    Returns:
        `precision` of the names written (missing where none is) and `recall` of the known photos,
        each with `_low` and `_high` (Wilson, 95 %); rounded to six decimals.
    """
    hits, figures = int((named & right).sum()), dict[str, float]()
    for name, n in (("precision", int(named.sum())), ("recall", known)):
        if n:
            low, high = wilson(hits, n)
            figures |= {name: hits / n, f"{name}_low": low, f"{name}_high": high}
    return {f"{prefix}_{name}": round(value, DECIMALS) for name, value in figures.items()}


def score_histogram(known: Scores, negatives: Scores) -> pd.DataFrame:
    """Return how scores from 0 to 1 spread: one row a bin.

    Returns:
        `score` (the bin's middle), `known` and `negatives` (shares of their photos; 0 of none).
    """
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    shares = {
        name: np.histogram(scores, edges)[0] / max(1, len(scores))
        for name, scores in (("known", known), ("negatives", negatives))
    }
    return pd.DataFrame({"score": (edges[:-1] + edges[1:]) / 2} | shares)


def confusion_pairs(
    labels: Labels, predicted: Labels, classes: list[str], most: int
) -> pd.DataFrame:
    """Return the `most` frequent mistakes, the commonest first and then by name.

    Returns:
        `actual`, `predicted`, `n` (photos), `share` (of the actual class's photos).
    """
    counts = confusion_matrix(labels, predicted, labels=np.arange(len(classes)))
    mistakes = counts - np.diag(np.diag(counts))
    actual, wrong = np.nonzero(mistakes)
    table = pd.DataFrame(
        {
            "actual": [classes[index] for index in actual],
            "predicted": [classes[index] for index in wrong],
            "n": mistakes[actual, wrong],
            "share": mistakes[actual, wrong] / counts.sum(axis=1)[actual],
        }
    )
    order = table.sort_values(["n", "actual", "predicted"], ascending=[False, True, True])
    return order.head(most).reset_index(drop=True)


def per_class(labels: Labels, predicted: Labels, classes: list[str]) -> pd.DataFrame:
    """Return one row a class, in the order of the labels.

    Returns:
        `class`, `n` (photos), `recall` with `recall_low` and `recall_high` (Wilson, 95 %),
        `precision`, `f1`, `taken_for` (its commonest mistakes with their counts). A share whose
        denominator is 0 (no photo, or never predicted) is missing.
    """
    every = np.arange(len(classes))
    precision, recall, f1, n = precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=np.nan
    )
    hits = np.bincount(labels[labels == predicted], minlength=len(classes))
    intervals = [
        wilson(hit, total) if total else (np.nan, np.nan)
        for hit, total in zip(hits, n, strict=True)
    ]
    pairs = confusion_pairs(labels, predicted, classes, most=len(classes) ** 2)
    return pd.DataFrame(
        {
            "class": classes,
            "n": n,
            "recall": recall,
            "recall_low": [low for low, _ in intervals],
            "recall_high": [high for _, high in intervals],
            "precision": precision,
            "f1": f1,
            "taken_for": [_named(pairs[pairs["actual"] == name]) for name in classes],
        }
    )


def _named(mistakes: pd.DataFrame) -> str:
    first = mistakes.head(CONFUSIONS_NAMED)
    return "; ".join(
        f"{name} ({count})" for name, count in zip(first["predicted"], first["n"], strict=True)
    )
