"""calibrate: make confidence mean what it says, on the validation rows."""

import sys

from landmarks import models, params
from landmarks.calibration import calibrate
from landmarks.data.roles import labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.files import write_json
from landmarks.inference import Normalized, run_module
from stages.runner import run


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings = params.load()
    store = PhotoStore.open("data/photos")
    split = read_split("data/split.csv", photos=len(store.table))
    photos = rows(split, "val")
    network, info = models.load_weights(f"models/{cnn}/weights.safetensors")
    logits = run_module(
        Normalized(network, info.input_size, info.mean, info.std),
        store.pixels,
        photos,
        f"{cnn}, validation",
    )
    calibration, figures = calibrate(
        logits,
        labels(split, photos),
        temperature=settings.calibrate.temperature,
        bins=settings.evaluate.calibration_bins,
    )
    write_json(f"models/{cnn}/calibration.json", calibration)
    write_json(f"metrics/{cnn}/validation.json", figures)
    print(
        f"{cnn}: temperature {figures['temperature']:.3f}; on {figures['n']} validation photos "
        f"accuracy {figures['accuracy']:.1%}, ECE {figures['ece_uncalibrated']:.3f} "
        f"before and {figures['ece']:.3f} after"
    )


if __name__ == "__main__":
    run(main)
