"""Scores of how well a photo fits the known landmarks, as modules that every export carries.

A score is high where the photo shows a landmark that the network learned and low where it shows
none. It is computed from what the forward pass has at hand: the features before the classifier, and
the logits.
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from landmarks.backbones import head_name
from landmarks.errors import LandmarksError

METHODS = (
    "max_probability",
    "max_logit",
    "energy",
    "generalized_entropy",
    "cosine",
    "mahalanobis",
    "max_probability+cosine",
    "max_probability+mahalanobis",
    "generalized_entropy+cosine",
)
"""Simplest first: of equally good ones the first is taken."""

AXES = 64
"""Directions of the features whose spread Mahalanobis' distance knows one by one."""

Statistics = Mapping[str, Tensor]


def split_head(network: nn.Module) -> tuple[nn.Module, nn.Linear]:
    """Return a copy of the network that ends before its classifier, and that classifier.

    Every network of ours ends in a linear layer, so the classifier of the features is the network.
    """
    body = copy.deepcopy(network)
    name = head_name(body)
    classifier = body.get_submodule(name)
    assert isinstance(classifier, nn.Linear)
    body.set_submodule(name, nn.Identity())
    return body, classifier


def statistics(features: Tensor, labels: Tensor, classes: int) -> dict[str, Tensor]:
    """Return what the distances need, measured on train photos.

    Args:
        features: float32 (N, D), of train photos.
        labels: int64 (N,); every class occurs.
        classes: C.

    Returns:
        `means` float32 (C, D): the mean of each class; and the spread about them, as probabilistic
        PCA models it (Tipping and Bishop 1999): `axes` (D, K) of the largest variances, `gains`
        (K,), what whitening adds along them, and `spread` (), the standard deviation elsewhere.
    """
    exact = features.double()
    counts = torch.bincount(labels, minlength=classes).clamp(min=1)
    sums = torch.zeros(classes, exact.shape[1], dtype=torch.float64).index_add_(0, labels, exact)
    means = sums / counts[:, None]
    within = exact - means[labels]
    freedom = max(1, len(exact) - classes)
    variances, vectors = torch.linalg.eigh(within.T @ within / freedom)
    kept = min(AXES, len(variances) // 2)
    tail = variances[:-kept].clamp(min=0).mean()
    # Never 0, or a class of one photo would be at no distance from itself and far from all else.
    spread = torch.sqrt(tail + 1e-3 * variances.clamp(min=0).mean() + 1e-12)
    along = variances[-kept:].clamp(min=0).sqrt().maximum(spread)
    return {
        "means": means.float(),
        "axes": vectors[:, -kept:].float().contiguous(),
        "gains": (1 / along - 1 / spread).float(),
        "spread": spread.float(),
    }


class MaxProbability(nn.Module):
    """The log odds of the likeliest class (Hendrycks and Gimpel 2017, arXiv:1610.02136)."""

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Map (N, D) and (N, C) to (N,)."""
        top = torch.softmax(logits, dim=1).amax(dim=1).clamp(max=1 - 1e-6)
        return torch.log(top) - torch.log1p(-top)


class MaxLogit(nn.Module):
    """The largest logit (Hendrycks et al. 2022, arXiv:1911.11132)."""

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Map (N, D) and (N, C) to (N,)."""
        return logits.amax(dim=1)


class Energy(nn.Module):
    """The negative free energy, log-sum-exp of the logits (Liu et al. 2020, arXiv:2010.03759)."""

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Map (N, D) and (N, C) to (N,)."""
        return torch.logsumexp(logits, dim=1)


class GeneralizedEntropy(nn.Module):
    """The negative generalised entropy of the probabilities.

    Source: GEN (Liu, Lochman and Zach, CVPR 2023), over all classes: the paper takes at most 100.
    """

    def __init__(self, gamma: float = 0.1) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Map (N, D) and (N, C) to (N,)."""
        falling, _ = torch.topk(torch.softmax(logits, dim=1), logits.shape[1], dim=1)
        # One minus a probability near 1 would be the rounding error of that probability.
        rest = torch.cat([falling[:, 1:].sum(dim=1, keepdim=True), 1 - falling[:, 1:]], dim=1)
        return -((falling * rest) ** self.gamma).sum(dim=1)


class Cosine(nn.Module):
    """The cosine of the angle between the features and the nearest class mean."""

    means: Tensor

    def __init__(self, stats: Statistics) -> None:
        super().__init__()
        self.register_buffer("means", _unit(stats["means"]))

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Map (N, D) and (N, C) to (N,)."""
        return (_unit(features) @ self.means.t()).amax(dim=1)


class Mahalanobis(nn.Module):
    """The negative distance to the nearest class mean (Lee et al. 2018, arXiv:1807.03888)."""

    centre: Tensor
    axes: Tensor
    gains: Tensor
    means: Tensor

    def __init__(self, stats: Statistics) -> None:
        super().__init__()
        # About the centre, so that the squares below stay small and exact.
        self.register_buffer("centre", stats["means"].mean(dim=0))
        self.register_buffer("axes", stats["axes"])
        self.register_buffer("gains", stats["gains"])
        self.spread = float(stats["spread"])
        self.register_buffer("means", self.whiten(stats["means"]))

    def whiten(self, features: Tensor) -> Tensor:
        """Map (N, D) to (N, D), in units of the standard deviation within classes."""
        apart = features - self.centre
        return apart / self.spread + ((apart @ self.axes) * self.gains) @ self.axes.t()

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Map (N, D) and (N, C) to (N,)."""
        here = self.whiten(features)
        squares = (here * here).mean(dim=1, keepdim=True) + (self.means * self.means).mean(dim=1)
        between = squares - 2 * (here @ self.means.t()) / float(self.means.shape[1])
        return -torch.sqrt(between.amin(dim=1).clamp(min=0.0))


class Sum(nn.Module):
    """The sum of two scores, each in units of its standard deviation on known photos."""

    def __init__(
        self, first: nn.Module, second: nn.Module, scale_first: float, scale_second: float
    ) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.scale_first, self.scale_second = scale_first, scale_second

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """Map (N, D) and (N, C) to (N,)."""
        first: Tensor = self.first(features, logits)
        second: Tensor = self.second(features, logits)
        return first / self.scale_first + second / self.scale_second


def score(method: str, stats: Statistics, scales: Mapping[str, float]) -> nn.Module:
    """Return the module, from features (N, D) and logits (N, C) to (N,), of one of `METHODS`.

    Args:
        method: its name; `a+b` is the sum of both.
        stats: as `statistics` gives them; only what the method needs is kept.
        scales: standard deviation of each simple method's score on known validation photos; used
            by sums alone.

    Raises:
        LandmarksError: there is no such method.
    """
    if method not in METHODS:
        raise LandmarksError(
            f"there is no method {method!r} to tell known photos from others",
            hint=f"Set calibrate.known to best, or to one of: {', '.join(METHODS)}.",
        )
    first, _, second = method.partition("+")
    if second:
        parts = (score(first, stats, scales), score(second, stats, scales))
        return Sum(*parts, scales[first], scales[second])
    if method == "cosine":
        return Cosine(stats)
    if method == "mahalanobis":
        return Mahalanobis(stats)
    simple = {
        "max_probability": MaxProbability,
        "max_logit": MaxLogit,
        "energy": Energy,
        "generalized_entropy": GeneralizedEntropy,
    }
    return simple[method]()


def _unit(vectors: Tensor) -> Tensor:
    return vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True).clamp(min=1e-6)
