"""Draw the README's picture: photos of the sample, and what the released model says of them."""

import hashlib
import io
from itertools import zip_longest
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from landmarks.data.archive import Photo, layout, open_archive
from landmarks.errors import LandmarksError, run
from landmarks.predictor import Prediction, Predictor

ARCHIVE, PICTURE = Path("data/landmark_images.zip"), Path("docs/images/sample.png")
COLUMNS, ROWS = 6, 3
TILE, CAPTION, GAP = 240, 46, 12  # pixels
PAPER, INK, RIGHT, WRONG = "#ffffff", "#1f2328", "#1a7f37", "#cf222e"


def choose(photos: list[Photo], count: int) -> list[Photo]:
    """Return test photos of as many landmarks as there are, drawn by the hash of their names."""
    test = [photo for photo in photos if photo.official_split == "test"]
    by_class: dict[str, list[Photo]] = {}
    for photo in sorted(test, key=lambda photo: hashlib.sha256(photo.path.encode()).digest()):
        by_class.setdefault(photo.class_name, []).append(photo)
    rounds = zip_longest(*by_class.values())
    return [photo for one in rounds for photo in one if photo is not None][:count]


def tile(content: bytes, prediction: Prediction, truth: str) -> Image.Image:
    """Return one photo with the model's answer below it."""
    best = prediction.best
    picture = Image.new("RGB", (TILE, TILE + CAPTION), PAPER)
    with Image.open(io.BytesIO(content)) as photo:
        shown = ImageOps.contain(ImageOps.exif_transpose(photo).convert("RGB"), (TILE, TILE))
    picture.paste(shown, ((TILE - shown.width) // 2, (TILE - shown.height) // 2))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(17)
    color = RIGHT if best.class_name == truth else WRONG
    place = (TILE // 2, TILE + 5)
    pen.text(place, f"{best.name}  {best.confidence:.0%}", color, font, anchor="ma")
    pen.text((TILE // 2, TILE + 26), best.locality or "", INK, ImageFont.load_default(14), "ma")
    return picture


def main() -> None:
    predictor = Predictor.load()
    if not predictor.card.invented:
        raise LandmarksError(
            "models/landmarks knows real places, and real photos may not be published",
            hint="`make preset NAME=sample` and `make repro` come first.",
        )
    with open_archive(ARCHIVE) as archive:
        photos = choose(layout(archive.members, archive.folders), COLUMNS * ROWS)
        contents = [archive.read(photo.path) for photo in photos]
    answers = predictor.predict_batch(contents, top_k=1)
    step, rise = TILE + GAP, TILE + CAPTION + GAP
    sheet = Image.new("RGB", (COLUMNS * step + GAP, ROWS * rise + GAP), PAPER)
    for k, (photo, content, answer) in enumerate(zip(photos, contents, answers, strict=True)):
        place = (GAP + k % COLUMNS * step, GAP + k // COLUMNS * rise)
        sheet.paste(tile(content, answer, photo.class_name), place)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(256).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {len(photos)} photos")


if __name__ == "__main__":
    run(main)
