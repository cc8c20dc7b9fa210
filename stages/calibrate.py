"""calibrate: make confidence mean what it says, and say "none I know" when it is so."""

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from landmarks import files, models, params, unknown
from landmarks.data.roles import kinds, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.inference import Normalized, folded, run_module
from landmarks.known import split_head
from stages.runner import run


def features_of(
    weights: Path, store: PhotoStore, ids: NDArray[np.int64], *, mirror: bool
) -> tuple[NDArray[np.float32], nn.Linear]:
    """Return what a network has before its classifier, (N, D) for N photos, and the classifier."""
    network, info = models.load_weights(weights)
    body, classifier = split_head(network)
    module = Normalized(folded(body), info.input_size, info.mean, info.std, mirror=mirror)
    label = f"{info.cnn}, calibration, {weights.stem}"
    return run_module(module, store.pixels, ids, label), classifier


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings = params.load()
    folder, mirror = Path(f"models/{cnn}"), settings.calibrate.mirror
    store = PhotoStore.open("data/photos")
    split = read_split("data/split.csv", photos=len(store.table))
    known, none, train = (rows(split, role) for role in ("val", "negative_tuning", "train"))
    every = np.concatenate([known, none, train])
    features, classifier = features_of(folder / "weights.safetensors", store, every, mirror=mirror)
    refit, keep_photos = getattr(settings.refit, cnn), getattr(settings.exemplars, cnn)
    if refit:
        # What is fitted needs photos that the network has not seen, so it comes from the one before
        # refit; where the classes lie among the features only the final network can tell.
        learned = np.concatenate([known, train])
        final, _ = features_of(folder / "final.safetensors", store, learned, mirror=mirror)
    torch.set_num_threads(1)  # so that the number of cores changes no bit
    photos = unknown.Photos(labels(split, known), kinds(split, none), labels(split, train))
    fitted = unknown.fit(
        features,
        classifier,
        photos,
        settings.calibrate,
        keep_photos=keep_photos,
        bins=settings.evaluate.calibration_bins,
    )
    classes = fitted.statistics
    if refit:
        classes = unknown.class_statistics(
            torch.from_numpy(final),
            labels(split, learned),
            classifier.out_features,
            keep_photos=keep_photos,
        )
    with files.replacing(folder / "statistics.safetensors") as temporary:
        temporary.write_bytes(save(classes))
    files.write_json(folder / "calibration.json", fitted.calibration)
    files.write_json(f"metrics/{cnn}/validation.json", fitted.figures)
    print(f"{cnn}: {unknown.describe(fitted)}")


if __name__ == "__main__":
    run(main)
