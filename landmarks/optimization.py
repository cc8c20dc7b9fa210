"""How fast each parameter learns: schedule, optimizers, their groups, and when it is too fast."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
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


def computes_bf16(device: torch.device) -> bool:
    """Return whether a device computes in bfloat16 by itself; the others imitate it, slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()


class Float32Muon(torch.optim.Muon):
    """Muon for processors without bfloat16, where PyTorch's takes several times as long.

    PyTorch's makes momentum orthogonal in bfloat16, whatever the parameters' type, and has no
    option for it. Its state and its options are the same; `adjust_lr_fn` must be `match_rms_adamw`.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step, all of it in the parameters' own type."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                average = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                ahead = matrix.grad.lerp(average, momentum) if group["nesterov"] else average
                ahead = ahead / ahead.norm().clamp(min=group["eps"])
                update = orthogonal(ahead, group["ns_coefficients"], group["ns_steps"])
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(update, alpha=-rate * 0.2 * math.sqrt(max(matrix.shape)))
        return loss


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], iterations: int) -> Tensor:
    """Return a matrix with the same singular vectors, and singular values around 1.

    Newton and Schulz's iteration as Muon has it (Jordan et al. 2024). Each one multiplies X by a
    polynomial of X Xᵀ from the left, so all of them are made on that small square, and the long
    matrix is multiplied twice and not ten times (Gram Newton-Schulz, 2026,
    dao-lab.ai/blog/2026/gram-newton-schulz). In half precision that would lose small singular
    values.

    Args:
        matrix: float32 (O, I); no singular value is above 1.
        coefficients: of X, X Xᵀ X and (X Xᵀ)² X.
        iterations: how many, at least 1.
    """
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    wide = matrix.T if tall else matrix
    square = wide @ wide.T
    product = None
    for left in reversed(range(iterations)):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if left:
            square = factor @ square @ factor
    assert product is not None
    result = product @ wide
    return result.T if tall else result


def convolution_muon(groups: list[dict[str, Any]], lr: float) -> torch.optim.Muon:
    """Build Muon for convolutions: a kernel is a matrix of its outputs by its inputs and positions.

    Momentum made orthogonal by Newton and Schulz's iteration (Jordan et al. 2024,
    kellerjordan.github.io/posts/muon), with the step size of AdamW (Liu et al. 2025,
    arXiv:2502.16982), so that both share one learning rate. PyTorch's Muon takes matrices only: it
    gets views of the kernels, which must from now on stay where they are in memory.

    Args:
        groups: as `parameter_groups` gives them, with kernels (O, I, h, w) in channels_last order.
        lr: peak learning rate.
    """
    kernels = [kernel for group in groups for kernel in group["params"]]
    views = [nn.Parameter(_matrix(kernel)) for kernel in kernels]
    rest = iter(views)
    viewed = [group | {"params": [next(rest) for _ in group["params"]]} for group in groups]
    native = computes_bf16(kernels[0].device)
    made = torch.optim.Muon if native else Float32Muon
    muon = made(viewed, lr=lr, adjust_lr_fn="match_rms_adamw")

    def see_gradients(*_: Any) -> None:
        for view, kernel in zip(views, kernels, strict=True):
            assert view.data_ptr() == kernel.data_ptr(), "a kernel was moved in memory"
            view.grad = None if kernel.grad is None else _matrix(kernel.grad)

    muon.register_step_pre_hook(see_gradients)
    return muon


def _matrix(kernel: Tensor) -> Tensor:
    """Return a kernel (O, I, h, w) in channels_last order as a matrix (O, h * w * I)."""
    return kernel.detach().permute(0, 2, 3, 1).flatten(1)


def make_optimizers(
    network: nn.Module, settings: Training, new: set[str] | None
) -> list[torch.optim.Optimizer]:
    """Build AdamW for all parameters, or Muon for convolutions beside AdamW for the rest.

    Args:
        network: in channels_last order, on its device.
        settings: with `optimizer`, `lr`, and what `parameter_groups` reads.
        new: as `parameter_groups` takes it.
    """
    groups = parameter_groups(network, settings, new)
    convolutions = [group for group in groups if group["params"][0].ndim == 4]
    if settings.optimizer == "adamw" or not convolutions:
        return [torch.optim.AdamW(groups, lr=settings.lr, fused=True)]
    others = [group for group in groups if group["params"][0].ndim != 4]
    return [
        torch.optim.AdamW(others, lr=settings.lr, fused=True),
        convolution_muon(convolutions, settings.lr),
    ]


def parameter_groups(
    network: nn.Module, settings: Training, new: set[str] | None
) -> list[dict[str, Any]]:
    """Sort parameters that learn by learning rate (pretrained or new), weight decay and kind.

    Norm layers and biases have a weight decay of their own; convolutions make groups of their own.

    Args:
        network: to be trained.
        settings: with `lr`, the weight decays and, for transfer, `backbone_lr_factor`.
        new: names of the parameters that start at random; None if all do.
    """
    norms = {
        id(p) for part in network.modules() if isinstance(part, NORMS) for p in part.parameters()
    }
    groups: dict[tuple[bool, bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            plain = id(parameter) in norms or parameter.ndim <= 1
            key = new is None or name in new, plain, parameter.ndim == 4
            groups.setdefault(key, []).append(parameter)
    factor = settings.backbone_lr_factor if isinstance(settings, Transfer) else 1.0
    return [
        {
            "params": parameters,
            "peak": settings.lr * (1.0 if is_new else factor),
            "weight_decay": settings.norm_weight_decay if plain else settings.weight_decay,
        }
        for (is_new, plain, _), parameters in groups.items()
    ]


def check_finite(row: Mapping[str, float], settings: Training) -> None:
    """Refuse an epoch in which the training blew up: what follows would fail obscurely.

    Args:
        row: `epoch` and the losses, nats; `val_loss` only where something was validated.
        settings: of the CNN.

    Raises:
        LandmarksError: a loss is NaN or infinite.
    """
    if not (math.isfinite(row["train_loss"]) and math.isfinite(row.get("val_loss", 0.0))):
        raise LandmarksError(
            f"the loss is no longer a number in epoch {row['epoch']:.0f}, at lr {settings.lr:g}",
            hint="Lower lr of this CNN in params.yaml, or raise lr_warmup_epochs.",
        )
