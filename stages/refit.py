"""refit: train once more, on train and validation photos together, where that is wanted."""

import shutil
import sys
from pathlib import Path

from landmarks import environment, files, params
from landmarks.errors import LandmarksError
from landmarks.params import Scratch, Transfer
from stages.runner import run


def keep(chosen: Path, final: Path) -> None:
    """Let the weights that validation chose be the final ones."""
    try:
        with files.replacing(final) as temporary:
            shutil.copyfile(chosen, temporary)
    except FileNotFoundError:
        raise LandmarksError(
            f"there is no weights file {chosen}",
            hint="Run `dvc repro`, or `dvc pull` to fetch it from the storage.",
        ) from None


def again(cnn: str, settings: Scratch | Transfer, final: Path) -> None:
    """Train once more, for as many epochs as validation found best, and write the weights."""
    from landmarks import models
    from landmarks.refit import best_epoch, refit, with_validation
    from landmarks.training import Trainer, make_fabric
    from stages import train

    if environment.launches():
        train.launch("stages.refit", settings)
        return
    history = Path(f"metrics/{cnn}/training.csv")
    epochs = best_epoch(history)
    data = with_validation(train.read_data())
    fabric = make_fabric(settings)
    network, info, new = models.create(settings, data.classes, data.mean, data.std)
    teacher = train.teacher_of(settings, info)
    recovery = train.run_of(cnn, settings, history, stage="refit")
    trainer = Trainer(fabric, network, settings, data, new=new, teacher=teacher)
    state = refit(trainer, recovery, epochs)
    if environment.rank() > 0:
        return
    models.save_weights(final, state, info)
    recovery.drop()
    print(f"{cnn}: trained on {len(data.train_ids)} train and validation photos, {epochs} epochs")


def main() -> None:
    cnn = params.chosen_cnn(sys.argv)
    settings = params.load()
    final = Path(f"models/{cnn}/final.safetensors")
    if getattr(settings.refit, cnn):
        # PyTorch is imported only then: it takes seconds.
        again(cnn, getattr(settings.train, cnn), final)
    else:
        keep(Path(f"models/{cnn}/weights.safetensors"), final)
        print(f"{cnn}: the weights stay as validation chose them (refit.{cnn} is false)")


if __name__ == "__main__":
    run(main, speaks=lambda: environment.rank() == 0 and not environment.launches())
