"""The sample as two zip archives of JPEG files: drawn by several processes, the same bytes."""

import io
import multiprocessing
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from landmarks import environment
from landmarks.data.sample.catalogue import LANDMARKS
from landmarks.data.sample.develop import Photo
from landmarks.data.sample.integer import Stream
from landmarks.data.sample.negatives import draw_without_landmark
from landmarks.data.sample.scene import Shot, photograph
from landmarks.errors import LandmarksError, deaf_to_interrupts
from landmarks.files import replacing

if TYPE_CHECKING:  # who only recognizes drawn photos has no PyYAML
    from landmarks.params import Sample

COMMENT = b"landmarks sample: invented"  # in every drawn JPEG, so that it can be recognized
TEST_NUMBERS = 1_000_000  # test photos are numbered from here, whatever the number of train photos
_EXIF_ORIENTATION = 0x0112
# Orientation (EXIF 2.32) -> how to store upright pixels so that a viewer turns them back.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

Progress = Callable[[int, int], None]


class Order(NamedTuple):
    """One picture to draw: `landmark` is None for a picture without any."""

    seed: int
    landmark: int | None
    number: int


def class_name(landmark: int) -> str:
    """Return the folder name of a landmark, such as `00.Veldspire`."""
    return f"{landmark:02d}.{LANDMARKS[landmark].name}"


def draw_photo(landmark: int, number: int, seed: int, scale: int = 1) -> Photo:
    """Return photo `number` of a landmark: uint8 (H, W, 3), sides of 96 to 144 times `scale`.

    Raises:
        LandmarksError: if there is no such landmark.
    """
    if not 0 <= landmark < len(LANDMARKS):
        raise LandmarksError(
            f"the sample has no landmark {landmark}",
            hint=f"Choose a number from 0 to {len(LANDMARKS) - 1}.",
        )
    made = LANDMARKS[landmark]
    shot = Shot(made.design, made.seed, made.palette, made.backdrop)
    return photograph(shot, Stream("photo", seed, made.name, number), scale)


def draw_negative(number: int, seed: int, scale: int = 1) -> tuple[str, Photo]:
    """Return the kind and the pixels, uint8 (H, W, 3), of a picture that shows no landmark."""
    return draw_without_landmark(Stream("negative", seed, number), scale)


def encode(pixels: Photo, stream: Stream) -> bytes:
    """Return a JPEG file of varying quality; one in 16 is stored turned, as cameras do."""
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    if stream.below(16) == 0:
        orientation = stream.pick(sorted(_STORED))
        image = image.transpose(_STORED[orientation])
        exif[_EXIF_ORIENTATION] = orientation
    file = io.BytesIO()
    image.save(
        file,
        "JPEG",
        quality=stream.between(68, 94),
        subsampling=stream.pick((0, 2, 2)),
        exif=exif.tobytes() if len(exif) else b"",
        comment=COMMENT,
    )
    return file.getvalue()


def is_drawn(image: Image.Image) -> bool:
    """Say whether an opened photo was drawn by the sample: its JPEG comment says so."""
    return image.info.get("comment") == COMMENT


def draw_file(order: Order) -> tuple[str, bytes]:
    """Return the member name and the JPEG bytes of one picture."""
    labels = ("file", order.seed, "none" if order.landmark is None else order.landmark)
    stream = Stream(*labels, order.number)
    name = f"{stream.bits():016x}.jpg"
    if order.landmark is None:
        kind, pixels = draw_negative(order.number, order.seed)
        return f"negatives/{kind}/{name}", encode(pixels, stream)
    part = "test" if order.number >= TEST_NUMBERS else "train"
    pixels = draw_photo(order.landmark, order.number, order.seed)
    return f"landmark_images/{part}/{class_name(order.landmark)}/{name}", encode(pixels, stream)


def write_sample(
    archive: str | Path,
    negatives: str | Path,
    settings: "Sample",
    progress: Progress | None = None,
) -> None:
    """Draw the sample into two zip archives, each written whole or not at all.

    The bytes depend on `settings` alone, not on the number of processes (`LANDMARKS_WORKERS`).
    `progress` is called with the number of pictures drawn, and of all.

    Raises:
        LandmarksError: if `LANDMARKS_WORKERS` is not a number.
    """
    orders = [
        Order(settings.seed, landmark, number)
        for landmark in range(len(LANDMARKS))
        for first, count in ((0, settings.train_photos), (TEST_NUMBERS, settings.test_photos))
        for number in range(first, first + count)
    ]
    orders += [Order(settings.seed, None, number) for number in range(settings.negatives)]
    files = {}
    for name, content in _drawn(orders):
        files[name] = content
        if progress:
            progress(len(files), len(orders))
    _write_zip(archive, {n: c for n, c in files.items() if n.startswith("landmark_images/")})
    _write_zip(negatives, {n: c for n, c in files.items() if n.startswith("negatives/")})


def _drawn(orders: list[Order]) -> Iterator[tuple[str, bytes]]:
    workers = min(environment.workers(environment.cores()), len(orders) // 8)
    if workers < 2:
        yield from map(draw_file, orders)
        return
    # Fresh processes: a copy of a process that runs threads can hang.
    with deaf_to_interrupts():
        started = multiprocessing.get_context("spawn").Pool(workers)
    with started as pool:
        yield from pool.imap_unordered(draw_file, orders, chunksize=8)


def _write_zip(path: str | Path, files: dict[str, bytes]) -> None:
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(files):
            made.writestr(_member(name), files[name])


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    member.create_system = 3  # Unix, wherever it is made
    member.external_attr = 0o644 << 16
    return member


def contact_sheet(photos: Iterable[Photo], columns: int, cell: int) -> Photo:
    """Return the photos in rows, each in the middle of a square of `cell` pixels."""
    shown = list(photos)
    rows = -(-len(shown) // columns)
    sheet = np.full((rows * cell, columns * cell, 3), 24, dtype=np.uint8)
    for k, photo in enumerate(shown):
        height, width = photo.shape[:2]
        top = k // columns * cell + (cell - height) // 2
        left = k % columns * cell + (cell - width) // 2
        sheet[top : top + height, left : left + width] = photo
    return sheet
