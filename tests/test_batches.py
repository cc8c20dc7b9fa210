"""A photo of an epoch is augmented alike, whoever does it, in whatever batch and order."""

import numpy as np
import pytest
import torch
from small_training import settings_with, stripes

from landmarks.data.batches import AugmentedPhotos, EpochBatches, loader

# Four workers on two cores are slow, and that is not the question here.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")

EPOCH = 2
Augmented = dict[int, bytes]


@pytest.fixture(scope="module")
def photos() -> AugmentedPhotos:
    """Photos that each look different, whose ids are not their positions, and every augmentation.

    The label of a photo is its id, so that a batch says which photos it holds.
    """
    data = stripes(photos=60)
    ids = np.random.default_rng(1).permutation(60)[:40]
    how = settings_with("scratch", auto_augment="trivial", random_erase=0.5)
    return AugmentedPhotos(data.pixels, ids, ids, how)


def augmented(
    photos: AugmentedPhotos, *, workers: int = 0, batch_size: int = 8, order: int = 1
) -> tuple[list[int], Augmented]:
    """Return the ids in the order in which they came, and what became of each photo."""
    batches = EpochBatches(len(photos), batch_size, order)
    batches.epoch = EPOCH
    came: list[int] = []
    found: Augmented = {}
    for pixels, labels in loader(photos, batches, workers=workers, pin_memory=False):
        for photo, label in zip(pixels, labels.tolist(), strict=True):
            came.append(label)
            found[label] = photo.numpy().tobytes()
    assert len(found) == len(came) == len(photos)
    return came, found


@pytest.fixture(scope="module")
def reference(photos: AugmentedPhotos) -> tuple[list[int], Augmented]:
    return augmented(photos)


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_change_neither_photos_nor_their_order(
    photos: AugmentedPhotos, reference: tuple[list[int], Augmented], workers: int
) -> None:
    assert augmented(photos, workers=workers) == reference


@pytest.mark.parametrize(("batch_size", "order", "workers"), [(8, 2, 0), (5, 3, 0), (10, 4, 4)])
def test_neither_do_the_size_of_a_batch_and_another_order(
    photos: AugmentedPhotos,
    reference: tuple[list[int], Augmented],
    batch_size: int,
    order: int,
    workers: int,
) -> None:
    came, found = augmented(photos, batch_size=batch_size, order=order, workers=workers)
    assert came != reference[0], "this order tests nothing"
    assert found == reference[1]


def test_nor_does_what_was_drawn_before(
    photos: AugmentedPhotos, reference: tuple[list[int], Augmented]
) -> None:
    torch.manual_seed(77)
    np.random.seed(77)
    torch.rand(5)
    assert augmented(photos) == reference


def test_other_training_photos_beside_it_do_not_matter(
    photos: AugmentedPhotos, reference: tuple[list[int], Augmented]
) -> None:
    fewer = AugmentedPhotos(
        photos.pixels, photos.ids[7:], photos.labels[7:], settings_with("scratch")
    )
    fewer.transforms = photos.transforms
    assert all(
        reference[1][row] == pixels for row, pixels in augmented(fewer, batch_size=3)[1].items()
    )


def test_each_epoch_and_seed_sees_other_photos(photos: AugmentedPhotos) -> None:
    first = photos[EPOCH, 0][0]
    assert not torch.equal(photos[EPOCH + 1, 0][0], first)
    settings = settings_with("scratch", auto_augment="trivial", random_erase=0.5, seed=2)
    other = AugmentedPhotos(photos.pixels, photos.ids, photos.labels, settings)
    assert not torch.equal(other[EPOCH, 0][0], first)
