"""From a folder of class folders with some photos each to a trained model with a catalogue."""

import argparse
import csv
import io
from pathlib import Path

import yaml

from landmarks import catalogue, files, params
from landmarks.data.archive import open_archive
from landmarks.data.layout import layout
from landmarks.errors import LandmarksError, run
from tools import demo, dvc_cli, preset
from tools.check_build import CNNS, metrics

ROOT = dvc_cli.ROOT
CATALOGUE = "catalogues/own.csv"


def settings(photos: str, given: dict[str, str], backbone: str, root: Path = ROOT) -> str:
    """Return the text of params.yaml: preset `own` with these photos and a table to fill in.

    Raises:
        LandmarksError: no photos, files or backbone of that name.
    """
    from landmarks.backbones import BACKBONES

    if not photos:
        raise LandmarksError(
            "no photos are named", hint="make own PHOTOS=folder, with one folder a landmark in it."
        )
    text = preset.make("own", {"source": photos, **given}, root, source="PHOTOS")
    if not given.get("catalogue"):
        text = preset.set_value(text, "export.catalogue", CATALOGUE)
    if backbone and backbone not in BACKBONES:
        raise LandmarksError(
            f"there is no backbone {backbone!r}", hint=f"Choose one of: {', '.join(BACKBONES)}."
        )
    if backbone:
        text = preset.set_value(text, "train.transfer.backbone", backbone)
        params.parse(yaml.safe_load(text), f"preset own with backbone {backbone}")
    return text


def filled_in(path: Path) -> str:
    """Return the catalogue that a person may have edited, empty where there is none yet.

    Raises:
        LandmarksError: it cannot be read: see `catalogue.load`.
    """
    if not path.exists():
        return ""
    catalogue.load(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return file.read()


def classes(root: Path = ROOT) -> list[str]:
    """Return the classes of the archive that the stage download made of the photos, in order."""
    with open_archive(root / "data/landmark_images.zip") as archive:
        return sorted({photo.class_name for photo in layout(archive.members, archive.folders)})


def completed(text: str, names: list[str]) -> str:
    """Return a catalogue with a row for each class: those of `text` as they are, others to fill in.

    Args:
        text: a catalogue, or nothing; with all classes it stays as it is.
        names: of the classes, in order.
    """
    reader = csv.DictReader(io.StringIO(text))
    columns = list(reader.fieldnames or catalogue.COLUMNS)
    rows = list(reader)
    known = {row["class"].strip() for row in rows}
    missing = [name for name in names if name.strip() not in known]
    if not missing:
        return text
    rows += [
        dict.fromkeys(columns, "") | {"class": name, "name": catalogue.readable(name)}
        for name in missing
    ]
    written = io.StringIO()
    writer = csv.DictWriter(written, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make own", description=__doc__)
    parser.add_argument("photos", nargs="?", default="", help="folder of class folders, or a zip")
    parser.add_argument("--backbone", default="", help="by default mobilenet_v2")
    for option in ("weights", "negatives", "attribution", "catalogue"):
        parser.add_argument(f"--{option}", default="")
    given = vars(parser.parse_args())
    photos, backbone = given.pop("photos"), given.pop("backbone")
    path = ROOT / CATALOGUE
    if not given["catalogue"]:
        filled_in(path)  # or a mistake in it would be told after the download
    files.write_text(ROOT / "params.yaml", settings(photos, given, backbone))
    # A folder has no hash that would tell DVC of a new photo; packing it again takes seconds.
    dvc_cli.run("repro", "--force", "--single-item", "download")
    if not given["catalogue"]:
        before = filled_in(path)  # perhaps it was filled in meanwhile
        if (text := completed(before, classes())) != before:
            files.write_text(path, text)
    dvc_cli.run("repro")
    print("\n" + demo.table({cnn: metrics(cnn) for cnn in CNNS}))
    print("\nThe model is in models/landmarks/: landmarks predict photo.jpg")
    print("What to improve: metrics/report.html")
    if not given["catalogue"]:
        print(f"Places and coordinates: fill in {CATALOGUE} and type the same command again.")


if __name__ == "__main__":
    run(main)
