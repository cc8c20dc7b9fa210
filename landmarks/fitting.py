"""A training from its first epoch to its best one, by validation; safe against a kill."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from landmarks.checkpoint import Checkpoint
from landmarks.optimization import check_finite
from landmarks.training import Trainer


@dataclass(frozen=True)
class Fitted:
    """The best weights by validation, and one row an epoch of how it went."""

    state: dict[str, Tensor]
    history: list[dict[str, float]]
    best_epoch: int


def fit(trainer: Trainer, checkpoint: Checkpoint) -> Fitted:
    """Train until the epochs or the patience end; continue a killed run where it was.

    An epoch is better than another if its validation accuracy is higher, or equal at less loss.

    Returns:
        The best weights and the history. All processes return the same history; the weights
        to keep are those of the first, whose running statistics were validated.
    """
    settings, first = trainer.settings, trainer.fabric.is_global_zero
    progress: dict[str, Any] = {"history": [], "best_epoch": -1, "best": {}}
    if saved := checkpoint.load():
        trainer.restore(saved.pop("trainer"))
        progress = saved
    for epoch in range(len(progress["history"]), settings.epochs):
        if epoch - progress["best_epoch"] > settings.patience:
            break
        row = {"epoch": epoch + 1, **trainer.train_epoch(epoch), **trainer.validate()}
        # Running statistics differ between processes; all must judge by the first one's, or one
        # would stop while the others wait for it.
        row = trainer.fabric.broadcast(row)
        check_finite(row, settings)
        progress["history"].append(row)
        if progress["best_epoch"] < 0 or _better(row, progress["history"][progress["best_epoch"]]):
            progress["best_epoch"] = epoch
            weights = trainer.best_candidate().state_dict()
            progress["best"] = {key: value.detach().cpu().clone() for key, value in weights.items()}
        if first:
            if checkpoint.due():
                checkpoint.save({"trainer": trainer.state(), **progress})
            _say(row, settings.epochs, best=progress["best_epoch"] == epoch)
        trainer.fabric.barrier()
    return Fitted(progress["best"], progress["history"], progress["best_epoch"])


def _better(row: dict[str, float], best: dict[str, float]) -> bool:
    def key(values: dict[str, float]) -> tuple[float, float]:
        return values["val_accuracy"], -values["val_loss"]

    return key(row) > key(best)


def _say(row: dict[str, float], epochs: int, *, best: bool) -> None:
    print(
        f"epoch {row['epoch']:3.0f}/{epochs}  train loss {row['train_loss']:.3f}  "
        f"val loss {row['val_loss']:.3f}  val accuracy {row['val_accuracy']:6.1%}"
        f"{'  best so far' if best else ''}",
        flush=True,
    )
