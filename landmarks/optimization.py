"""How fast each parameter learns: the schedule, the optimizer's groups, and when it is too fast."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from landmarks.errors import LandmarksError
from landmarks.params import Training, Transfer

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def lr_factor(step: int, *, warmup: int, total: int) -> float:
    """Return the share of the peak learning rate at `step`: a linear warm-up, then half a cosine.

    Goyal et al. 2017 (arXiv:1706.02677) and Loshchilov and Hutter 2017 (arXiv:1608.03983).
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def parameter_groups(
    network: nn.Module, settings: Training, new: set[str] | None
) -> list[dict[str, Any]]:
    """Sort parameters by learning rate (pretrained or new) and weight decay (norms, biases).

    Args:
        network: to be trained.
        settings: with `lr`, the weight decays and, for transfer, `backbone_lr_factor`.
        new: names of the parameters that start at random; None if all do.
    """
    norms = {
        id(p) for part in network.modules() if isinstance(part, NORMS) for p in part.parameters()
    }
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        plain = id(parameter) in norms or parameter.ndim <= 1
        groups.setdefault((new is None or name in new, plain), []).append(parameter)
    factor = settings.backbone_lr_factor if isinstance(settings, Transfer) else 1.0
    return [
        {
            "params": parameters,
            "peak": settings.lr * (1.0 if is_new else factor),
            "weight_decay": settings.norm_weight_decay if plain else settings.weight_decay,
        }
        for (is_new, plain), parameters in groups.items()
    ]


def check_finite(row: Mapping[str, float], settings: Training) -> None:
    """Refuse an epoch in which the training blew up: what follows would fail obscurely.

    Args:
        row: `epoch` and the losses, nats.
        settings: of the CNN.

    Raises:
        LandmarksError: a loss is NaN or infinite.
    """
    if not (math.isfinite(row["train_loss"]) and math.isfinite(row["val_loss"])):
        raise LandmarksError(
            f"the loss is no longer a number in epoch {row['epoch']:.0f}, at lr {settings.lr:g}",
            hint="Lower lr of this CNN in params.yaml, or raise lr_warmup_epochs.",
        )
