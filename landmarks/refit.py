"""A last training on train and validation photos together, with all else as it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from landmarks.checkpoint import Checkpoint
from landmarks.errors import LandmarksError
from landmarks.optimization import check_finite
from landmarks.training import Trainer, TrainingData


def best_epoch(history: str | Path) -> int:
    """Return the number, from 1, of the epoch that training kept.

    Args:
        history: the table that `train` wrote: `epoch`, `val_accuracy` and `val_loss`, a row an
            epoch.

    Raises:
        LandmarksError: it is missing or damaged.
    """
    again = "`dvc repro` trains anew, or takes what it remembers."
    best = ["val_accuracy", "val_loss", "epoch"]
    try:
        table = pd.read_csv(history)
    except FileNotFoundError:
        raise LandmarksError(f"there is no {history}", hint=again) from None
    except ValueError as error:
        raise LandmarksError(f"{history} is damaged ({error})", hint=again) from error
    if table.empty or not {*best} <= {*table.columns}:
        raise LandmarksError(f"{history} is damaged: it has no {', '.join(best)}", hint=again)
    return int(table.sort_values(best, ascending=[False, True, True])["epoch"].iloc[0])


def with_validation(data: TrainingData) -> TrainingData:
    """Return the same data with its validation photos among the train photos, in order."""
    ids = np.concatenate([data.train_ids, data.val_ids])
    order = np.argsort(ids)
    none = np.empty(0, np.int64)
    return replace(
        data,
        train_ids=ids[order],
        train_labels=np.concatenate([data.train_labels, data.val_labels])[order],
        val_ids=none,
        val_labels=none,
    )


def refit(trainer: Trainer, checkpoint: Checkpoint, epochs: int) -> dict[str, Tensor]:
    """Train the first epochs of a schedule, and measure nothing; continue a killed run.

    No photo is left to choose an epoch by, so the number is that of the training that had some
    (Goodfellow, Bengio and Courville 2016, Deep Learning, algorithm 7.2, which counts steps).

    Args:
        trainer: of the network, with all photos to learn from.
        checkpoint: where to continue.
        epochs: after how many to stop; the learning rate falls as if it went on to the last one.

    Returns:
        The weights, on the CPU.

    Raises:
        LandmarksError: the training blew up.
    """
    done: dict[str, Any] = {"epochs": 0}
    if saved := checkpoint.load():
        trainer.restore(saved.pop("trainer"))
        done = saved
    for epoch in range(done["epochs"], epochs):
        row = trainer.fabric.broadcast({"epoch": epoch + 1, **trainer.train_epoch(epoch)})
        check_finite(row, trainer.settings)
        if trainer.fabric.is_global_zero:
            if checkpoint.due():
                checkpoint.save({"trainer": trainer.state(), "epochs": epoch + 1})
            print(f"epoch {epoch + 1:3}/{epochs}  train loss {row['train_loss']:.3f}", flush=True)
        trainer.fabric.barrier()
    weights = trainer.best_candidate().state_dict()
    return {key: value.detach().cpu().clone() for key, value in weights.items()}
