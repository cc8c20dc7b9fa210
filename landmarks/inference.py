"""The one forward pass of PyTorch: the same for validation, calibration and every export."""

import copy
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from landmarks import environment
from landmarks.batching import in_batches
from landmarks.errors import LandmarksError


def preprocess(pixels: Tensor, input_size: int, mean: Tensor, std: Tensor) -> Tensor:
    """Resize whole photos to a square and normalise them: the first layer of every exported model.

    The resize is bilinear with antialiasing. Tensor operations only, without a branch on a shape,
    so that `torch.jit.script` and `torch.onnx.export(dynamo=True)` take it.

    Args:
        pixels: uint8 (N, 3, H, W) RGB, H and W at least 1.
        input_size: height and width of the result, pixels.
        mean: float32 (3,), on the scale 0 to 1.
        std: float32 (3,), on the scale 0 to 1.

    Returns:
        float32 (N, 3, input_size, input_size).
    """
    resized = F.interpolate(
        pixels.to(torch.float32) / 255.0,
        size=[input_size, input_size],
        mode="bilinear",
        align_corners=False,
        antialias=True,
    )
    return (resized - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


class Normalized(nn.Module):
    """A network behind its preprocessing: uint8 pixels in, logits or features out.

    Args:
        network: float32 (N, 3, h, w), normalised, to float32 (N, C).
        input_size: h and w, pixels.
        mean, std: per channel, on the scale 0 to 1.
        mirror: whether to take the mean of the photo's answer and its mirror image's (test-time
            augmentation, Krizhevsky et al. 2012): a little better, at twice the cost. Both go
            through the network side by side, so that an export holds it once.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        input_size: int,
        mean: list[float],
        std: list[float],
        *,
        mirror: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.input_size = input_size
        self.mirror = mirror
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    def forward(self, pixels: Tensor) -> Tensor:
        """Map uint8 (N, 3, H, W) to float32 (N, C)."""
        photos = preprocess(pixels, self.input_size, self.mean, self.std)
        if self.mirror:
            photos = torch.cat([photos, photos.flip(3)])
        answers: Tensor = self.network(photos)
        if self.mirror:
            answers = answers.unflatten(0, [2, -1]).mean(0)
        return answers


def folded(module: nn.Module) -> nn.Module:
    """Return a copy, in evaluation mode, whose convolutions have taken in their batch norms.

    There a batch norm is one more linear step, so the weights of the convolution before it can hold
    it (Jacob et al. 2018, arXiv:1712.05877, section 3.2). It is taken for the one before it where a
    module registers it right after it, as torchvision's do. Answers differ in the last bits.
    """
    module = copy.deepcopy(module).eval()
    for part in module.modules():
        for (name, convolution), (norm_name, norm) in pairwise(list(part.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(part, name, fuse_conv_bn_eval(convolution, norm))
                setattr(part, norm_name, nn.Identity())
    return module


def device() -> torch.device:
    """Return where the forward pass runs: CUDA when there is one, unless `LANDMARKS_DEVICE` says.

    Raises:
        LandmarksError: CUDA is asked for and PyTorch sees none.
    """
    wanted = environment.device()
    if wanted == "cuda" and not torch.cuda.is_available():
        raise LandmarksError(
            "LANDMARKS_DEVICE is cuda, but PyTorch sees no CUDA device",
            hint="Unset it, or run `make doctor` to see what the machine has.",
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def run_module(
    module: nn.Module,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    label: str,
    where: torch.device | None = None,
) -> NDArray[np.float32]:
    """Run `module` over rows of the packed store, in order, with a progress bar.

    Args:
        module: uint8 (N, 3, H, W) to float32 (N, C); `Normalized`, or a loaded TorchScript export.
        pixels: uint8 (M, S, S, 3), usually a memory map; only the rows in hand are read.
        rows: int (N,), indices into `pixels`.
        label: what the progress bar is called.
        where: the device; `device()` by default. In float32 on every device.

    Returns:
        float32 (N, C).
    """
    where = where or device()
    module = module.to(where).eval()

    def forward(batch: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():  # the mode belongs to the thread that enters it
            photos = torch.from_numpy(pixels[batch]).permute(0, 3, 1, 2).to(where)
            answer: NDArray[np.float32] = module(photos).float().cpu().numpy()
            return answer

    if where.type == "cuda":
        # Convolutions would else be computed in TensorFloat-32, which keeps three digits.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return in_batches(forward, rows, label, threads=1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return in_batches(forward, rows, label)
    finally:
        torch.set_num_threads(threads)
