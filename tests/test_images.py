"""Whatever a camera or a program wrote, the right picture comes out, or a reason why not."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from landmarks import images
from landmarks.errors import LandmarksError

# The library silences Pillow when it is imported; pytest resets that for every test.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")

WIDTH, HEIGHT = 48, 32
RED, GREEN, BLUE, GREY = (220, 30, 30), (30, 200, 40), (40, 40, 210), (90, 90, 90)


def scene(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Draw four quarters, each of another colour: no turn or mirror image looks like another."""
    picture = Image.new("RGB", (width, height), GREY)
    picture.paste(RED, (0, 0, width // 2, height // 2))
    picture.paste(GREEN, (width // 2, 0, width, height // 2))
    picture.paste(BLUE, (0, height // 2, width // 2, height))
    return picture


def packed(picture: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Return the colours in the middle of the quarters: top left, top right, bottom left, right."""
    height, width = pixels.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return [tuple(int(v) for v in pixels[y, x]) for y in rows for x in columns]


def assert_upright(pixels: np.ndarray, tolerance: int = 12) -> None:
    for found, expected in zip(corners(pixels), (RED, GREEN, BLUE, GREY), strict=True):
        assert np.abs(np.subtract(found, expected)).max() <= tolerance, (found, expected)


# What a camera stores for each EXIF orientation, so that the scene is upright after it.
STORED = {
    1: lambda p: p,
    2: lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda p: p.transpose(Image.Transpose.ROTATE_180),
    4: lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda p: p.transpose(Image.Transpose.TRANSPOSE),
    6: lambda p: p.transpose(Image.Transpose.ROTATE_90),
    7: lambda p: p.transpose(Image.Transpose.TRANSVERSE),
    8: lambda p: p.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_undone(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = STORED[orientation](scene())
    picture = images.decode(packed(stored, format, exif=exif))
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert picture.pixels.shape == (HEIGHT, WIDTH, 3)
    assert picture.format == format
    assert_upright(picture.pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_survives_decoding_at_reduced_size(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = images.decode(
        packed(STORED[orientation](scene(480, 320)), "JPEG", exif=exif), reduce_to=40
    )
    assert (picture.width, picture.height) == (480, 320)
    assert picture.pixels.shape == (40, 60, 3)
    assert_upright(picture.pixels)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_turns_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_upright(images.decode(packed(scene(), "JPEG", exif=exif)).pixels)


def test_broken_exif_does_not_cost_the_photo() -> None:
    for exif in (b"Exif\0\0", b"Exif\0\0MM\0*\0\0\xff\xff", b"Exif\0\0" + b"\xff" * 40):
        assert_upright(images.decode(packed(scene(), "JPEG", exif=exif)).pixels)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_is_turned_once(orientation: int) -> None:
    """The container says how to turn it, and a copy of that in EXIF must not turn it again."""
    stored = STORED[orientation](scene(96, 64))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pillow_heif.from_pillow(stored).save(file, exif=exif.tobytes(), quality=90)
    picture = images.decode(file.getvalue())
    assert (picture.format, picture.width, picture.height) == ("HEIF", 96, 64)
    assert_upright(picture.pixels, tolerance=24)


LOSSLESS = [
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("BMP", {}),
    ("GIF", {}),
    ("JPEG2000", {}),
]


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_lossless_formats_come_back_exactly(format: str, options: dict[str, object]) -> None:
    picture = images.decode(packed(scene(), format, **options))
    assert picture.format == format
    assert picture.pixels.dtype == np.uint8 and picture.pixels.flags.c_contiguous
    assert np.array_equal(picture.pixels, np.asarray(scene()))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGBA", "LA"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    format = "TIFF" if mode == "CMYK" else "PNG"
    source = scene().convert(mode)
    pixels = images.decode(packed(source, format)).pixels
    assert np.abs(pixels.astype(int) - np.asarray(source.convert("RGB"))).max() <= 3


def test_cmyk_jpeg_is_not_a_negative() -> None:
    assert_upright(images.decode(packed(scene().convert("CMYK"), "JPEG", quality=95)).pixels, 20)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(format: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    source = Image.fromarray(np.tile(ramp, (8, 1)))
    pixels = images.decode(packed(source, format)).pixels
    assert np.abs(pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_floating_point_grey_is_scaled() -> None:
    for top in (1.0, 255.0, 65535.0, 1e6):
        source = Image.fromarray(np.tile(np.linspace(0, top, 64, dtype=np.float32), (8, 1)))
        pixels = images.decode(packed(source, "TIFF")).pixels
        assert pixels[0, 0, 0] == 0 and pixels[0, -1, 0] == 255 and 120 < pixels[0, 32, 0] < 136


def test_colours_that_cannot_be_converted_are_refused() -> None:
    lab = scene().convert("RGB").convert("L").convert("RGB")
    assert reason_of(packed(Image.merge("LAB", lab.split()), "TIFF")) == "unsupported colours"


def test_transparency_lies_on_white() -> None:
    half = Image.new("RGBA", (40, 20), (0, 0, 0, 128))
    half.paste((255, 0, 0, 0), (0, 0, 20, 20))
    for format in ("PNG", "WEBP"):
        pixels = images.decode(packed(half, format, lossless=True)).pixels
        assert tuple(pixels[10, 5]) == (255, 255, 255)
        assert tuple(pixels[10, 35]) == (127, 127, 127)


def test_a_transparent_palette_colour_lies_on_white() -> None:
    picture = scene().quantize(4)
    see_through = picture.getpixel((0, 0))
    pixels = images.decode(packed(picture, "PNG", transparency=see_through)).pixels
    assert corners(pixels)[0] == (255, 255, 255)
    assert np.abs(np.subtract(corners(pixels)[1], GREEN)).max() <= 3


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_first_frame_of_an_animation_counts(format: str) -> None:
    later = [Image.new("RGB", (WIDTH, HEIGHT), BLUE)] * 2
    animation = packed(scene(), format, save_all=True, append_images=later)
    assert_upright(images.decode(animation).pixels)


def test_content_decides_not_the_extension(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(packed(scene(), "PNG"))
    for source in (file, str(file), file.read_bytes(), io.BytesIO(file.read_bytes())):
        assert images.decode(source).format == "PNG"


def test_a_file_of_the_caller_stays_open() -> None:
    for format in ("GIF", "PNG", "JPEG", "TIFF"):
        file = io.BytesIO(packed(scene(), format))
        images.decode(file)
        assert not file.closed


def reason_of(source: bytes | Path) -> str:
    with pytest.raises(images.UnreadableImage) as caught:
        images.decode(source)
    assert isinstance(caught.value, LandmarksError) and "\n" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(format: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    if format == "HEIF":
        file = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(noise)).save(file)
        data = file.getvalue()
    else:
        data = packed(Image.fromarray(noise), format)
    assert reason_of(data[: int(len(data) * share)]) in ("truncated", "damaged")


def test_a_cut_off_photo_is_refused_at_reduced_size_too() -> None:
    for format in ("JPEG", "PNG"):
        data = packed(scene(800, 600), format, quality=95)
        with pytest.raises(images.UnreadableImage, match="truncated"):
            images.load(data[: len(data) // 2], 64)


def test_cut_off_photos_say_so() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8))
    for format in ("JPEG", "PNG", "BMP", "GIF", "AVIF"):
        data = packed(noise, format)
        assert reason_of(data[: len(data) // 2]) == "truncated", format


def test_other_files_are_refused_with_their_reason(tmp_path: Path) -> None:
    assert reason_of(b"") == "empty"
    assert reason_of(b"<html>404</html>") == "not an image"
    assert reason_of(b"%PDF-1.7\n" + b"\0" * 100) == "not an image"
    assert reason_of(bytes(1000)) == "not an image"
    assert reason_of(b"\xff\xd8\xff\xe0" + bytes(1000)) == "damaged"
    assert reason_of(tmp_path / "missing.jpg") == "cannot be opened"
    assert reason_of(tmp_path) == "cannot be opened"


def test_programs_in_image_clothes_are_not_run() -> None:
    """Pillow hands PostScript to Ghostscript; only the listed photo formats may be opened."""
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    assert reason_of(postscript) == "not an image"


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1 << 16)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def jpeg_that_claims(width: int, height: int, **options: object) -> bytes:
    data = bytearray(packed(scene(), "JPEG", **options))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


BOMBS = {
    "PNG, 3.6 gigapixels": png_that_claims(60000, 60000),
    "PNG, 144 megapixels": png_that_claims(12000, 12000),
    "GIF, 4 gigapixels": packed(scene(), "GIF")[:6]
    + b"\xff\xff\xff\xff"
    + packed(scene(), "GIF")[10:],
    "JPEG, 144 megapixels": jpeg_that_claims(12000, 12000),
    "JPEG, 90 megapixels, progressive": jpeg_that_claims(9500, 9500, progressive=True),
    "JPEG, 4 gigapixels": jpeg_that_claims(65000, 65000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_memory_is_taken(name: str) -> None:
    assert reason_of(BOMBS[name]) == "too many pixels"


def test_the_largest_photos_of_telephones_are_no_bombs() -> None:
    picture = images.decode(jpeg_that_claims(12032, 9024), reduce_to=512)
    assert (picture.width, picture.height) == (12032, 9024)
    assert picture.pixels.shape == (1128, 1504, 3)


def test_at_reduced_size_the_short_side_is_kept() -> None:
    for format in ("JPEG", "PNG"):
        for width, height, reduce_to in (
            (640, 480, 100),
            (799, 601, 100),
            (640, 99, 100),
            (333, 800, 41),
        ):
            data = packed(scene(width, height), format)
            picture = images.decode(data, reduce_to=reduce_to)
            short, factor = min(picture.pixels.shape[:2]), round(height / picture.pixels.shape[0])
            assert short >= min(reduce_to, width, height)
            assert short < 2 * reduce_to + 2 or factor == 8, "it could have been reduced more"
            assert (picture.width, picture.height) == (width, height)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_reduced_and_full_decoding_load_the_same_picture(format: str) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((1200, 900), Image.Resampling.BICUBIC)
    data = packed(photo, format, quality=95)
    squashed, _ = images.load(data, 96)
    full = images.resize(images.decode(data).pixels, 96)
    assert squashed.shape == (96, 96, 3)
    assert np.abs(squashed.astype(int) - full).mean() < 1.0


def test_a_wide_photo_is_squashed_whole() -> None:
    assert_upright(images.load(packed(scene(900, 30), "PNG"), 64)[0])


def test_resize_does_not_alias() -> None:
    """Fine stripes become grey; picking pixels would give black or white."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(images.resize(stripes, 64)[:, 2:-2].astype(int) - 127).max() <= 2


def test_a_photo_of_the_right_size_is_left_as_it_is() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.array_equal(images.resize(noise, 32), noise)


def distance(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def test_dhash_knows_a_copy_from_another_photo() -> None:
    random = np.random.default_rng(5)
    first, second = (
        Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((400, 300), 3)
        for _ in range(2)
    )
    hashed = images.dhash(np.asarray(first))
    copy = images.decode(packed(first.resize((200, 150)), "JPEG", quality=60)).pixels
    brighter = np.asarray(first.point(lambda v: int(v * 0.8 + 20)))
    assert 0 <= hashed < 1 << 64
    assert distance(hashed, images.dhash(copy)) <= 3
    assert distance(hashed, images.dhash(brighter)) <= 3
    assert distance(hashed, images.dhash(np.asarray(second))) > 12


def test_dhash_bits_are_where_brightness_rises() -> None:
    ramp = np.tile(np.arange(0, 252, 28, dtype=np.uint8)[None, :, None], (8, 1, 3))
    assert images.dhash(ramp) == (1 << 64) - 1
    assert images.dhash(ramp[:, ::-1]) == 0
    step = np.zeros((8, 9, 3), np.uint8)
    step[0, 1:] = 200
    assert images.dhash(step) == 1 << 63


def test_odd_files_leave_the_console_quiet(tmp_path: Path) -> None:
    file = tmp_path / "odd.jpg"
    file.write_bytes(packed(scene(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05" + b"\xff" * 20))
    code = f"from landmarks import images; images.load({str(file)!r}, 32)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_images_needs_nothing_but_the_plain_installation() -> None:
    code = (
        "import sys; import landmarks.images;"
        "heavy = {'torch', 'torchvision', 'pandas', 'scipy', 'sklearn', 'dvc'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
