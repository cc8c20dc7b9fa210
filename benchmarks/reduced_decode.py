"""What decoding large JPEG files at reduced size costs in accuracy, on validation photos.

No labelled photos of a camera's size are at hand, so small ones are enlarged. That leaves the
finest scales empty, where the two ways of decoding differ; so detail is made up there, of the
contrast that the photo has at its own finest scale, as natural pictures have it at all scales.
"""

import argparse
import io
import math
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, features
from tqdm import tqdm

from landmarks import images
from landmarks.card import LEARNED
from landmarks.errors import LandmarksError, run
from landmarks.export import Photos
from landmarks.images import Pixels
from landmarks.predictor import DEFAULT_FOLDER, Predictor
from tools.compact import Photos as Built

QUALITY = 90
"""Of the JPEG files that are made, as cameras and telephones write them."""

GREY = 128

BICUBIC, BOX = Image.Resampling.BICUBIC, Image.Resampling.BOX


@dataclass
class Tally:
    """How photos were answered, decoded whole and at reduced size.

    Attributes:
        small: right answers for the photos before they were enlarged.
        whole, reduced: right answers for the enlarged ones.
        lost, won: photos that only the whole one, or only the reduced one, has right.
        renamed: photos that get another name.
        redecided: photos that are named, unsure or unknown in one way and not in the other.
        confidence: the largest difference of a class's probability.
        levels: mean absolute differences of what the model is fed, a photo each, of 255.
        scales: photos by the scale of the reduced decoding.
    """

    n: int = 0
    small: int = 0
    whole: int = 0
    reduced: int = 0
    lost: int = 0
    won: int = 0
    renamed: int = 0
    redecided: int = 0
    confidence: float = 0.0
    levels: list[float] = field(default_factory=list)
    scales: Counter[str] = field(default_factory=Counter)

    def row(self, name: str) -> str:
        """Return the figures as a row of `table`."""
        shares = [f"{100 * hits / self.n:.2f} %" for hits in (self.small, self.whole, self.reduced)]
        points = 100 * (self.reduced - self.whole) / self.n
        scales = ", ".join(f"{scale}: {count}" for scale, count in sorted(self.scales.items()))
        cells = [name, scales, self.n, *shares, f"{points:+.2f}", f"{self.lost} / {self.won}"]
        cells += [self.renamed, self.redecided, f"{self.confidence:.4f}"]
        return "| " + " | ".join(map(str, [*cells, f"{np.mean(self.levels):.2f}"])) + " |"


HEAD = (
    "| enlarged to | decoded at | n | before | whole | reduced | points | lost / won | other names "
    "| other decisions | largest change of a confidence | mean change of a pixel |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def enlarge(pixels: Pixels, megapixels: float, detail: bool) -> Pixels:
    """Return a photo at the size of a camera.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        megapixels: 10^6 pixels of the result, which keeps the shape of the photo.
        detail: whether each doubling adds what the photo's own finest octave holds, side by side.
    """
    height, width = pixels.shape[:2]
    factor = max(1.0, math.sqrt(megapixels * 1e6 / (width * height)))
    doublings = int(math.log2(factor))
    first = factor / 2**doublings
    photo = Image.fromarray(pixels)
    large = photo.resize((round(width * first), round(height * first)), BICUBIC)
    coarse = photo.resize((max(1, width // 2), max(1, height // 2)), BOX)
    # The photo less its coarser half, around grey; the last argument takes the grey out again.
    finest = np.asarray(ImageChops.subtract(photo, coarse.resize(photo.size, BICUBIC), 1, GREY))
    for _ in range(doublings):
        large = large.resize((large.width * 2, large.height * 2), BICUBIC)
        if detail:
            times = (-(-large.height // height), -(-large.width // width), 1)
            texture = np.tile(finest, times)[: large.height, : large.width]
            large = ImageChops.add(large, Image.fromarray(texture), 1, -GREY)
    return np.asarray(large)


def jpeg(pixels: Pixels) -> bytes:
    """Return pixels as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def compare(predictor: Predictor, small: bytes, large: bytes, truth: str, tally: Tally) -> None:
    """Answer for one photo before and after it was enlarged, and count.

    Args:
        predictor: the released model.
        small, large: the files.
        truth: the photo's class.
        tally: to be added to.
    """
    whole = predictor.prepare(images.decode(large).pixels)
    reduced, picture = images.load(large, predictor.card.input.size)  # what `prepare` does
    fed = np.stack([predictor.prepare(small), whole, reduced])
    answers = predictor.classify(fed, len(predictor.card.classes))
    before, first, second = (answer.best.class_name for answer in answers)
    tally.n += 1
    tally.small += before == truth
    tally.whole += first == truth
    tally.reduced += second == truth
    tally.lost += first == truth != second
    tally.won += second == truth != first
    tally.renamed += first != second
    tally.redecided += answers[1].decision != answers[2].decision
    ours, theirs = ({g.class_name: g.confidence for g in one.guesses} for one in answers[1:])
    changes = (abs(ours[name] - confidence) for name, confidence in theirs.items())
    tally.confidence = max(tally.confidence, *changes)
    tally.levels.append(float(np.abs(whole.astype(np.int16) - reduced).mean()))
    tally.scales[f"1/{round(picture.width / picture.pixels.shape[1])}"] += 1


def measure(
    predictor: Predictor, photos: Photos, count: int, megapixels: list[float], detail: bool = True
) -> dict[str, Tally]:
    """Answer for validation photos at each size, one photo after the other.

    Args:
        predictor: the released model.
        photos: of the project that it was trained in.
        count: how many are taken, the same ones each time.
        megapixels: sizes to enlarge to.
        detail: see `enlarge`.
    """
    ids = photos.choose(count)
    classes = photos.split.loc[ids, "class"]
    tallies = {size: Tally() for size in megapixels}
    files = zip(classes, photos.originals(ids), strict=True)
    for truth, (_, content) in tqdm(files, total=len(ids), unit="photo"):
        pixels = images.decode(content).pixels
        for size, tally in tallies.items():
            compare(predictor, content, jpeg(enlarge(pixels, size, detail)), truth, tally)
    return {f"{size:g} megapixels": tally for size, tally in tallies.items()}


def table(tallies: dict[str, Tally]) -> str:
    """Return the figures as a table in Markdown."""
    return "\n".join([HEAD, *(tally.row(name) for name, tally in tallies.items())])


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reduced_decode", description=__doc__
    )
    parser.add_argument("--model", type=Path, default=Path(DEFAULT_FOLDER))
    parser.add_argument("--data", type=Path, default=Path("data"), help="that it was trained on")
    parser.add_argument("--photos", type=int, default=40, help="of validation; 0 takes all")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12.0], metavar="M")
    parser.add_argument("--smooth", action="store_true", help="make up no detail")
    given = parser.parse_args()
    if given.photos < 0 or min(given.megapixels) <= 0:
        raise LandmarksError(
            "--photos or --megapixels is below what can be", hint="Give numbers above 0."
        )
    built = Built(given.data)
    built.check(given.model)
    photos = Photos(built.store, built.split, given.data / "landmark_images.zip")
    predictor = Predictor.load(given.model, threads=1)
    found = measure(
        predictor, photos, given.photos or len(built.split), given.megapixels, not given.smooth
    )
    made = "enlarged" if given.smooth else "enlarged, with made-up detail"
    codec = f"Pillow {version('pillow')}, libjpeg-turbo {features.version('libjpeg_turbo')}"
    print(table(found))
    print(f"\nvalidation photos, {made}, not of a large camera; JPEG quality {QUALITY}; {codec}")
    if predictor.card.refit:
        print(f"note: {LEARNED}")


if __name__ == "__main__":
    run(main)
