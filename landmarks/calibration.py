"""From logits to confidence: one temperature, fitted on validation rows."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from landmarks import metrics

LOWEST, HIGHEST = 0.05, 20.0
"""Bounds of the temperature; a network outside them is broken rather than badly calibrated."""

DECIMALS = 4
"""Digits of a temperature: finer ones hang on rounding in the network, and change no decision."""


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature T that makes softmax(logits / T) likeliest (Guo et al. 2017).

    The negative log-likelihood of all photos has one minimum in ln T (it is convex in 1/T). A
    standard normal prior on ln T is added, which weighs about as much as one photo: without it a
    handful of photos that are all right would ask for T = 0 and all wrong ones for infinity.

    Args:
        logits: (N, C), before any temperature.
        labels: int (N,).

    Returns:
        T within `LOWEST` and `HIGHEST`, four decimals; deterministic.
    """
    exact = np.asarray(logits, dtype=np.float64)
    rows = np.arange(len(labels))

    def cost(log_t: float) -> float:
        likelihood = log_softmax(exact / math.exp(log_t), axis=1)[rows, labels].sum()
        return float(log_t**2 / 2 - likelihood)

    found = minimize_scalar(
        cost,
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-7, "maxiter": 200},
    )
    return round(math.exp(found.x), DECIMALS)


def calibrate(
    logits: NDArray[np.floating], labels: NDArray[np.integer], *, temperature: bool, bins: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Fit what the export needs and say what it changes, on validation rows.

    Args:
        logits: float (N, C) of the validation rows.
        labels: int (N,).
        temperature: fit one, or keep 1.
        bins: of the calibration error.

    Returns:
        The calibration (`temperature`), and the figures: `accuracy` with `accuracy_low` and
        `accuracy_high`, `nll`, `ece`, the last two also `_uncalibrated`, `temperature` and `n`.
    """
    fitted = fit_temperature(logits, labels) if temperature else 1.0
    exact = np.asarray(logits, dtype=np.float64)
    before = metrics.summary(softmax(exact, axis=1), labels, bins)
    after = metrics.summary(softmax(exact / fitted, axis=1), labels, bins)
    names = ("accuracy", "accuracy_low", "accuracy_high", "nll", "ece", "n")
    figures = {name: after[name] for name in names} | {
        "nll_uncalibrated": before["nll"],
        "ece_uncalibrated": before["ece"],
        "temperature": fitted,
    }
    return {"temperature": fitted}, figures
