"""stats: measure the colours of the train photos."""

from landmarks import files
from landmarks.data.roles import read_split, rows
from landmarks.data.stats import channel_statistics
from landmarks.data.store import PhotoStore
from stages.runner import run


def main() -> None:
    photos = PhotoStore.open("data/photos")
    split = read_split("data/split.csv", photos=len(photos.table))
    normalization = channel_statistics(photos.pixels, rows(split, "train"))
    files.write_json("data/normalization.json", normalization)
    print(f"stats: {normalization['photos']} train photos measured")


if __name__ == "__main__":
    run(main)
