"""The mean and deviation that normalisation uses are exact, and of the train photos only."""

from pathlib import Path

import numpy as np
import pytest

from landmarks.data.stats import channel_statistics
from landmarks.errors import LandmarksError


def test_the_figures_are_those_of_numpy_in_float64() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (150, 24, 24, 3)).astype(np.uint8)
    pixels[..., 1] //= 3
    rows = np.arange(0, 150, 2)
    pixels[1::2] = 255  # photos of other roles must not count
    found = channel_statistics(pixels, rows)
    chosen = pixels[rows].astype(np.float64) / 255
    assert found["photos"] == 75
    assert np.allclose(found["mean"], chosen.mean(axis=(0, 1, 2)), rtol=0, atol=1e-6)
    assert np.allclose(found["std"], chosen.std(axis=(0, 1, 2)), rtol=0, atol=1e-6)


def test_even_pictures_have_no_deviation() -> None:
    found = channel_statistics(np.full((3, 8, 8, 3), 51, np.uint8), np.arange(3))
    assert found == {"mean": [0.2, 0.2, 0.2], "std": [0.0, 0.0, 0.0], "photos": 3}


def test_the_array_may_lie_on_disk(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (70, 16, 16, 3)).astype(np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    assert channel_statistics(mapped, np.arange(70)) == channel_statistics(pixels, np.arange(70))


def test_no_photos_is_an_error() -> None:
    with pytest.raises(LandmarksError, match="no train photo"):
        channel_statistics(np.zeros((3, 8, 8, 3), np.uint8), np.array([], np.int64))
