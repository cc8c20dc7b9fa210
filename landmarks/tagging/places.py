"""Where a photo says that it was taken, and how far that is from where a landmark stands."""

import io
import math
import re
from typing import Any, NamedTuple

from PIL import ExifTags, Image

from landmarks import images

_EARTH_KM = 6371.0088  # mean radius, IUGG
_XMP = re.compile(r"(\d+)(?:,(\d+(?:\.\d+)?))?(?:,(\d+(?:\.\d+)?))?([NSEW])")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class Position(NamedTuple):
    """WGS 84, decimal degrees, north and east positive."""

    latitude: float
    longitude: float


class Header(NamedTuple):
    """What a photo says of itself without its pixels.

    Attributes:
        position: where it was taken, by its EXIF; None where that is missing or impossible.
        xmp: the XMP packet inside it, empty where there is none.
        drawn: whether the built-in sample drew it.
    """

    position: Position | None = None
    xmp: bytes = b""
    drawn: bool = False


def header(content: bytes) -> Header:
    """Read a photo's metadata; broken metadata count as none, they do not spoil a photo."""
    from landmarks.data.sample.archive import is_drawn

    try:
        with _open(content) as image:
            xmp = image.info.get("xmp", b"")
            xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp or b"")
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            return Header(_exif_position(gps), xmp, is_drawn(image))
    except Exception:  # noqa: BLE001 - hostile bytes make readers raise nearly anything
        return Header()


def distance_km(a: Position, b: Position) -> float:
    """Return the great-circle distance (haversine) on a sphere."""
    p, q = math.radians(a.latitude), math.radians(b.latitude)
    across = math.radians(b.longitude - a.longitude)
    h = math.sin((q - p) / 2) ** 2 + math.cos(p) * math.cos(q) * math.sin(across / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


def coordinate(text: str) -> float | None:
    """Read XMP's GPSCoordinate in degrees: `DDD,MM.mmk` or `DDD,MM,SSk`, k one of N, S, E, W."""
    match = _XMP.fullmatch(text.strip())
    if match is None:
        return None
    degrees = sum(float(part or 0) / 60**power for power, part in enumerate(match.groups()[:3]))
    return -degrees if match[4] in "SW" else degrees


def from_xmp(latitude: str, longitude: str) -> Position | None:
    """Read a position from two GPSCoordinates; None where one is missing or impossible."""
    values = coordinate(latitude), coordinate(longitude)
    if values[0] is None or values[1] is None:
        return None
    return _checked(values[0], values[1])


def to_xmp(position: Position) -> tuple[str, str]:
    """Write a position as XMP's GPSCoordinate, to a millionth of a minute (2 mm)."""
    return _minutes(position.latitude, "NS"), _minutes(position.longitude, "EW")


def _minutes(degrees: float, signs: str) -> str:
    minutes = round(abs(degrees) * 60, 6)
    whole = int(minutes // 60)
    return f"{whole},{minutes - 60 * whole:.6f}{signs[degrees < 0]}"


def _open(content: bytes) -> Image.Image:
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS and b"avif" not in content[:32]:
        from pillow_heif import HeifImageFile

        heif: Image.Image = HeifImageFile(io.BytesIO(content))
        return heif
    known = [name for name in images.FORMATS if name != "HEIF"]
    return Image.open(io.BytesIO(content), formats=known)


def _exif_position(gps: dict[int, Any]) -> Position | None:
    """Read the GPS tags of EXIF 2.32; cameras without a fix write zeros or 0/0."""
    values = []
    for reference, tag in ((ExifTags.GPS.GPSLatitudeRef, ExifTags.GPS.GPSLatitude),) + (
        (ExifTags.GPS.GPSLongitudeRef, ExifTags.GPS.GPSLongitude),
    ):
        parts = gps.get(tag)
        if not isinstance(parts, tuple) or len(parts) != 3:
            return None
        degrees = sum(float(part) / 60**power for power, part in enumerate(parts))
        side = str(gps.get(reference, "")).strip("\0 ").upper()
        if side not in ("N", "S", "E", "W"):
            return None
        values.append(-degrees if side in "SW" else degrees)
    return _checked(*values)


def _checked(latitude: float, longitude: float) -> Position | None:
    possible = abs(latitude) <= 90 and abs(longitude) <= 180  # false for NaN
    nowhere = latitude == longitude == 0  # what a camera without a fix writes
    return Position(latitude, longitude) if possible and not nowhere else None
