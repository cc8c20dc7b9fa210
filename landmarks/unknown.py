"""When to say "none of the known landmarks", and when a name is safe: both learned here.

Validation photos show known landmarks; the tuning half of the negatives shows none. Whole kinds of
negatives stay out of every choice (`calibrate.untuned_kinds`), so that they can tell later how the
decision does on photos that nobody thought of. Without negatives validation photos decide alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landmarks import metrics, thresholds
from landmarks.calibration import calibrate
from landmarks.exemplars import exemplars, with_exemplars
from landmarks.known import METHODS, Statistics, score, statistics
from landmarks.metrics import Kinds, Scores
from landmarks.params import Calibrate

DEFAULT_METHOD = "generalized_entropy+cosine"
"""Where there are no negatives to choose by: it did best on real photos (docs/decisions.md)."""

RESOLUTION = 1e-3
"""Least spread of a score, as a share of its size. A network that is unsure of everything gives
scores that differ by little more than rounding, and each runtime rounds in its own way."""


@dataclass(frozen=True)
class Answers:
    """What the network gives for some photos.

    Attributes:
        features: float32 (N, D), before the classifier.
        logits: float32 (N, C), divided by the temperature.
    """

    features: Tensor
    logits: Tensor

    def scores(self, method: str, stats: Statistics, scales: dict[str, float]) -> Scores:
        """Return the scores of a method, float64 (N,)."""
        with torch.inference_mode():
            found: Scores = score(method, stats, scales)(self.features, self.logits).numpy()
        return found.astype(np.float64)

    def take(self, rows: NDArray[np.bool_] | slice) -> "Answers":
        """Return those of some photos."""
        return Answers(self.features[rows], self.logits[rows])

    def joined(self, other: "Answers") -> "Answers":
        """Return these and the other's."""
        return Answers(
            torch.cat([self.features, other.features]), torch.cat([self.logits, other.logits])
        )

    def named(self, labels: NDArray[np.int64], weights: NDArray[np.float64]) -> thresholds.Named:
        """Return the likeliest names beside the truth; a negative's label is -1."""
        confidence, predicted = torch.softmax(self.logits, dim=1).max(dim=1)
        names = predicted.numpy()
        return thresholds.Named(confidence.numpy(), names, names == labels, weights)


@dataclass(frozen=True)
class Photos:
    """What is known of the photos to learn from.

    Attributes:
        known: int (N,), labels of the validation photos.
        kinds: (M,), what kind of photo each negative of the tuning half is; there may be none.
        train: int (L,), labels of the train photos; every class occurs.
    """

    known: NDArray[np.int64]
    kinds: Kinds
    train: NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """What the export needs, and how good it is.

    Attributes:
        calibration: `mirror`, `temperature`, `known` and `thresholds`; see `learn`.
        statistics: of the classes; see `class_statistics`.
        figures: on validation photos and the tuning half of the negatives.
    """

    calibration: dict[str, Any]
    statistics: dict[str, Tensor]
    figures: dict[str, float]


def class_statistics(
    features: Tensor, labels: NDArray[np.int64], classes: int, *, keep_photos: bool
) -> dict[str, Tensor]:
    """Return what an export knows of the classes beside the network's weights.

    Args:
        features: float32 (N, D), of the photos that the network learned from.
        labels: (N,); every class occurs.
        classes: C.
        keep_photos: whether it knows single photos, too; see `landmarks.exemplars`.
    """
    truth = torch.from_numpy(labels)
    found = statistics(features, truth, classes)
    return found | exemplars(features, truth, found["means"]) if keep_photos else found


def fit(
    features: NDArray[np.float32],
    classifier: nn.Linear,
    photos: Photos,
    settings: Calibrate,
    *,
    keep_photos: bool,
    bins: int,
) -> Fitted:
    """Fit temperature, score and thresholds.

    Args:
        features: (N + M + L, D), before the classifier: of the known validation photos, of the
            negatives, of the train photos.
        classifier: from features to logits.
        photos: what they are.
        settings: of the stage.
        keep_photos: see `class_statistics`.
        bins: of the calibration error.
    """
    known, seen = len(photos.known), len(photos.known) + len(photos.kinds)
    every = torch.from_numpy(features)
    stats = class_statistics(
        every[seen:], photos.train, classifier.out_features, keep_photos=keep_photos
    )
    with torch.inference_mode():
        logits = with_exemplars(classifier, stats)(every[:seen])
    calibration, figures = calibrate(
        logits[:known].numpy(), photos.known, temperature=settings.temperature, bins=bins
    )
    answers = Answers(every[:seen], logits / calibration["temperature"])
    decision, measured = learn(
        answers.take(np.s_[:known]),
        photos.known,
        answers.take(np.s_[known:]),
        photos.kinds,
        stats,
        settings,
    )
    calibration |= {"mirror": settings.mirror} | decision
    return Fitted(calibration, stats, figures | measured)


def describe(fitted: Fitted) -> str:
    """Say in one line what was fitted."""
    known, figures = fitted.calibration["known"], fitted.figures
    basis = ", ".join(known["tuned_on"])
    return (
        f"temperature {figures['temperature']:.3f}; on {figures['n']} validation photos "
        f"accuracy {figures['accuracy']:.1%}, ECE {figures['ece_uncalibrated']:.3f} "
        f"before and {figures['ece']:.3f} after; known by {known['method']}, which keeps "
        f"{figures['known_kept']:.1%} of them"
        + (
            f" and names {figures['negatives_named']:.1%} of other photos ({basis})"
            if basis
            else " (chosen without negatives, as there are none to tune on)"
        )
    )


def learn(
    known: Answers,
    labels: NDArray[np.int64],
    negatives: Answers,
    kinds: Kinds,
    stats: Statistics,
    settings: Calibrate,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Choose the score and the thresholds.

    Args:
        known: of the validation photos.
        labels: int (N,), their truth.
        negatives: of the tuning half of the negatives; may be of no photo.
        kinds: (M,), theirs.
        stats: `known.statistics` of the train photos.
        settings: of the stage.

    Returns:
        What the export needs: `known` (method, threshold, scale, scales, kept, tuned_on) and
        `thresholds` (precision, confidence, classes); and the figures for the metrics file.
    """
    tuned = ~np.isin(kinds, settings.untuned_kinds)
    negatives, kinds = negatives.take(tuned), kinds[tuned]
    simple = [method for method in METHODS if "+" not in method]
    scales = {name: _spread(known.scores(name, stats, {})) for name in simple}
    ours = {name: known.scores(name, stats, scales) for name in METHODS}
    theirs = {name: negatives.scores(name, stats, scales) for name in METHODS}
    clear = _clear(ours, scales)
    method, figures = _choose(settings.known, ours, theirs, kinds, clear)
    threshold = _rounded(thresholds.keep_threshold(ours[method], settings.keep))
    kept, named = ours[method] >= threshold, theirs[method] >= threshold
    figures |= {"known_threshold": threshold, "known_kept": float(kept.mean())}
    if len(kinds):
        figures["negatives_named"] = float(thresholds.kind_weights(kinds, 1.0) @ named)
    photos = known.joined(negatives).named(
        np.concatenate([labels, np.full(len(kinds), -1)]),
        np.concatenate([np.ones(len(labels)), thresholds.kind_weights(kinds, len(kinds))]),
    )
    classes = known.logits.shape[1]
    lines, said = _precise(photos.take(np.append(kept, named)), classes, settings.precision)
    figures |= said | {"precise_recall": said["precise_recall"] / len(labels)}
    calibration = {
        "method": method,
        "threshold": threshold,
        "scale": _spread(ours[method]),
        "scales": scales,
        "kept": settings.keep,
        "tuned_on": sorted(set(kinds.tolist())),
    }
    rounded = {name: round(value, metrics.DECIMALS) for name, value in figures.items()}
    return {"known": calibration, "thresholds": lines}, rounded


def _clear(ours: Mapping[str, Scores], scales: Mapping[str, float]) -> list[str]:
    """Return the methods whose scores, and those they are sums of, stand clear of rounding."""
    clear = {name for name in scales if scales[name] > RESOLUTION * np.abs(ours[name]).max()}
    return [name for name in ours if clear >= set(name.split("+"))] or list(METHODS[:1])


def _choose(
    wanted: str,
    ours: Mapping[str, Scores],
    theirs: Mapping[str, Scores],
    kinds: Kinds,
    clear: list[str],
) -> tuple[str, dict[str, float]]:
    """Return the method that is wanted, or the best of the clear ones, and how well each does."""
    if not len(kinds):
        best = DEFAULT_METHOD if DEFAULT_METHOD in clear else clear[0]
        return (best if wanted == "best" else wanted), {}
    best, unseen = thresholds.choose_method({name: ours[name] for name in clear}, theirs, kinds)
    figures = {
        f"known_auroc_{name}": thresholds.macro_auroc(ours[name], theirs[name], kinds)
        for name in ours
    }
    return (best if wanted == "best" else wanted), figures | {"known_auroc_held_out": unseen}


def _precise(
    photos: thresholds.Named, classes: int, precision: float
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the lines above which a name is safe, and what they would do to these photos."""
    line = _rounded(thresholds.precise_threshold(photos.confidence, photos, precision))
    lines = thresholds.class_thresholds(photos, classes, precision)
    named = photos.take(photos.confidence >= line)
    weight = float(named.weights.sum())
    figures = {
        "precise_threshold": line,
        "precise_precision": float(named.weights @ named.right) / weight,
        "precise_recall": float(named.right.sum()),
    }
    return {
        "precision": precision,
        "confidence": line,
        "classes": [round(float(one), thresholds.DECIMALS) for one in lines],
    }, figures


def _spread(scores: Scores) -> float:
    """Return a standard deviation to divide by, never 0, to six significant digits."""
    return max(float(f"{scores.std():.6g}"), 1e-6)


def _rounded(threshold: float) -> float:
    """Round down, so that the photo that set the threshold still reaches it."""
    step: float = 10.0**metrics.DECIMALS
    return math.floor(threshold * step) / step
