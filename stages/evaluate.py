"""evaluate: open the test rows once, with the files that users get."""

import sys

from landmarks import params
from landmarks.data.roles import class_names, kinds, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.evaluation import Unseen, describe, evaluate
from landmarks.files import write_json
from landmarks.plots import write_scores, write_tables
from stages.runner import run


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings = params.load().evaluate
    store = PhotoStore.open("data/photos")
    split = read_split("data/split.csv", photos=len(store.table))
    test, none = rows(split, "test"), rows(split, "negative_testing")
    photos = Unseen(test, labels(split, test), class_names(split), none, kinds(split, none))
    figures, ours, theirs = evaluate(
        f"models/{cnn}",
        store.pixels,
        photos,
        bins=settings.calibration_bins,
        label=f"{cnn}, test",
    )
    write_json(f"metrics/{cnn}.json", figures)
    write_tables(
        f"metrics/{cnn}",
        ours.probabilities,
        photos.labels,
        photos.classes,
        bins=settings.calibration_bins,
        pairs=settings.confusion_pairs,
    )
    write_scores(f"metrics/{cnn}", ours.known_score, theirs.known_score)
    print(f"{cnn}: {describe(figures)}")


if __name__ == "__main__":
    run(main)
