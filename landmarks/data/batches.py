"""From memory-mapped photos to shuffled, augmented batches, the same for any number of workers."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from landmarks.data.augmentation import augment, crop_size, photo_transform, seed_of
from landmarks.params import Training

Key = tuple[int, int]
"""An epoch and the position of a photo in the training set."""


class AugmentedPhotos(Dataset[tuple[Tensor, int]]):
    """Training photos; an item is asked for by (epoch, position), so workers hold no state."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        ids: NDArray[np.int64],
        labels: NDArray[np.int64],
        how: Training,
    ) -> None:
        self.pixels, self.ids, self.labels, self.how = pixels, ids, labels, how
        sizes = {crop_size(how, epoch) for epoch in range(how.epochs)}
        self.transforms = {size: photo_transform(how, size) for size in sizes}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: Key) -> tuple[Tensor, int]:
        epoch, position = key
        row = int(self.ids[position])
        photo = torch.from_numpy(np.array(self.pixels[row])).permute(2, 0, 1)
        transform = self.transforms[crop_size(self.how, epoch)]
        return augment(photo, transform, self.how.seed, epoch, row), int(self.labels[position])


class EpochBatches(Sampler[list[Key]]):
    """This process's share of each batch of an epoch; set `epoch` before iterating.

    The order is a function of (seed, epoch). The last photos that fill no batch are left out, other
    ones each epoch.

    Args:
        photos: number of training photos.
        batch_size: photos a step over all processes; a multiple of `world_size`.
        seed: of the order.
        rank: which process this is.
        world_size: how many processes train together.
    """

    def __init__(
        self, photos: int, batch_size: int, seed: int, *, rank: int = 0, world_size: int = 1
    ) -> None:
        self.photos, self.batch_size, self.seed = photos, min(batch_size, photos), seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def __len__(self) -> int:
        return self.photos // self.batch_size

    def __iter__(self) -> Iterator[list[Key]]:
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch))
        order = torch.randperm(self.photos, generator=generator).tolist()
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            mine = order[start : start + self.batch_size][self.rank :: self.world_size]
            yield [(self.epoch, position) for position in mine]


def loader(
    photos: AugmentedPhotos, batches: EpochBatches, *, workers: int, pin_memory: bool
) -> DataLoader[tuple[Tensor, int]]:
    """Return an iterable over batches: uint8 (n, 3, crop, crop) and int64 labels (n,).

    Crops are as large as the epoch asks for.
    """
    return DataLoader(
        photos,
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
    )
