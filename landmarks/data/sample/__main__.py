"""Draw one photo of an invented landmark, a picture of none, or a contact sheet."""

import argparse
from pathlib import Path

from PIL import Image

from landmarks.data.sample.archive import (
    class_name,
    contact_sheet,
    draw_negative,
    draw_photo,
    encode,
)
from landmarks.data.sample.catalogue import LANDMARKS
from landmarks.data.sample.integer import Stream
from landmarks.errors import run
from landmarks.files import replacing

UNSEEN_SEED = 20_260_001  # the pipeline's photos have other seeds


def main() -> None:
    """Parse the command line and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m landmarks.data.sample", description=__doc__)
    parser.add_argument("--photo", type=Path, metavar="OUT.jpg", help="the file to write")
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="one row for each landmark")
    parser.add_argument("--landmark", type=int, metavar="K", help="without it: no landmark")
    parser.add_argument("--number", type=int, default=0, metavar="N", help="which photo")
    parser.add_argument("--seed", type=int, default=UNSEEN_SEED, help="not that of the pipeline")
    parser.add_argument("--scale", type=int, default=1, choices=range(1, 9), help="times as large")
    args = parser.parse_args()
    if not (args.photo or args.sheet):
        parser.error("give --photo OUT.jpg or --sheet OUT.png")
    if args.photo:
        _photo(args)
    if args.sheet:
        photos = (draw_photo(k, n, args.seed) for k in range(len(LANDMARKS)) for n in range(8))
        with replacing(args.sheet) as temporary:
            Image.fromarray(contact_sheet(photos, 8, 160)).save(temporary, "PNG")


def _photo(args: argparse.Namespace) -> None:
    if args.landmark is None:
        shown, pixels = draw_negative(args.number, args.seed, args.scale)
    else:
        pixels = draw_photo(args.landmark, args.number, args.seed, args.scale)
        shown = class_name(args.landmark)
    stream = Stream("single", args.seed, str(args.landmark), args.number)
    with replacing(args.photo) as temporary:
        temporary.write_bytes(encode(pixels, stream))
    print(f"{args.photo} shows {shown} ({pixels.shape[1]} x {pixels.shape[0]} pixels)")


if __name__ == "__main__":
    run(main)
