"""train: fit one of the two CNNs and keep its best weights by validation."""

import signal
import sys
from pathlib import Path

import pandas as pd

from landmarks import checkpoint, environment, models, params
from landmarks.data.roles import class_names, labels, read_split, rows
from landmarks.data.store import PhotoStore
from landmarks.distillation import Teacher
from landmarks.errors import Terminated
from landmarks.files import read_json, write_text
from landmarks.fitting import fit
from landmarks.params import NO_TEACHER, Scratch, Transfer
from landmarks.training import Trainer, TrainingData, make_fabric
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


def teacher_of(settings: Scratch | Transfer, student: models.ModelInfo) -> Teacher | None:
    """Return what a network learns from beside labels, if that is wanted.

    Args:
        settings: of the network.
        student: what describes it.
    """
    if isinstance(settings, Scratch) or settings.teacher == NO_TEACHER:
        return None
    share, temperature = settings.teacher_share, settings.teacher_temperature
    return Teacher(settings.teacher, student, share=share, temperature=temperature)


def launch(module: str, settings: Scratch | Transfer) -> None:
    """Start a stage in the processes that share its work, with torchrun, and wait for them.

    Raises:
        LandmarksError: they cannot share a batch evenly.
    """
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    processes = environment.processes()
    environment.check_shares(settings.batch_size, processes)
    options = ["--standalone", f"--nproc-per-node={processes}"]
    try:
        torchrun.main([*options, "-m", module, *sys.argv[1:]])
    except ChildFailedError:
        raise SystemExit(1) from None  # the process that failed has said why
    except SignalException as error:
        raise (KeyboardInterrupt if error.sigval == signal.SIGINT else Terminated) from None


def run_of(
    cnn: str, settings: Scratch | Transfer, *inputs: Path, stage: str = "train"
) -> checkpoint.Checkpoint:
    """Return the recovery state of exactly this run: its parameters, data and code.

    Args:
        cnn: which one is trained.
        settings: of it.
        inputs: what the stage reads beside photos, their split and their normalisation.
        stage: that trains it.
    """
    read = [SPLIT, NORMALIZATION, *PHOTOS.iterdir(), *inputs]
    if isinstance(settings, Transfer):
        read.append(Path(settings.teacher))
        if settings.weights != "imagenet":
            read.append(Path(settings.weights))
    read += checkpoint.modules("landmarks", "stages")
    run_hash = checkpoint.fingerprint(settings.model_dump(), read)
    return checkpoint.Checkpoint(f"{stage}-{cnn}", run_hash)


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings: Scratch | Transfer = getattr(params.load().train, cnn)
    if environment.launches():
        launch("stages.train", settings)
        return
    data = read_data()
    fabric = make_fabric(settings)
    network, info, new = models.create(settings, data.classes, data.mean, data.std)
    teacher = teacher_of(settings, info)
    recovery = run_of(cnn, settings)
    fitted = fit(Trainer(fabric, network, settings, data, new=new, teacher=teacher), recovery)
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
    run(main, speaks=lambda: environment.rank() == 0 and not environment.launches())
