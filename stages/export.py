"""export: one checked module from pixels to calibrated probabilities, as TorchScript and ONNX."""

import sys
from pathlib import Path

from landmarks import catalogue, files, params
from landmarks.data.roles import read_split
from landmarks.data.store import PhotoStore
from landmarks.deployable import Parts
from landmarks.errors import run
from landmarks.export import Origin, Photos, export_cnn, fingerprint

PHOTOS, SPLIT = Path("data/photos"), Path("data/split.csv")


def main() -> None:
    cnn = sys.argv[1]
    settings = params.load()
    groups = settings.model_dump(include={"download", "decode", "split", "calibrate", "export"})
    groups[f"train.{cnn}"] = getattr(settings.train, cnn).model_dump()
    store = PhotoStore.open(PHOTOS)
    origin = Origin(
        invented=settings.download.source == "sample",
        data={path.name: files.sha256(path) for path in (PHOTOS / "photos.csv", SPLIT)},
        params=fingerprint(groups),
    )
    differences = export_cnn(
        Parts.of(f"models/{cnn}"),
        catalogue.load(settings.export.catalogue),
        Photos(
            store,
            read_split(SPLIT, photos=len(store.table)),
            Path("data/landmark_images.zip"),
        ),
        origin,
        Path(f"models/{cnn}"),
    )
    for found in differences:
        print(f"{cnn}: {found.file} is within {found.largest:.1e} of PyTorch on real photos")


if __name__ == "__main__":
    run(main)
