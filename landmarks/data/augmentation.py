"""What training does to a photo, decided by (seed, epoch, photo) alone."""

import hashlib
import struct

import torch
from torch import Tensor
from torchvision.transforms import v2

from landmarks.params import Training

CROP_GROWTH = 0.8
"""Share of the epochs over which crops grow from `initial_crop_size` to `train_crop_size`."""

_STEP = 16  # pixels; few sizes, so that kernels chosen for one serve many epochs
_POLICIES = {"rand": v2.RandAugment, "trivial": v2.TrivialAugmentWide}


def seed_of(*parts: int) -> int:
    """Mix whole numbers into one 63-bit seed; near inputs give unrelated seeds."""
    packed = struct.pack(f"<{len(parts)}q", *parts)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little") >> 1


def crop_size(settings: Training, epoch: int) -> int:
    """Return the side of the crops of an epoch, counted from 0, in pixels.

    Small crops first (progressive resizing, Tan and Le 2021, arXiv:2104.00298): early epochs cost a
    fraction of late ones and learn nearly as much.
    """
    first, last = settings.initial_crop_size, settings.train_crop_size
    grown = epoch / (CROP_GROWTH * settings.epochs)
    if grown >= 1 or first == last:
        return last
    return min(last, _STEP * round((first + (last - first) * grown) / _STEP))


def photo_transform(settings: Training, size: int) -> v2.Transform:
    """Build the augmentation of one photo, uint8 (3, S, S) to uint8 (3, size, size).

    A random crop (Szegedy et al. 2015), a mirror image, a policy (RandAugment, Cubuk et al. 2019,
    or TrivialAugment, Mueller and Hutter 2021), and random erasing (Zhong et al. 2017), as the
    settings say. All draw from PyTorch's global generator.
    """
    steps: list[v2.Transform] = [
        v2.RandomResizedCrop(size, scale=(settings.random_crop_min_scale, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
    ]
    if settings.auto_augment != "none":
        steps.append(_POLICIES[settings.auto_augment](interpolation=v2.InterpolationMode.BILINEAR))
    if settings.random_erase:
        steps.append(v2.RandomErasing(settings.random_erase))
    return v2.Compose(steps)


def augment(photo: Tensor, transform: v2.Transform, *key: int) -> Tensor:
    """Apply `transform` with the randomness of `key` = (seed, epoch, photo), and no other.

    The caller's random state is left as it was, so the result does not depend on which process
    augments a photo, or in which order.
    """
    before = torch.get_rng_state()
    # torch.manual_seed would also queue a call, with a traceback, for CUDA devices not in use yet.
    torch.default_generator.manual_seed(seed_of(*key))
    try:
        augmented: Tensor = transform(photo)
    finally:
        torch.set_rng_state(before)
    return augmented


def batch_transform(settings: Training, classes: int) -> v2.Transform | None:
    """Build mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019), one of them for each batch.

    Returns:
        A transform of float32 photos (N, 3, h, w) and int64 labels (N,) to mixed photos and
        float32 label shares (N, classes); None if both are off.
    """
    choices: list[v2.Transform] = []
    if settings.mixup_alpha:
        choices.append(v2.MixUp(alpha=settings.mixup_alpha, num_classes=classes))
    if settings.cutmix_alpha:
        choices.append(v2.CutMix(alpha=settings.cutmix_alpha, num_classes=classes))
    return v2.RandomChoice(choices) if choices else None
