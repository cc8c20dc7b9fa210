"""Where to draw the line: which photos show a known landmark, and which names are safe to write."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

from landmarks.metrics import Kinds, Scores, auroc

CERTAINTY = 1.645
"""Standard normal quantile: a threshold is trusted when 95 % certain to be precise enough."""

FOLDS = 5

DECIMALS = 4
"""Digits of a class's threshold: finer ones hang on how an optimizer rounds."""
_SUREST = 1 - 1e-6


@dataclass(frozen=True)
class Named:
    """What the network says of photos whose truth is known, landmarks and none alike.

    Attributes:
        confidence: (N,), the calibrated probability of the likeliest class.
        predicted: int (N,), that class.
        right: bool (N,), whether the photo shows it; False for every negative.
        weights: (N,), how many photos each stands for.
    """

    confidence: Scores
    predicted: NDArray[np.int64]
    right: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def take(self, rows: NDArray[np.bool_]) -> "Named":
        """Return some of the photos."""
        return Named(
            self.confidence[rows], self.predicted[rows], self.right[rows], self.weights[rows]
        )


def keep_threshold(known: Scores, keep: float) -> float:
    """Return a score that at least the share `keep` of the scores reach.

    It is their quantile of 1 - `keep`, where that lies between two scores the lower: of 100 scores
    96 reach the threshold that 0.95 are to reach.
    """
    return float(np.quantile(known, 1 - keep, method="lower"))


def macro_auroc(known: Scores, negatives: Scores, kinds: Kinds) -> float:
    """Return the mean of the AUROC of each kind of negatives, however many photos it has."""
    marks = [auroc(known, negatives[kinds == kind]) for kind in np.unique(kinds)]
    return float(np.mean(marks))


def choose_method(
    known: Mapping[str, Scores], negatives: Mapping[str, Scores], kinds: Kinds
) -> tuple[str, float]:
    """Choose the score that parts known photos from negatives best, and say how well it may do.

    Args:
        known: scores (N,) of each method on known photos, the simplest method first.
        negatives: the same (M,) on negatives.
        kinds: (M,), what kind of photo each negative is; at least one.

    Returns:
        The method with the highest `macro_auroc` to three digits, the first of equals; and the
        mean AUROC on kinds that the choice did not see: each is held out in turn, and the method
        chosen on the others. A single kind cannot be held out.
    """

    def best(seen: NDArray[np.bool_]) -> str:
        marks = {
            name: round(macro_auroc(known[name], negatives[name][seen], kinds[seen]), 3)
            for name in known
        }
        return max(marks, key=lambda name: marks[name])

    unseen = []
    for kind in np.unique(kinds):
        held = kinds == kind
        name = best(held if held.all() else ~held)
        unseen.append(auroc(known[name], negatives[name][held]))
    return best(np.ones(len(kinds), dtype=bool)), float(np.mean(unseen))


def kind_weights(kinds: Kinds, total: float) -> NDArray[np.float64]:
    """Return a weight for each negative: every kind weighs alike, all together `total`."""
    names, place, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = total / max(1, len(names)) / counts[place]
    return weights


def lower_bound(right: Scores, n: Scores) -> Scores:
    """Return the one-sided 95 % lower bound of the share `right / n` (Wilson 1927), elementwise."""
    share, z2 = right / n, CERTAINTY**2
    half = CERTAINTY * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    bound: Scores = (share + z2 / (2 * n) - half) / (1 + z2 / n)
    return bound


def precise_threshold(values: Scores, named: Named, precision: float) -> float:
    """Return the lowest value from which on names are right often enough, 95 % certain.

    Args:
        values: (N,), what is compared with the threshold: the confidence, or a function of it.
        named: the photos.
        precision: share of the names that must be right.

    Returns:
        A threshold that names with at least this value reach. Where no threshold is certain enough,
        as with few photos, the one whose lower bound is highest.
    """
    order = np.argsort(-values, kind="stable")
    weights = named.weights[order]
    right, n = np.cumsum(weights * named.right[order]), np.cumsum(weights)
    last = np.append(np.diff(values[order]) != 0, True)  # equal values are named together
    bounds = np.where(last, lower_bound(right, n), -1.0)
    enough = np.flatnonzero(bounds >= precision)
    found = enough[-1] if len(enough) else bounds.argmax()
    return float(values[order][found])


def fit_classes(named: Named, classes: int) -> Scores:
    """Fit how often a name is right, given the confidence and which name it is.

    A logistic regression on the log odds of the confidence, with an offset for each class that has
    a standard normal prior: a class of few photos stays near the others.

    Returns:
        (2 + C,): intercept, slope (at least 0.1, so that more confidence is never worse), offsets.
    """
    odds = logit(named.confidence.astype(np.float64).clip(1e-6, _SUREST))
    sign = np.where(named.right, 1.0, -1.0)

    def cost(x: Scores) -> tuple[float, Scores]:
        margin = sign * (x[0] + x[1] * odds + x[2:][named.predicted])
        pull = -named.weights * sign * expit(-margin)
        by_class = np.bincount(named.predicted, pull, minlength=classes)
        slope = np.concatenate([[pull.sum(), (pull * odds).sum() + x[1] - 1], by_class + x[2:]])
        prior = ((x[1] - 1) ** 2 + (x[2:] ** 2).sum()) / 2
        return float(prior - (named.weights * log_expit(margin)).sum()), slope

    start = np.concatenate([[0.0, 1.0], np.zeros(classes)])
    bounds = [(None, None), (0.1, None)] + [(-6.0, 6.0)] * classes
    found: Scores = minimize(cost, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found


def class_thresholds(named: Named, classes: int, precision: float) -> Scores:
    """Return a confidence for each class from which on its name is safe to write.

    All classes share one level of `fit_classes`, precise enough on photos that the fit did not see
    (five folds); a class that attracts wrong photos then asks for more confidence than others.

    Returns:
        (C,), each 0 to 1.
    """
    level = np.empty(len(named.right))
    odds = logit(named.confidence.astype(np.float64).clip(1e-6, _SUREST))
    fold = np.arange(len(level)) % FOLDS
    for number in range(FOLDS):
        held = fold == number
        x = fit_classes(named.take(~held), classes)
        level[held] = x[0] + x[1] * odds[held] + x[2:][named.predicted[held]]
    wanted = precise_threshold(level, named, precision)
    x = fit_classes(named, classes)
    thresholds: Scores = expit((wanted - x[0] - x[2:]) / x[1])
    return thresholds
