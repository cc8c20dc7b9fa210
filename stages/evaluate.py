"""evaluate: open the test rows once, with the files that users get."""

import sys

from landmarks import params
from landmarks.data.roles import class_names, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.evaluation import evaluate
from landmarks.files import write_json
from landmarks.plots import write_tables
from stages.runner import run


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings = params.load().evaluate
    store = PhotoStore.open("data/photos")
    split = read_split("data/split.csv", photos=len(store.table))
    photos = rows(split, "test")
    classes, truth = class_names(split), labels(split, photos)
    figures, probabilities = evaluate(
        f"models/{cnn}",
        store.pixels,
        photos,
        truth,
        classes,
        bins=settings.calibration_bins,
        label=f"{cnn}, test",
    )
    write_json(f"metrics/{cnn}.json", figures)
    write_tables(
        f"metrics/{cnn}",
        probabilities,
        truth,
        classes,
        bins=settings.calibration_bins,
        pairs=settings.confusion_pairs,
    )
    print(
        f"{cnn}: {figures['accuracy']:.1%} of {figures['n']} test photos "
        f"(95 % interval {figures['accuracy_low']:.1%} to {figures['accuracy_high']:.1%}), "
        f"top-5 {figures['top5_accuracy']:.1%}, ECE {figures['ece']:.3f}"
    )


if __name__ == "__main__":
    run(main)
