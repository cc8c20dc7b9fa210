"""The one place where bytes become pixels: every photo of the project is read and resized here.

Embedded colour profiles (ICC) are ignored: nearly all photos are sRGB, and the few others are off
by a tint that training's colour augmentation covers. CMYK, which has no RGB without a profile, is
converted by the plain formula.
"""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from landmarks import boxes
from landmarks.errors import LandmarksError
from landmarks.rgb import MODES, to_rgb

Pixels = NDArray[np.uint8]
Reason = Literal[
    "cannot be opened",
    "empty",
    "not an image",
    "damaged",
    "truncated",
    "too many pixels",
    "decompression bomb",
    "unsupported colours",
]

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000", "HEIF")
"""What is read, recognised by content and never by the file's extension."""

MEMORY_BUDGET = 900_000_000
"""Bytes that decoding one photo may take; a photo that would need more is refused unread."""


class Limits(NamedTuple):
    """What a photo may cost: `memory`, bytes to decode it, and `pixels` of the original."""

    memory: int = MEMORY_BUDGET
    pixels: float = math.inf


_USUAL = Limits()

# Measured peaks of full decoding, rounded up: Pillow's picture (4 bytes a pixel), what the codec
# holds beside it, and the result. JPEG 2000 keeps four bytes a channel, WebP several pictures.
_BYTES_PER_PIXEL = {"JPEG": 8, "PNG": 9, "BMP": 8, "GIF": 8, "WEBP": 17, "TIFF": 10, "AVIF": 13}
_BYTES_PER_PIXEL |= {"HEIF": 13, "JPEG2000": 21}
_BYTES_PER_COEFFICIENT = 2

_HINT = "Check its name, copy it again, or save it anew with a program that opens it."
_REDUCTIONS = (8, 4, 2, 1)  # what libjpeg can reduce by; the other formats follow it

_SIGNATURES: tuple[tuple[int, bytes], ...] = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF8"),
    (0, b"BM"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"II+\0"),
    (0, b"MM\0+"),
    (0, b"\xff\x4f\xff\x51"),
    (4, b"jP  \r\n\x87\n"),
    (8, b"WEBP"),
    (4, b"ftyp"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# Odd metadata makes Pillow warn on the console, file by file; what matters is refused here.
warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class UnreadableImage(LandmarksError):
    """A file that is no photo we can read.

    Attributes:
        reason: one of a few short constant phrases (`Reason`), for tables.
    """

    def __init__(self, reason: Reason, name: str, detail: str = "") -> None:
        said = f"{name} cannot be read as a photo: {reason}"
        super().__init__(said + (f" ({detail})" if detail else ""), hint=_HINT)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Picture:
    """A decoded photo, upright.

    Attributes:
        pixels: uint8 (H, W, 3) RGB, C-order; smaller than the original if it was reduced.
        width, height: of the upright original, pixels.
        format: one of `FORMATS`, as the content says.
    """

    pixels: Pixels
    width: int
    height: int
    format: str


def load(
    source: bytes | str | Path | BinaryIO, size: int, limits: Limits = _USUAL
) -> tuple[Pixels, Picture]:
    """Decode a photo and squash it to a square, as training and prediction both see it.

    Large photos are decoded at reduced size (JPEG does so while decoding, several times faster),
    but never below twice `size`: `resize` then differs from that of the full photo by about half a
    level of 255 on average, less than recompression does.

    Returns:
        uint8 (size, size, 3) RGB, and the picture that it was made from.

    Raises:
        UnreadableImage: as `decode` does.
    """
    picture = decode(source, reduce_to=2 * size, limits=limits)
    return resize(picture.pixels, size), picture


def load_image(image: Image.Image, size: int) -> Pixels:
    """Squash a Pillow picture to a square, as `load` does with its file.

    The pixels are the same, but for JPEG, which `load` may reduce while it decodes.

    Args:
        image: in one of `rgb.MODES`; loaded if it is not yet, and otherwise left as it is.
        size: side of the result, pixels.

    Returns:
        uint8 (size, size, 3) RGB.

    Raises:
        UnreadableImage: it has no pixels, or not all, or other colours.
    """
    name = "the PIL image"
    with _explained(name):
        if not (image.width and image.height):
            raise UnreadableImage("empty", name)
        _check_mode(image, name)
        with _unmapped(image):
            pixels, orientation = _loaded(image, _reduction(*image.size, 2 * size))
        return resize(_turn(pixels, orientation), size)


def decode(
    source: bytes | str | Path | BinaryIO, *, reduce_to: int | None = None, limits: Limits = _USUAL
) -> Picture:
    """Read a photo: the first frame, upright by its EXIF orientation, on white where transparent.

    JPEG (CMYK and YCCK too), PNG, WebP, AVIF, HEIC/HEIF, TIFF, GIF, BMP and JPEG 2000 are read, any
    bit depth scaled to 8. Orientation follows EXIF 2.32 (tag 274, all 8 values; others mean none)
    or, in HEIC and AVIF, the container's own rotation.

    Args:
        source: the file's bytes, its path, or a seekable binary file.
        reduce_to: shortest side, in pixels, that the result must keep; the photo may be decoded at
            1/2, 1/4 or 1/8 of its size as long as it does. None decodes at full size.
        limits: what it may cost.

    Raises:
        UnreadableImage: the file cannot be opened, is no photo, is cut off or damaged, or would
            exceed `limits`.
    """
    name = str(source) if isinstance(source, str | Path) else "the photo"
    try:
        file = _open_file(source)
    except OSError as error:
        raise UnreadableImage("cannot be opened", name, error.strerror or "") from error
    try:
        return _decode(file, name, reduce_to, limits)
    finally:
        if file is not source:
            file.close()


def resize(pixels: Pixels, size: int) -> Pixels:
    """Squash a photo to a square with an antialiased bicubic filter.

    Bicubic (a = -0.5) keeps more detail than a bilinear filter and rings less than Lanczos; its
    support grows with the reduction, so that nothing aliases.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        size: side of the result, pixels.

    Returns:
        uint8 (size, size, 3).
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)
    return np.array(image, dtype=np.uint8)


def dhash(pixels: Pixels) -> int:
    """Return the 64-bit difference hash of a photo: does brightness rise from cell to cell?

    Rows of 9 grey cells, 8 of them, one bit for each horizontal neighbour pair, first pair in the
    highest bit (N. Krawetz, "Kind of Like That", hackerfactor.com, 2013). Copies that were resized,
    recompressed or toned differ in a few bits.

    Args:
        pixels: uint8 (H, W, 3) RGB, upright.
    """
    grey = Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BOX)
    cells = np.asarray(grey)
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "big")


def _open_file(source: bytes | str | Path | BinaryIO) -> BinaryIO:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | Path):
        return Path(source).open("rb")
    return source


def _decode(file: BinaryIO, name: str, reduce_to: int | None, limits: Limits) -> Picture:
    head = file.read(32)
    file.seek(0)
    if not head:
        raise UnreadableImage("empty", name)
    known = any(head[at:].startswith(magic) for at, magic in _SIGNATURES)
    if head[4:8] == b"ftyp" and not boxes.whole(file):
        # libheif makes a picture of what there is, and says nothing.
        raise UnreadableImage("truncated", name)
    with _explained(name, "damaged" if known else "not an image"):
        stored = _read(file, head, name, reduce_to, limits)
        # Only now, when Pillow's picture is gone: turning takes a second copy.
        return _upright(*stored)


@contextmanager
def _explained(name: str, unidentified: Reason = "not an image") -> Iterator[None]:
    """Turn what Pillow and the codecs raise into the reason why there is no photo."""
    try:
        yield
    except LandmarksError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise UnreadableImage("too many pixels", name) from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(unidentified, name) from error
    except Exception as error:  # hostile bytes make codecs raise nearly anything
        said = str(error)
        raise UnreadableImage(_reason(said.lower()), name, said) from error


def _reason(said: str) -> Reason:
    """Put a codec's complaint under one of our reasons."""
    if "decompressed data too large" in said:
        return "decompression bomb"
    cut = any(word in said for word in ("truncated", "end of file", "unexpected eof"))
    return "truncated" if cut else "damaged"


def _open_image(file: BinaryIO, head: bytes) -> Image.Image:
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avif" not in head:
        # Imported late: it takes a while, and few photos need it.
        from pillow_heif import HeifImageFile

        return HeifImageFile(file)
    return Image.open(file, formats=[name for name in FORMATS if name != "HEIF"])


def _read(
    file: BinaryIO, head: bytes, name: str, reduce_to: int | None, limits: Limits
) -> tuple[Picture, int]:
    """Return a photo as it is stored, and the EXIF orientation that is still to be undone."""
    with _open_image(file, head) as image:
        format = {"MPO": "JPEG"}.get(image.format or "", image.format or "")
        width, height = image.size
        reduction = _reduction(width, height, reduce_to)
        if format == "JPEG" and reduction > 1:
            image.draft(None, (width // reduction, height // reduction))
            reduction = 1
        _check_mode(image, name)
        needed = _memory_needed(image, format, width * height)
        if needed > limits.memory or width * height > limits.pixels:
            raise UnreadableImage("too many pixels", name, f"{width} x {height}")
        pixels, orientation = _loaded(image, reduction)
    return Picture(pixels, width, height, format), orientation


@contextmanager
def _unmapped(image: Image.Image) -> Iterator[None]:
    """Keep Pillow from mapping the file of a picture that was opened by its name.

    It maps plain TIFF in the shape that the picture has after turning: rows run into each other.
    """
    if not isinstance(image, ImageFile.ImageFile):
        yield
        return
    name, image.filename = image.filename, ""
    try:
        yield
    finally:
        image.filename = name


def _check_mode(image: Image.Image, name: str) -> None:
    if image.mode not in MODES:
        raise UnreadableImage("unsupported colours", name, image.mode)


def _loaded(image: Image.Image, reduction: int) -> tuple[Pixels, int]:
    """Return a picture as it is stored, and the EXIF orientation that is still to be undone."""
    image.load()
    # Only now: Pillow turns TIFF while loading, and pillow-heif HEIC, and both then report none.
    orientation = _orientation(image)
    return to_rgb(image, reduction), orientation


def _reduction(width: int, height: int, reduce_to: int | None) -> int:
    """Return the largest of 1, 2, 4, 8 that leaves the short side `reduce_to` pixels."""
    if reduce_to is None:
        return 1
    fitting = min(width, height) // reduce_to
    return next(factor for factor in _REDUCTIONS if factor <= max(fitting, 1))


def _memory_needed(image: Image.Image, format: str, original: int) -> int:
    needed = image.width * image.height * _BYTES_PER_PIXEL[format]
    if format == "JPEG" and "progressive" in image.info:
        # All coefficients at full size wait in memory for the last scan, reduced or not.
        needed += original * len(image.getbands()) * _BYTES_PER_COEFFICIENT
    return needed


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # a photo with broken EXIF is still a photo
        return 1
    return value if isinstance(value, int) else 1


def _upright(stored: Picture, orientation: int) -> Picture:
    """Undo an EXIF orientation; values that mean nothing change nothing."""
    width, height = stored.width, stored.height
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Picture(_turn(stored.pixels, orientation), width, height, stored.format)


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
