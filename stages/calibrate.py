"""calibrate: make confidence mean what it says, and say "none I know" when it is so."""

import sys

import numpy as np
import torch
from safetensors.torch import save

from landmarks import files, models, params, unknown
from landmarks.data.roles import kinds, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.inference import Normalized, run_module
from landmarks.known import split_head
from stages.runner import run


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings = params.load()
    store = PhotoStore.open("data/photos")
    split = read_split("data/split.csv", photos=len(store.table))
    known, none, train = (rows(split, role) for role in ("val", "negative_tuning", "train"))
    network, info = models.load_weights(f"models/{cnn}/weights.safetensors")
    body, classifier = split_head(network)
    features = run_module(
        Normalized(body, info.input_size, info.mean, info.std, mirror=settings.calibrate.mirror),
        store.pixels,
        np.concatenate([known, none, train]),
        f"{cnn}, calibration",
    )
    torch.set_num_threads(1)  # so that the number of cores changes no bit
    photos = unknown.Photos(labels(split, known), kinds(split, none), labels(split, train))
    fitted = unknown.fit(
        features,
        classifier,
        photos,
        settings.calibrate,
        bins=settings.evaluate.calibration_bins,
    )
    with files.replacing(f"models/{cnn}/statistics.safetensors") as temporary:
        temporary.write_bytes(save(fitted.statistics))
    files.write_json(f"models/{cnn}/calibration.json", fitted.calibration)
    files.write_json(f"metrics/{cnn}/validation.json", fitted.figures)
    print(f"{cnn}: {unknown.describe(fitted)}")


if __name__ == "__main__":
    run(main)
