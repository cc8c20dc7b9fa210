"""A training of seconds in a process of its own: `small_training.py OUT STATE [KEY=VALUE …]`.

Beside the settings of params.yaml, KEY may be `cnn`, `share` (of the time that saving may take; by
default each epoch is saved), and `kill` (`PLACE:N`: the process kills itself with SIGKILL the N-th
time that it gets to one of `PLACES`).
"""

import itertools
import json
import math
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver, get_context, set_start_method
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from landmarks import environment, files, fitting, models, params, training  # noqa: E402
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
) -> tuple[fitting.Fitted, models.ModelInfo | None]:
    """Train on the stripes and return the result and what describes the network."""
    data = stripes()
    fabric = training.make_fabric(settings)
    network, info, new = models.create(settings, data.classes, data.mean, data.std)
    fitted = fitting.fit(training.Trainer(fabric, network, settings, data, new=new), checkpoint)
    return fitted, info if fabric.is_global_zero else None


PLACES = {
    "step": "a step of the optimizer is done",
    "half": "half of a recovery state is written",
    "whole": "a recovery state is written, not yet flushed to the disk",
    "flushed": "a recovery state is flushed, not yet in its place",
    "placed": "a recovery state is in its place",
}


def arm(place: str, number: int) -> None:
    """Let this process kill itself the `number`-th time that it gets to a place."""
    visits = itertools.count(1)

    def visit() -> None:
        if next(visits) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    step, write = training.Trainer._step, Path.write_bytes
    fsync, replace = os.fsync, os.replace

    def after_step(*arguments: Any) -> torch.Tensor:
        loss = step(*arguments)
        visit()
        return loss

    def half(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        visit()
        return write(path, content)

    def before(function: Callable[..., None]) -> Callable[..., None]:
        def called(*arguments: Any) -> None:
            visit()
            function(*arguments)

        return called

    def after_replace(*arguments: Any) -> None:
        replace(*arguments)
        visit()

    patch = pytest.MonkeyPatch()
    if place == "step":
        patch.setattr(training.Trainer, "_step", after_step)
    elif place == "half":
        patch.setattr(Path, "write_bytes", half)
    elif place == "whole":
        patch.setattr(os, "fsync", before(fsync))
    elif place == "flushed":
        patch.setattr(os, "replace", before(replace))
    else:
        patch.setattr(os, "replace", after_replace)


def main(arguments: list[str]) -> None:
    out, state, *pairs = arguments
    changes = {key: yaml.safe_load(text) for key, _, text in (p.partition("=") for p in pairs)}
    if kill := changes.pop("kill", ""):
        place, _, number = kill.partition(":")
        arm(place, int(number))
    share = changes.pop("share", math.inf)
    checkpoint = Checkpoint("train-test", "0" * 64, Path(state), share)
    lock = Path(state) / "train-test.lock"
    with alone(lock, "the test") if environment.rank() == 0 else nullcontext():
        files.clear_leftovers(Path(state))
        fitted, info = train(settings_with(changes.pop("cnn", "scratch"), **changes), checkpoint)
        if environment.launched():
            Path(f"{out}.history-{environment.rank()}").write_text(json.dumps(fitted.history))
        if info:
            models.save_weights(out, fitted.state, info)
            checkpoint.drop()


@dataclass(frozen=True)
class Ended:
    """How a process ended (0, or minus the signal that killed it), and what it printed."""

    code: int | None
    said: str


@cache
def _server() -> ForkServerContext:
    """Start the process that imports all once; those forked from it start in no time."""
    context = get_context("forkserver")
    context.set_forkserver_preload([Path(__file__).stem])
    with pytest.MonkeyPatch.context() as patch:
        # Python 3.11 forgets to tell it where to import from.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), str(ROOT)]))
        forkserver.ensure_running()
    return context


def fork(out: Path, state: Path, *settings: str, **env: str) -> Ended:
    """Do `main` in a process of its own, quickly."""
    log = out.with_name(f"{out.name}.log")
    arguments = ([str(out), str(state), *settings], env, str(log))
    process = _server().Process(target=_forked, args=arguments)
    process.start()
    process.join(120)
    if process.is_alive():
        process.kill()
        process.join()
    return Ended(process.exitcode, log.read_text())


def _forked(arguments: list[str], env: dict[str, str], log: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(ROOT)
    set_start_method("fork", force=True)  # as in a process that a shell started
    os.environ.update({"LANDMARKS_DEVICE": "cpu"} | env)
    main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
