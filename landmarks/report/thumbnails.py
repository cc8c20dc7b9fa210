"""Photos as small WebP pictures inside the page."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from landmarks.report.material import Material

SIDE = 150
"""Longest side of a thumbnail, pixels."""
QUALITY = 72


def thumbnail(material: Material, row: int, side: int = SIDE) -> str:
    """Return a stored photo in its own proportions as a data URI."""
    return data_uri(material.store.pixels[row], *material.size(row), side)


def data_uri(pixels: NDArray[np.uint8], width: int, height: int, side: int = SIDE) -> str:
    """Return a squashed square, uint8 (S, S, 3), as a data URI of a `width` x `height` photo."""
    scale = side / max(1, width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
