"""The photographic part: from a large drawing to a small photo with blur, cast and noise."""

import numpy as np
from numpy.typing import NDArray

from landmarks.data.sample.integer import Ints, Stream, random_bytes

SUPER = 2  # the drawing is this many times as large as the photo

Photo = NDArray[np.uint8]


def develop(image: Ints, stream: Stream, night: bool) -> Photo:
    """Shrink a drawing (3, 2H, 2W) and give it the faults of a camera; return uint8 (H, W, 3)."""
    image = np.clip(image, 0, 255)
    parts = [image[:, a::SUPER, b::SUPER] for a in range(SUPER) for b in range(SUPER)]
    small = sum(parts[1:], parts[0]) * 256 // SUPER**2  # 8 more bits: steps do not add up
    soft = stream.below(100)
    if soft < 26:
        small = _blurred(small, 1 + (soft < 5))
    elif soft < 30:
        small = sum((np.roll(small, k, axis=2) for k in (-2, -1, 1, 2)), small) // 5
    small = _exposed(small, stream)
    grain = stream.between(1, 8) + (7 if night else 0)
    noise = random_bytes(stream.bits(), small[0].size)[:, :6].T.astype(np.int32)
    pairs = (noise[0::2] + noise[1::2]).reshape(small.shape)
    small = small + (pairs - 255) * (grain * 2)
    photo = np.clip(small >> 8, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(photo.transpose(1, 2, 0))


def _blurred(image: Ints, times: int) -> Ints:
    for _ in range(times):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
        across = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]
        image = (across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]) >> 4
    return image


def _exposed(image: Ints, stream: Stream) -> Ints:
    """Apply contrast, exposure, colour cast and darker corners, as cameras and filters do."""
    height, width = image.shape[1:]
    strength = stream.middling(196, 320)
    cast = [stream.middling(228, 284) for _ in range(3)]
    bright = stream.middling(212, 330)
    gain = np.array([bright * c // 256 for c in cast], dtype=np.int32)
    image = (image - (118 << 8)) * strength // 256 + (118 << 8)
    image = image * gain[:, None, None] // 256
    corner = stream.between(0, 90)
    across = np.abs(np.arange(width, dtype=np.int32) * 2 - width) * 256 // width
    down = np.abs(np.arange(height, dtype=np.int32) * 2 - height) * 256 // height
    far = (across * across)[None, :] + (down * down)[:, None]
    return image * (256 - (far * corner >> 17)) >> 8
