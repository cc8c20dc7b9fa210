"""What others would reach on the same photos: four plain recipes, on the split of the pipeline."""

import argparse
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from tqdm import tqdm

from benchmarks.plain import CROP, SEED, SIZE, Photos, PlainTraining, Recipe, blocks, course_cnn
from benchmarks.speed import machine
from landmarks import backbones, environment, files, inference, metrics, params
from landmarks.checkpoint import Checkpoint
from landmarks.data.decode import decode_archives
from landmarks.data.download import download
from landmarks.data.split import assign_splits
from landmarks.data.store import PhotoStore
from landmarks.errors import LandmarksError, run

ROOT = Path(__file__).resolve().parents[1]
STATE = Path(".state/rivals")
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Values of C that the logistic regression chooses from, on validation."""


@dataclass(frozen=True)
class Backbone:
    """A pretrained architecture and where its weights are."""

    name: str
    weights: str
    sha256: str | None

    def network(self, classes: int) -> nn.Module:
        """Build it with a new linear head."""
        torch.manual_seed(SEED)
        network = backbones.backbone_cnn(self.name, classes, input_size=CROP)
        backbones.load_pretrained(network, self.name, self.weights, self.sha256)
        return network


def trained(network: nn.Module, photos: Photos, how: Recipe, scale: Any, state: Checkpoint) -> Any:
    """Train one rival and return its figures."""
    training = PlainTraining(network, photos, how, scale)
    minutes = training.fit(state)
    found = figures(training.accuracy("val"), training.accuracy("test"), minutes)
    state.drop()
    return found | {"recipe": asdict(how)}


def figures(validation: tuple[int, int], test: tuple[int, int], minutes: float) -> dict[str, Any]:
    """Return shares with the 95 % interval of the test share."""
    low, high = metrics.wilson(*test)
    return {
        "validation_accuracy": round(validation[0] / validation[1], 6),
        "test_accuracy": round(test[0] / test[1], 6),
        "test_accuracy_low": round(low, 6),
        "test_accuracy_high": round(high, 6),
        "test_n": test[1],
        "minutes": round(minutes, 1),
    }


@torch.inference_mode()
def regression(backbone: Backbone, photos: Photos) -> dict[str, Any]:
    """Fit a logistic regression on the features that the frozen backbone gives whole photos."""
    started = time.perf_counter()
    network = backbone.network(photos.classes).eval()
    network.set_submodule(backbones.head_name(network).rpartition(".")[0], nn.Identity())
    mean, std = (torch.tensor(part) for part in IMAGENET)

    def features(role: str) -> NDArray[np.float32]:
        chosen = tqdm(blocks(photos, photos.of(role)[0]), desc=f"features, {role}", leave=False)
        parts = [network(inference.preprocess(block, CROP, mean, std)) for block in chosen]
        found: NDArray[np.float32] = torch.cat(parts).numpy()
        return found

    truth = {role: photos.of(role)[1] for role in ("train", "val", "test")}
    inputs = {role: features(role) for role in truth}
    best: tuple[int, float, Any] = (-1, 0.0, None)
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        model.fit(inputs["train"], truth["train"])
        right = int((model.predict(inputs["val"]) == truth["val"]).sum())
        best = max(best, (right, strength, model), key=lambda one: one[0])
    right, strength, model = best
    test = int((model.predict(inputs["test"]) == truth["test"]).sum())
    minutes = (time.perf_counter() - started) / 60
    found = figures((right, len(truth["val"])), (test, len(truth["test"])), minutes)
    return found | {"recipe": {"C": strength}}


def rivals(
    photos: Photos, backbone: Backbone, state: Path, key: str
) -> dict[str, Callable[[], Any]]:
    """Return each rival's name and how to measure it."""

    def checkpoint(name: str) -> Checkpoint:
        return Checkpoint(
            f"rival-{name}", hashlib.sha256(f"{key}{name}".encode()).hexdigest(), state
        )

    count = photos.classes
    return {
        "course_scratch": lambda: trained(
            course_cnn(count),
            photos,
            Recipe(50, 1e-3),
            ([0.5] * 3, [0.25] * 3),
            checkpoint("course_scratch"),
        ),
        "course_transfer": lambda: trained(
            backbone.network(count),
            photos,
            Recipe(50, 1e-3, frozen=True),
            IMAGENET,
            checkpoint("course_transfer"),
        ),
        "logistic_regression": lambda: regression(backbone, photos),
        "fine_tuning": lambda: trained(
            backbone.network(count), photos, Recipe(10, 3e-4), IMAGENET, checkpoint("fine_tuning")
        ),
    }


def prepare(settings: params.Params, folder: Path) -> Photos:
    """Bring and decode the archive, once, and split it as the pipeline does."""
    store = folder / "photos"
    if not store.exists():
        archives = {name: folder / f"{name}.zip" for name in ("archive", "negatives")}
        download(settings.download, *archives.values(), state=folder / "download")
        workers = max(1, environment.workers(default=environment.cores()))
        decode_archives(archives, store, size=SIZE, workers=workers)
    photos = PhotoStore.open(store)
    return Photos(photos.pixels, assign_splits(photos.table, settings.split))


def chosen(archive: str, weights: str, backbone: str) -> params.Params:
    """Return the parameters of the preset that fits, with what the command line names."""
    preset = "landmarks50-cpu" if archive else "sample"
    settings = params.load(ROOT / f"presets/{preset}.yaml")
    source = settings.download.model_copy(update={"source": archive} if archive else {})
    transfer = settings.train.transfer
    if backbone:
        transfer = transfer.model_copy(update={"backbone": backbone})
    if weights:
        transfer = transfer.model_copy(update={"weights": weights, "weights_sha256": None})
    train = settings.train.model_copy(update={"transfer": transfer})
    return settings.model_copy(update={"download": source, "train": train})


def recorded(target: Path, facts: dict[str, str]) -> dict[str, Any]:
    """Return the rivals of a file that saw the same photos and backbone."""
    kept = files.read_json(target) if target.exists() else {}
    same = all(kept.get(name) == value for name, value in facts.items())
    found: dict[str, Any] = kept["rivals"] if same else {}
    return found


def measure(
    measures: dict[str, Callable[[], Any]], target: Path, facts: dict[str, str]
) -> dict[str, Any]:
    """Measure what is not in the file yet, each into it at once; return all that it then holds.

    The file is read again for each: another process may measure another rival beside this one.
    """
    for name, figure in measures.items():
        if name in recorded(target, facts):
            continue
        print(f"{name}:", flush=True)
        found = {name: figure() | {"seed": SEED}}
        together = recorded(target, facts) | found
        files.write_json(target, facts | {"machine": machine(), "rivals": together})
    return recorded(target, facts)


def table(results: dict[str, Any]) -> str:
    """Return the rivals' figures as lines to read, per cent with the 95 % interval."""
    lines = [f"{'':22}{'validation':>12}{'test':>8}   {'95 % interval':16}{'minutes':>8}"]
    for name, found in results.items():
        interval = f"{found['test_accuracy_low']:.1%} to {found['test_accuracy_high']:.1%}"
        lines.append(
            f"{name:22}{found['validation_accuracy']:12.1%}{found['test_accuracy']:8.1%}   "
            f"{interval:16}{found['minutes']:8.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("--archive", default="", help="URL, zip, tar or folder; else the sample")
    parser.add_argument("--weights", default="", help="state dict of the backbone, or imagenet")
    parser.add_argument("--backbone", default="", help="a torchvision architecture")
    parser.add_argument("--only", nargs="*", default=[], help="names of rivals; all by default")
    parser.add_argument("--name", help="folder in results/ that gets rivals.json")
    given = parser.parse_args()
    os.chdir(ROOT)
    environment.keep_memory()
    settings = chosen(given.archive, given.weights, given.backbone)
    transfer = settings.train.transfer
    backbone = Backbone(transfer.backbone, transfer.weights, transfer.weights_sha256)
    key = hashlib.sha256(repr((settings.download, settings.split)).encode()).hexdigest()[:16]
    photos = prepare(settings, STATE / key)
    measures = rivals(photos, backbone, STATE, f"{key}{backbone}")
    if unknown := set(given.only) - set(measures):
        raise LandmarksError(
            f"no rival is called {sorted(unknown)[0]!r}", hint=f"Choose from {', '.join(measures)}."
        )
    target = Path("results") / (given.name or ("archive" if given.archive else "sample"))
    target /= "rivals.json"
    wanted = {name: measures[name] for name in given.only or measures}
    results = measure(wanted, target, {"photos": key, "backbone": backbone.name})
    print(table(results))
    print(f"{target}; delete a rival there to measure it again")


if __name__ == "__main__":
    run(main)
