"""Train photos that a model keeps, to compare a photo with each of them beside its classifier.

A classifier learns what tells whole classes apart. Photos of one landmark from one side, or in one
light, resemble each other more than that, and the features before the classifier still show it. So
each class gets a kernel density over its train photos (Parzen 1962), and the probabilities are
multiplied with it: a cache model beside a trained network (Orhan 2018, arXiv:1805.08709; Zhang et
al. 2022, arXiv:2111.03930). Features in which photos of one class vary count less, as in linear
discriminant analysis (Fisher 1936). Nothing is trained for it.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

AXES = 128
"""Directions in which photos are compared at most; more gave nothing (docs/decisions.md)."""

RIDGE = 1.0
"""Variance within classes that every direction is taken to have beside its own, in means of it."""

SHARPNESS = 30.0
"""How fast likeness falls with the cosine."""

MOST = 8192
"""Photos that are kept at most, as many of each class."""

LEAST = 1e-6
"""Share of the density that a class has at least: no photo alone may rule a class out."""


def exemplars(features: Tensor, labels: Tensor, means: Tensor) -> dict[str, Tensor]:
    """Return what `Exemplars` needs, measured on train photos.

    Args:
        features: float32 (N, D), of train photos.
        labels: int64 (N,); every class occurs.
        means: (C, D), of the features of each class.

    Returns:
        `exemplar_centre` float32 (D,), `exemplar_axes` (D, K), along which photos differ most for
        how much those of one class do, `exemplar_keys` (M, K), the unit vectors of the photos along
        them, and `exemplar_shares` (M, C): the weight of each photo in the density of its class.
    """
    exact, classes = features.double(), len(means)
    centre = exact.mean(dim=0)
    apart = exact - centre
    axes = _axes(apart, exact - means.double()[labels])
    kept = _evenly(labels, classes)
    shares = nn.functional.one_hot(labels[kept], classes).double()
    return {
        "exemplar_centre": centre.float(),
        "exemplar_axes": axes.float(),
        "exemplar_keys": nn.functional.normalize(apart[kept] @ axes, dim=1).float(),
        "exemplar_shares": (shares / shares.sum(dim=0).clamp(min=1)).float(),
    }


def _axes(apart: Tensor, within: Tensor) -> Tensor:
    """Return the directions (D, K) of the largest variance for that within classes, which is one.

    There are no more of them than directions in which the photos differ at all: along any other,
    only photos that are yet to come would. PyTorch computes them, and not SciPy, whose results
    depend on the number of threads of a library of its own.

    Args:
        apart: float64 (N, D), features less their mean.
        within: float64 (N, D), features less the mean of their class.
    """
    size = apart.shape[1]
    all_of_it, of_classes = apart.T @ apart, within.T @ within
    # The last term is for classes of one photo, or of copies, which show no variance.
    ridge = RIDGE * of_classes.trace() / size + 1e-3 * all_of_it.trace() / size + 1e-12
    of_classes += ridge * torch.eye(size, dtype=torch.float64)
    # The generalised eigenvalue problem, by way of the Cholesky factor (Golub and Van Loan, 8.7.2).
    factor = torch.linalg.cholesky(of_classes)
    half = torch.linalg.solve_triangular(factor, all_of_it, upper=False)
    _, vectors = torch.linalg.eigh(torch.linalg.solve_triangular(factor, half.T, upper=False))
    chosen = vectors[:, -min(AXES, max(1, len(apart) - 1)) :]
    return torch.linalg.solve_triangular(factor.T, chosen, upper=True).contiguous()


def _evenly(labels: Tensor, classes: int) -> Tensor:
    """Return the photos to keep, in order: all, or as many of each class, evenly spaced."""
    each = max(1, MOST // classes)
    chosen = []
    for label in range(classes):
        rows = torch.nonzero(labels == label).flatten()
        if len(rows) > each:
            rows = rows[torch.arange(each) * len(rows) // each]
        chosen.append(rows)
    return torch.cat(chosen).sort().values


class Exemplars(nn.Module):
    """A linear classifier times the density of each class among the photos that are kept.

    Args:
        classifier: from features to logits.
        kept: as `exemplars` returns it.
    """

    centre: Tensor
    axes: Tensor
    keys: Tensor
    shares: Tensor

    def __init__(self, classifier: nn.Linear, kept: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.classifier = classifier
        for name in ("centre", "axes", "keys", "shares"):
            self.register_buffer(name, kept[f"exemplar_{name}"])
        # TorchScript knows no constants of modules.
        self.sharpness, self.least = SHARPNESS, LEAST

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, D) to logits (N, C)."""
        here = nn.functional.normalize((features - self.centre) @ self.axes, dim=1)
        likeness = torch.exp(self.sharpness * (here @ self.keys.t() - 1))
        density = likeness @ self.shares
        share = density / density.sum(dim=1, keepdim=True)
        logits: Tensor = self.classifier(features)
        return logits + torch.log(share.clamp(min=self.least))


def count(classifier: nn.Module) -> int:
    """Return how many photos a classifier keeps something of."""
    return len(classifier.keys) if isinstance(classifier, Exemplars) else 0


def with_exemplars(classifier: nn.Linear, statistics: Mapping[str, Tensor]) -> nn.Module:
    """Return the classifier, beside exemplars where the statistics hold some."""
    return Exemplars(classifier, statistics) if "exemplar_keys" in statistics else classifier
