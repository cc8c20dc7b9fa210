"""One photo asked: the model's answer, a small picture to show, and nothing else is kept."""

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from landmarks import images
from landmarks.predictor import Predictor
from landmarks.tagging import packet
from landmarks.tagging.deciding import Row, Rules, decide
from landmarks.tagging.places import Header, Position, header
from landmarks.tagging.reading import Read, why
from landmarks.tagging.spans import Malformed
from landmarks.tagging.walk import Found

MOST_GUESSES = 10
SHOWN = 800
"""Longer side of the picture that is shown, pixels."""

_ENOUGH = 480
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Shown:
    """A small picture: a `data:` URL, and its size in pixels, so that its place can be kept."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class Answer:
    """What is kept of a photo.

    Attributes:
        number: tells it from all others of the visit.
        read: what the model says, or why the file cannot be read.
        picture: None where it cannot be read.
        model: which model was asked (`ModelCard.version`).
    """

    number: int
    read: Read
    picture: Shown | None
    model: str

    @property
    def name(self) -> str:
        """The file's name, without any folder."""
        return self.read.found.path.name

    @property
    def own(self) -> Position | None:
        """Where the photo itself says that it was taken, by its EXIF or the XMP inside it."""
        own = self.read.header
        if own.position or not own.xmp:
            return own.position
        try:
            return packet.position_in(own.xmp)
        except Malformed:
            return None

    def decided(self, rules: Rules) -> Row:
        """Decide by the same rules as `landmarks tag`."""
        return decide(self.read, rules, self.own)


def ask(predictor: Predictor, name: str, content: bytes, number: int) -> Answer:
    """Ask the model about the bytes of a file; one that is no photo is answered too: with why."""
    path = Path(plain_name(name))
    found = Found(path, Path(f"{path}.xmp"))
    sha256 = hashlib.sha256(content).hexdigest()
    size = predictor.card.input.size
    version = predictor.card.version
    try:
        picture = images.decode(content, reduce_to=2 * size)
        pixels = images.resize(picture.pixels, size)
        shown = _shown(content, picture)
    except images.UnreadableImage as error:
        return Answer(number, Read(found, sha256, Header(), None, why(error)), None, version)
    [prediction] = predictor.classify(pixels[None], MOST_GUESSES)
    return Answer(number, Read(found, sha256, header(content), prediction), shown, version)


def plain_name(name: str) -> str:
    """Return the last part of a file's name as a browser gives it, in text that can be shown."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(letter for letter in last if letter.isprintable()).strip()
    return text[-_LONGEST_NAME:] if text.strip(".") else "photo"


def _shown(content: bytes, picture: images.Picture) -> Shown:
    if min(picture.pixels.shape[:2]) < min(_ENOUGH, picture.width, picture.height):
        picture = images.decode(content, reduce_to=_ENOUGH)
    small = Image.fromarray(picture.pixels)
    small.thumbnail((SHOWN, SHOWN), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=82, method=2)
    return Shown(data_url("image/webp", file.getvalue()), small.width, small.height)


def data_url(kind: str, content: bytes) -> str:
    """Return a file as an address that holds it: nothing needs to be fetched."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
