"""attribution: find the author and the licence of each photo, where a table tells them."""

from pathlib import Path

from landmarks import files, params
from landmarks.data.attributing import attribute, describe
from landmarks.data.store import read_table
from stages.runner import run

STATE = Path(".state/attribution")


def main() -> None:
    settings = params.load().download
    photos = read_table("data/photos/photos.csv")
    found = attribute(settings.attribution, settings.attribution_sha256, photos, state=STATE)
    files.write_text("data/attribution.csv", found.to_csv())
    print(describe(found, len(photos)))


if __name__ == "__main__":
    run(main)
