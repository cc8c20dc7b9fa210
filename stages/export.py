"""export: one checked module from pixels to calibrated probabilities, as TorchScript and ONNX."""

import os
import sys
from pathlib import Path

if __name__ == "__main__" and os.environ.get("PYTHONHASHSEED") != "0":
    # Start anew, before PyTorch is imported, which takes seconds; deployable.write_files says why.
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])

import numpy as np

from landmarks import catalogue, files, params
from landmarks.card import LearnedFrom
from landmarks.data.attribution import learned_from, read_attribution
from landmarks.data.roles import class_names, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.deployable import Parts
from landmarks.export import Origin, Photos, export_cnn, fingerprint
from landmarks.params import Params
from stages.runner import run

PHOTOS, SPLIT = Path("data/photos"), Path("data/split.csv")
ATTRIBUTION = Path("data/attribution.csv")


def origin_of(cnn: str, settings: Params, photos: Photos) -> Origin:
    """Return what the card tells of data and parameters."""
    groups = settings.model_dump(include={"download", "decode", "split", "calibrate", "export"})
    groups[f"train.{cnn}"] = getattr(settings.train, cnn).model_dump()
    groups[f"refit.{cnn}"] = refit = getattr(settings.refit, cnn)
    groups[f"exemplars.{cnn}"] = getattr(settings.exemplars, cnn)
    attribution = read_attribution(ATTRIBUTION, photos=len(photos.store.table))
    roles = ("train", "val") if refit else ("train",)
    learned = np.concatenate([rows(photos.split, role) for role in roles])
    counted = learned_from(attribution, learned)
    tables = (PHOTOS / "photos.csv", SPLIT, ATTRIBUTION)
    return Origin(
        invented=settings.download.source == "sample",
        data={path.name: files.sha256(path) for path in tables},
        params=fingerprint(groups),
        refit=refit,
        learned_from=LearnedFrom.model_validate(counted) if counted else None,
    )


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings = params.load()
    store = PhotoStore.open(PHOTOS)
    split = read_split(SPLIT, photos=len(store.table))
    photos = Photos(store, split, Path("data/landmark_images.zip"))
    places = catalogue.load(settings.export.catalogue)
    differences = export_cnn(
        Parts.of(f"models/{cnn}"),
        places,
        photos,
        origin_of(cnn, settings, photos),
        Path(f"models/{cnn}"),
    )
    classes = class_names(split)
    if missing := places.missing(classes):
        print(
            f"note: {settings.export.catalogue} has no row for {len(missing)} of {len(classes)} "
            f"classes, which get their folder's name and no place: {', '.join(missing[:5])}"
            + (", …" if len(missing) > 5 else "")
        )
    for found in differences:
        print(f"{cnn}: {found.file} is within {found.largest:.1e} of PyTorch on real photos")


if __name__ == "__main__":
    run(main)
