"""decode: turn every photo of the archives into pixels, once."""

from pathlib import Path

from landmarks import environment, params
from landmarks.data.decode import decode_archives, describe
from stages.runner import run


def main() -> None:
    archives = {
        "archive": Path("data/landmark_images.zip"),
        "negatives": Path("data/negatives.zip"),
    }
    workers = max(1, environment.workers(default=max(2, environment.cores())))
    size = params.load().decode.photo_size
    verdicts = decode_archives(archives, Path("data/photos"), size=size, workers=workers)
    print(describe(verdicts))


if __name__ == "__main__":
    run(main)
