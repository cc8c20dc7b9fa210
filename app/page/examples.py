"""Pictures to try the sample's model with: drawn on the spot, and never learned from."""

from functools import cache
from typing import NamedTuple

from landmarks.data.sample import draw_negative, draw_photo, encode
from landmarks.data.sample.integer import Stream

SEED = 20_260_008
"""No other part of the project draws with it: not what is learned from, not what is tested on."""

SCALE = 4
"""Times as large as the photos that are learned from."""


class Example(NamedTuple):
    """A picture that can be asked for.

    Attributes:
        title: what the button says.
        landmark: of the sample; None for a picture of none.
        number: which photo.
    """

    title: str
    landmark: int | None
    number: int


EXAMPLES = (
    Example("A rotunda", 5, 0),
    Example("A bridge", 15, 2),
    Example("A tower", 0, 3),
    Example("A lighthouse", 10, 3),
    Example("A wheel at night", 14, 2),
    Example("A street", None, 7),
)


@cache
def draw(example: Example) -> bytes:
    """Return the JPEG file of an example; a few tenths of a second the first time."""
    if example.landmark is None:
        pixels = draw_negative(example.number, SEED, SCALE)[1]
    else:
        pixels = draw_photo(example.landmark, example.number, SEED, SCALE)
    return encode(pixels, Stream("page", example.title))


def file_name(example: Example) -> str:
    """Return what the file would be called."""
    return f"{example.title.lower().replace(' ', '-')}.jpg"
