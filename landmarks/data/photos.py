"""What a row of the table of photos says, and how its files are called."""

from dataclasses import dataclass, fields

PIXELS = "pixels.npy"
TABLE = "photos.csv"


@dataclass(frozen=True, order=True)
class Photo:
    """A member of an archive that should be a photo. Rows are sorted by these fields."""

    source: str
    path: str
    label: str
    official_split: str


@dataclass(frozen=True)
class Verdict:
    """What decoding gave. A refused photo has a `reason` and no size; its pixels are zeros.

    `width` and `height` are those of the upright original, in pixels; `bytes` and `sha1` those of
    the file; `dhash` is `images.dhash` of the stored pixels, 16 hexadecimal digits.
    """

    width: int = 0
    height: int = 0
    bytes: int = 0
    sha1: str = ""
    dhash: str = ""
    verdict: str = "refused"
    reason: str = ""


COLUMNS = (
    "id",
    *(field.name.replace("label", "class") for field in fields(Photo)),
    *(field.name for field in fields(Verdict)),
)
"""Columns of the table; `id` is the row in the array of pixels."""
