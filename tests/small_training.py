"""A training of seconds in a process of its own: `small_training.py OUT STATE [KEY=VALUE …]`.

Beside the settings of params.yaml, KEY may be `cnn`, and `kill_after` (an epoch: the process kills
itself with SIGKILL once that epoch's recovery state is written).
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from landmarks import environment, models, params, training  # noqa: E402
from landmarks.checkpoint import Checkpoint  # noqa: E402
from landmarks.locks import alone  # noqa: E402

TINY = {
    "epochs": 3,
    "batch_size": 16,
    "initial_crop_size": 32,
    "train_crop_size": 32,
    "val_crop_size": 32,
    "width": 8,
    "lr_warmup_epochs": 1,
    "threads": 1,
    "auto_augment": "none",
    "model_ema_decay": 0.5,
    "random_crop_min_scale": 0.7,
}


def settings_with(cnn: str, **changes: object) -> params.Scratch | params.Transfer:
    """Return the sample's settings of one CNN with changes."""
    tree = yaml.safe_load((ROOT / "presets/sample.yaml").read_text())["train"][cnn]
    tree |= {key: value for key, value in {**TINY, **changes}.items() if key in tree}
    group: type[params.Scratch] | type[params.Transfer] = params.Scratch
    if cnn == "transfer":
        group = params.Transfer
    return group.model_validate(tree)


def stripes(photos: int = 144, size: int = 40) -> training.TrainingData:
    """Return noisy stripes in three directions: a task that a small CNN learns in seconds."""
    rng = np.random.default_rng(0)
    labels = np.arange(photos) % 3
    y, x = np.mgrid[:size, :size]
    pixels = np.empty((photos, size, size, 3), np.uint8)
    for row, label in enumerate(labels):
        wave = (y, x, x + y)[label] + rng.integers(0, 8)
        stripe = np.where(wave // 4 % 2, 170, 85)[..., None]
        pixels[row] = np.clip(stripe + rng.normal(0, 30, (size, size, 3)), 0, 255)
    cut = photos * 2 // 3
    return training.TrainingData(
        pixels=pixels,
        train_ids=np.arange(cut),
        train_labels=labels[:cut],
        val_ids=np.arange(cut, photos),
        val_labels=labels[cut:],
        classes=["00.Rows", "01.Columns", "02.Diagonals"],
        mean=[0.5] * 3,
        std=[0.25] * 3,
    )


def train(
    settings: params.Scratch | params.Transfer, checkpoint: Checkpoint
) -> tuple[training.Fitted, models.ModelInfo | None]:
    """Train on the stripes and return the result and what describes the network."""
    data = stripes()
    fabric = training.make_fabric(settings)
    network, info, new = models.create(settings, data.classes, data.mean, data.std)
    fitted = training.fit(training.Trainer(fabric, network, settings, data, new=new), checkpoint)
    return fitted, info if fabric.is_global_zero else None


class Deadly(Checkpoint):
    """Kills its process once the state of epoch `kill_after` is written."""

    kill_after = 0

    def save(self, state: Mapping[str, Any]) -> None:
        super().save(state)
        if len(state["history"]) == self.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    out, state, *pairs = sys.argv[1:]
    changes = {key: yaml.safe_load(text) for key, _, text in (p.partition("=") for p in pairs)}
    kill_after = changes.pop("kill_after", 0)
    checkpoint = Deadly("train-test", "0" * 64, Path(state))
    checkpoint.kill_after = kill_after
    lock = Path(state) / "train-test.lock"
    with alone(lock, "the test") if environment.rank() == 0 else nullcontext():
        fitted, info = train(settings_with(changes.pop("cnn", "scratch"), **changes), checkpoint)
        if environment.launched():
            Path(f"{out}.history-{environment.rank()}").write_text(json.dumps(fitted.history))
        if info:
            models.save_weights(out, fitted.state, info)
            checkpoint.drop()


if __name__ == "__main__":
    main()
