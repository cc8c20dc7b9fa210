"""What each ingredient of a recipe is worth: a short training without it, one at a time."""

import argparse
import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.speed import machine
from landmarks import checkpoint, files, models, params
from landmarks.errors import LandmarksError, run
from landmarks.fitting import fit
from landmarks.locks import alone
from landmarks.params import NO_TEACHER, Scratch, Transfer
from landmarks.training import Trainer, TrainingData, make_fabric
from stages.train import read_data, teacher_of
from tools.collect_results import CNNS, RECIPE, ROOT, preset_name

STATE = Path(".state/ablation")
SHARE = 5
"""A run has a fifth of the recipe's epochs, where nothing else is asked for."""

Settings = Scratch | Transfer


def short(settings: Settings, epochs: int) -> Settings:
    """Return the recipe on another number of epochs; all that is counted in time shrinks alike.

    Those are the warm-up, the epochs of a frozen backbone and the memory of the moving average.
    """
    share = epochs / settings.epochs
    changes: dict[str, Any] = {
        "epochs": epochs,
        "patience": epochs,
        "lr_warmup_epochs": settings.lr_warmup_epochs * share,
    }
    if settings.model_ema_decay:
        changes["model_ema_decay"] = max(0.5, 1 - (1 - settings.model_ema_decay) / share)
    if isinstance(settings, Transfer):
        changes["freeze_epochs"] = math.ceil(settings.freeze_epochs * share)
    return changed(settings, changes)


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return settings with changes, checked as params.yaml is."""
    return type(settings).model_validate(settings.model_dump() | dict(changes))


def ingredients(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return what leaves out each ingredient that a recipe has: its name, and the changes."""
    without: dict[str, dict[str, Any]] = {
        "auto_augment": {"auto_augment": "none"},
        "random_crop": {"random_crop_min_scale": 1.0},
        "random_erase": {"random_erase": 0.0},
        "mixing": {"mixup_alpha": 0.0, "cutmix_alpha": 0.0},
        "label_smoothing": {"label_smoothing": 0.0},
        "dropout": {"dropout": 0.0},
        "moving_average": {"model_ema_decay": 0.0},
        "growing_crops": {"initial_crop_size": settings.train_crop_size},
        "closer_look": {"val_crop_size": settings.train_crop_size},
        "warm_up": {"lr_warmup_epochs": 0.0},
        "weight_decay": {"weight_decay": 0.0, "norm_weight_decay": 0.0},
        "norms_apart": {"norm_weight_decay": settings.weight_decay},
        "muon": {"optimizer": "adamw"},
    }
    if isinstance(settings, Scratch):
        without["stochastic_depth"] = {"stochastic_depth": 0.0}
    else:
        without |= {
            "frozen_blocks": {"frozen_blocks": 0},
            "frozen_start": {"freeze_epochs": 0},
            "slow_backbone": {"backbone_lr_factor": 1.0},
            "teacher": {"teacher": NO_TEACHER},
        }
    tree = settings.model_dump()
    return {
        name: changes
        for name, changes in without.items()
        if any(tree[key] != value for key, value in changes.items())
    }


class Timed(checkpoint.Checkpoint):
    """A recovery state that also says how long the run has taken; what a kill undid is not in it.

    Attributes:
        seconds: that it has taken, up to `load` or the last `save`.
    """

    def __init__(self, name: str, run: str, folder: Path) -> None:
        super().__init__(name, run, folder)
        self.seconds, self._since = 0.0, time.perf_counter()

    def load(self) -> dict[str, Any] | None:
        saved = super().load()
        if saved is None or "seconds" not in saved:  # of a version that did not count: start over
            return None
        self.seconds = saved.pop("seconds")
        return saved

    def save(self, state: Mapping[str, Any]) -> None:
        super().save({**state, "seconds": self.count()})

    def count(self) -> float:
        """Return the seconds that the run has taken until now."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        return self.seconds


def train(settings: Settings, data: TrainingData, recovery: Timed) -> dict[str, Any]:
    """Train once as the stage does, and return what validation says; nothing else is written."""
    fabric = make_fabric(settings)
    network, info, new = models.create(settings, data.classes, data.mean, data.std)
    teacher = teacher_of(settings, info)
    fitted = fit(Trainer(fabric, network, settings, data, new=new, teacher=teacher), recovery)
    best, last = fitted.history[fitted.best_epoch], fitted.history[-1]
    return {
        "val_accuracy": round(best["val_accuracy"], 6),
        "val_loss": round(best["val_loss"], 6),
        "best_epoch": int(best["epoch"]),
        "last_val_accuracy": round(last["val_accuracy"], 6),
        "last_train_loss": round(last["train_loss"], 6),
        "minutes": round(recovery.count() / 60, 2),
    }


class Ablation:
    """The runs of one CNN: each is trained once, and found again by what decided it.

    Args:
        cnn: its name.
        settings: the recipe, already short.
        data: train and validation photos.
        inputs: hash of the data and the code.
        state: folder that keeps finished and interrupted runs.
    """

    def __init__(
        self, cnn: str, settings: Settings, data: TrainingData, inputs: str, state: Path
    ) -> None:
        self.cnn, self.settings, self.data = cnn, settings, data
        self.inputs, self.state = inputs, state
        self.changes: dict[str, dict[str, Any]] = {RECIPE: {}, **ingredients(settings)}

    def _identity(self, name: str) -> str:
        tree = changed(self.settings, self.changes[name]).model_dump()
        text = json.dumps([self.cnn, tree, self.inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _kept(self, name: str) -> Path:
        return self.state / f"{self.cnn}-{name}-{self._identity(name)[:16]}.json"

    def measure(self, name: str) -> None:
        """Train without the ingredient `name`, unless that run is finished."""
        if self._kept(name).exists():
            return
        print(f"{self.cnn}, {title(name)}:", flush=True)
        recovery = Timed(f"{self.cnn}-{name}", self._identity(name), self.state)
        found = train(changed(self.settings, self.changes[name]), self.data, recovery)
        files.write_json(self._kept(name), found | {"changes": self.changes[name]})
        recovery.drop()

    def results(self) -> dict[str, Any]:
        """Return all finished runs, each with its lead over the recipe (negative: it helps)."""
        kept = {name: self._kept(name) for name in self.changes}
        runs = {name: files.read_json(path) for name, path in kept.items() if path.exists()}
        for found in runs.values():
            if RECIPE in runs:
                gain = found["val_accuracy"] - runs[RECIPE]["val_accuracy"]
                found["gain_over_recipe"] = round(gain, 6)
        n = len(self.data.val_ids)
        about: dict[str, Any] = {
            "epochs": self.settings.epochs,
            "seed": self.settings.seed,
            "n": n,
        }
        if RECIPE in runs:
            about["chance"] = round(noise(runs[RECIPE]["val_accuracy"], n), 6)
        return about | {"runs": runs}


def title(name: str) -> str:
    """Return what a run is called."""
    return "the whole recipe" if name == RECIPE else f"without {name}"


def table(cnn: str, results: Mapping[str, Any]) -> str:
    """Return the finished runs of one CNN as lines to read, what costs most to leave out first."""
    runs = dict(results["runs"])
    order = sorted(runs, key=lambda name: (name != RECIPE, runs[name]["val_accuracy"]))
    head = f"{cnn}, {results['epochs']} epochs, seed {results['seed']}"
    lines = [f"{head:32}{'validation':>12}{'points':>8}{'loss':>8}{'epoch':>7}{'minutes':>9}"]
    for name in order:
        found = runs[name]
        gain = found.get("gain_over_recipe")
        points = "" if name == RECIPE or gain is None else f"{100 * gain:+.1f}"
        lines.append(
            f"{title(name):32}{found['val_accuracy']:12.1%}{points:>8}{found['val_loss']:8.3f}"
            f"{found['best_epoch']:7}{found['minutes']:9.1f}"
        )
    if RECIPE in runs:
        points = 100 * results["chance"]
        lines.append(f"less than {points:.1f} points of {results['n']} photos may be chance")
    return "\n".join(lines)


def noise(accuracy: float, n: int) -> float:
    """Return by how much accuracies of two equally good networks differ, 19 times in 20, at most.

    As if they had seen different photos: on the same ones it is less, but by how much, no single
    seed tells.
    """
    return 1.96 * math.sqrt(2 * accuracy * (1 - accuracy) / n)


def read_project(folder: Path) -> tuple[params.Train, TrainingData]:
    """Return the recipes and the data of a built project, whatever folder we are in."""
    train = params.load(folder / "params.yaml").train
    with contextlib.chdir(folder):
        data = read_data()
        paths = {
            key: str(Path(named).absolute())
            for key, none in (("weights", "imagenet"), ("teacher", NO_TEACHER))
            if (named := getattr(train.transfer, key)) != none
        }
        train = train.model_copy(update={"transfer": train.transfer.model_copy(update=paths)})
    return train, data


def fingerprint(project: Path, teacher: str) -> str:
    """Return a hash of all that the stage `train` depends on: data and teacher, and our code."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    hashes = {}
    for dep in stages["train"]["do"]["deps"]:
        named = teacher if dep == "${item.teacher}" else dep
        path = (project if named.startswith("data/") else ROOT) / named
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            hashes[f"{dep}/{file.name}"] = files.sha256(file)
    return checkpoint.fingerprint(hashes, [])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument(
        "--project", type=Path, default=ROOT, help="a built clone; its params.yaml is the recipe"
    )
    parser.add_argument("--cnn", nargs="+", choices=CNNS, default=CNNS, help="both by default")
    parser.add_argument("--only", nargs="+", default=[], help="ingredients; all by default")
    parser.add_argument("--epochs", type=int, help=f"of a run; 1/{SHARE} of the recipe's")
    parser.add_argument("--name", help="folder in results/; the preset's name by default")
    given = parser.parse_args()
    if given.epochs is not None and given.epochs < 1:
        raise LandmarksError(f"--epochs is {given.epochs}", hint="Give 1 or more.")
    project = given.project.absolute()
    os.chdir(ROOT)
    recipes, data = read_project(project)
    inputs = fingerprint(project, recipes.transfer.teacher)
    made = {}
    for cnn in given.cnn:
        recipe = getattr(recipes, cnn)
        epochs = given.epochs or max(3, recipe.epochs // SHARE)
        made[cnn] = Ablation(cnn, short(recipe, epochs), data, inputs, STATE)
    names = {name for one in made.values() for name in one.changes}
    if unknown := sorted(set(given.only) - names):
        raise LandmarksError(
            f"no ingredient is called {unknown[0]!r}",
            hint=f"Choose from {', '.join(sorted(names))}.",
        )
    target = Path("results") / (given.name or preset_name(project)) / "ablation.json"
    with alone(STATE / "lock", "another ablation"):
        for one in made.values():
            for name in one.changes:
                if name == RECIPE or not given.only or name in given.only:
                    one.measure(name)
                    keep(target, one)
    for cnn, one in made.items():
        print(f"\n{table(cnn, one.results())}")
    print(f"\n{target}")


def keep(target: Path, one: Ablation) -> None:
    """Write what is finished into the results, beside what they hold of the other CNN."""
    kept = files.read_json(target) if target.exists() else {}
    files.write_json(target, kept | {one.cnn: one.results() | {"machine": machine()}})


if __name__ == "__main__":
    run(main)
