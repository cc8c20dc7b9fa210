"""train: fit one of the two CNNs and keep its best weights by validation."""

import signal
import sys
from pathlib import Path

import pandas as pd

from landmarks import checkpoint, environment, models, params
from landmarks.data.roles import class_names, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.errors import Terminated
from landmarks.files import read_json, write_text
from landmarks.params import Scratch, Transfer
from landmarks.training import Trainer, TrainingData, fit, make_fabric
from stages.runner import run

SPLIT, NORMALIZATION = Path("data/split.csv"), Path("data/normalization.json")
PHOTOS = Path("data/photos")


def read_data() -> TrainingData:
    """Return the train and validation rows of the split."""
    store, normalization = PhotoStore.open(PHOTOS), read_json(NORMALIZATION, "mean", "std")
    split = read_split(SPLIT, photos=len(store.table))
    train, val = rows(split, "train"), rows(split, "val")
    return TrainingData(
        pixels=store.pixels,
        train_ids=train,
        train_labels=labels(split, train),
        val_ids=val,
        val_labels=labels(split, val),
        classes=class_names(split),
        mean=normalization["mean"],
        std=normalization["std"],
    )


def launch(processes: int) -> None:
    """Start this stage in so many processes of this machine with torchrun, and wait for them."""
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    options = ["--standalone", f"--nproc-per-node={processes}"]
    try:
        torchrun.main([*options, "-m", "stages.train", *sys.argv[1:]])
    except ChildFailedError:
        raise SystemExit(1) from None  # the process that failed has said why
    except SignalException as error:
        raise (KeyboardInterrupt if error.sigval == signal.SIGINT else Terminated) from None


def launches() -> bool:
    """Return whether this process only starts those that train."""
    return environment.processes() > 1 and not environment.launched()


def run_of(cnn: str, settings: Scratch | Transfer) -> checkpoint.Checkpoint:
    """Return the recovery state of exactly this run: its parameters, data and code."""
    inputs = [SPLIT, NORMALIZATION, *PHOTOS.iterdir(), *checkpoint.modules("landmarks", "stages")]
    if isinstance(settings, Transfer) and settings.weights != "imagenet":
        inputs.append(Path(settings.weights))
    return checkpoint.Checkpoint(
        f"train-{cnn}", checkpoint.fingerprint(settings.model_dump(), inputs)
    )


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings: Scratch | Transfer = getattr(params.load().train, cnn)
    if launches():
        environment.check_shares(settings.batch_size, environment.processes())
        launch(environment.processes())
        return
    data = read_data()
    fabric = make_fabric(settings)
    network, info, new = models.create(settings, data.classes, data.mean, data.std)
    recovery = run_of(cnn, settings)
    fitted = fit(Trainer(fabric, network, settings, data, new=new), recovery)
    if environment.rank() > 0:
        return
    history = pd.DataFrame(fitted.history).astype({"epoch": int})
    text = history.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    write_text(f"metrics/{cnn}/training.csv", text)
    models.save_weights(f"models/{cnn}/weights.safetensors", fitted.state, info)
    recovery.drop()
    best = fitted.history[fitted.best_epoch]
    print(f"{cnn}: best validation accuracy {best['val_accuracy']:.1%} in epoch {best['epoch']}")


if __name__ == "__main__":
    # Of processes that train together the first one speaks for all; torchrun only starts them.
    run(main, speaks=lambda: environment.rank() == 0 and not launches())
