"""From any colour mode of Pillow to 8-bit RGB."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_GREY_32 = ("I", "F")
_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
MODES = frozenset(
    ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", *_GREY_16, *_GREY_32, *_TRANSPARENT)
)
"""Colour modes that can be converted."""

_STRIP_PIXELS = 1 << 20
_ALIGNMENT = 8  # so that no square of pixels is cut by a strip


def to_rgb(image: Image.Image, reduction: int = 1) -> NDArray[np.uint8]:
    """Convert a loaded picture strip by strip, so that a second whole one is never held.

    Transparent pixels lie on white; 16 and 32 bits and floating point are scaled to 8 bits.

    Args:
        image: a Pillow picture in one of `MODES`.
        reduction: 1, 2, 4 or 8: each square of this many pixels becomes their mean.

    Returns:
        uint8 (ceil(H / reduction), ceil(W / reduction), 3) RGB.
    """
    convert = _converter(image)
    width, height = image.size
    shape = (math.ceil(height / reduction), math.ceil(width / reduction), 3)
    pixels = np.empty(shape, np.uint8)
    rows = max(1, _STRIP_PIXELS // (width * _ALIGNMENT)) * _ALIGNMENT
    for top in range(0, height, rows):
        strip = convert(image.crop((0, top, width, min(top + rows, height))))
        if reduction > 1:
            strip = strip.reduce(reduction)
        first = top // reduction
        pixels[first : first + strip.height] = np.asarray(strip)
    return pixels


def _converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return what turns a strip of `image` into RGB."""
    if image.mode in _GREY_16:
        return lambda strip: _grey(np.asarray(strip) >> 8)
    if image.mode in _GREY_32:
        return _deep_grey_converter(image)
    if image.has_transparency_data:
        return _on_white
    return lambda strip: strip.convert("RGB")


def _deep_grey_converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Scale 32-bit or floating-point grey to 8 bits by the range that its values fall in."""
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if low >= 0:
        low = 0.0
        high = next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)
    scale = 255.0 / (high - low) if high > low else 0.0

    def convert(strip: Image.Image) -> Image.Image:
        values = (np.asarray(strip, dtype=np.float64) - low) * scale
        return _grey(np.nan_to_num(values, posinf=255.0).clip(0, 255).round())

    return convert


def _grey(values: NDArray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")


def _on_white(strip: Image.Image) -> Image.Image:
    white = Image.new("RGBA", strip.size, "white")
    return Image.alpha_composite(white, strip.convert("RGBA")).convert("RGB")
