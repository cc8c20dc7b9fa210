"""Keeps what finished runs measured, and no photo, in results/NAME/ with a summary of all seeds."""

import argparse
import json
import re
import shutil
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from landmarks import files
from landmarks.errors import LandmarksError, run
from tools.confidence_table import confidence_table
from tools.cost_table import cost_table

ROOT = Path(__file__).resolve().parents[1]
CNNS = ("scratch", "transfer")
RECIPE = "recipe"
"""The run of `ablation.json` that has every ingredient."""

KEPT = (".csv", ".json")
PLACES = (
    ("download", "source"),
    ("download", "negatives"),
    ("download", "attribution"),
    ("train", "transfer", "weights"),
    ("export", "catalogue"),
)
"""Parameters that may name a place on one machine and have no part in a recipe."""

RELEASED = ("release", "model")

TEACHER = ("train", "transfer", "teacher")
"""May name such a place, too; which it is makes another recipe."""

_NOT_ABOUT_PHOTOS = ("parameters", "gflops", "onnx_bytes", "torchscript_bytes", "temperature")
_DECIMALS = 6


def read_params(folder: Path) -> dict[str, Any]:
    """Return the parameters of a run, perhaps of an older version.

    Raises:
        LandmarksError: there are none, or they cannot be read.
    """
    path = folder / "params.yaml"
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LandmarksError(
            f"{folder} is no run: it has no params.yaml", hint="Name the folder of a clone."
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError):
        tree = None
    if not _is_complete(tree):
        raise LandmarksError(
            f"{path} does not hold the parameters of a run",
            hint="Mend it: `make repro` there says what is wrong.",
        )
    return dict(tree)


def _is_complete(tree: Any) -> bool:
    """Tell whether a tree has the groups that runs are compared by."""
    try:
        return all(isinstance(_group(tree, groups), dict) for *groups, _ in (*PLACES, RELEASED))
    except (KeyError, TypeError):
        return False


def without_seeds(tree: Any) -> Any:
    """Return a tree of parameters without the keys that are called `seed`."""
    if not isinstance(tree, dict):
        return tree
    return {key: without_seeds(value) for key, value in tree.items() if key != "seed"}


def first_difference(one: Any, other: Any, path: str = "") -> str:
    """Return the dotted key of the first parameter that differs; empty where none does."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return "" if one == other else path
    for key in sorted({*one, *other}):
        inside = first_difference(one.get(key), other.get(key), f"{path}.{key}".strip("."))
        if inside:
            return inside
    return ""


def preset_name(root: Path = ROOT) -> str:
    """Return the preset that params.yaml was made from, whatever its seeds, or `custom`."""
    tree = _comparable(read_params(root))
    for path in sorted((root / "presets").glob("*.yaml")):
        if _comparable(yaml.safe_load(path.read_text(encoding="utf-8"))) == tree:
            return path.stem
    return "custom"


def _comparable(tree: dict[str, Any]) -> Any:
    tree = without_seeds(tree)
    sample = tree["download"]["source"] == "sample"
    for *groups, key in (*PLACES, RELEASED):
        _group(tree, groups)[key] = None
        _group(tree, groups).pop(f"{key}_sha256", None)
    tree["download"].pop("sha256", None)
    return sample, tree


def _group(tree: dict[str, Any], path: Iterable[str]) -> dict[str, Any]:
    for key in path:
        tree = tree[key]
    return tree


def measured(folder: Path) -> dict[str, dict[str, float]]:
    """Return all figures of a run: for each CNN `test_…`, `validation_…` and what is neither.

    Raises:
        LandmarksError: the run is not finished.
    """
    figures = {}
    for cnn in CNNS:
        test = files.read_json(folder / "metrics" / f"{cnn}.json")
        validation = files.read_json(folder / "metrics" / cnn / "validation.json")
        figures[cnn] = _prefixed(test, "test_") | _prefixed(validation, "validation_")
    return figures


def _prefixed(figures: Mapping[str, Any], prefix: str) -> dict[str, float]:
    return {
        key if key in _NOT_ABOUT_PHOTOS else prefix + key: value
        for key, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def summarise(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Return mean, sample standard deviation (None for one run) and n of one CNN's figures."""
    return {
        name: {
            "mean": round(statistics.fmean(figures[name] for figures in runs), _DECIMALS),
            "sd": round(statistics.stdev(figures[name] for figures in runs), _DECIMALS)
            if len(runs) > 1
            else None,
            "n": len(runs),
        }
        for name in runs[0]
        if all(name in figures for figures in runs)
    }


def distinct(cnn: str, runs: list[Path]) -> list[int]:
    """Return the positions of the runs that trained a CNN with seeds of its own.

    Clones may share a CNN that takes long to train: it counts once.
    """
    first: dict[str, int] = {}
    for index, folder in enumerate(runs):
        tree = read_params(folder)
        seeds = tree | {"train": tree["train"][cnn]}
        first.setdefault(json.dumps(seeds, sort_keys=True), index)
    return list(first.values())


def check_alike(runs: list[Path]) -> None:
    """Check that runs differ in their seeds, and in nothing else.

    Raises:
        LandmarksError: names the first parameter that differs, or the runs that are the same.
    """
    trees = [read_params(folder) for folder in runs]
    for folder, tree in zip(runs[1:], trees[1:], strict=True):
        key = first_difference(without_seeds(trees[0]), without_seeds(tree))
        if key:
            raise LandmarksError(
                f"{runs[0]} and {folder} differ in {key}, so their mean would mean nothing",
                hint="Collect them under two names.",
            )
    for index, tree in enumerate(trees):
        if tree in trees[:index]:
            raise LandmarksError(
                f"{runs[trees.index(tree)]} and {runs[index]} have the same seeds: that is one run",
                hint="Give each run a seed of its own.",
            )


def local_places(tree: dict[str, Any]) -> dict[str, str]:
    """Return what to write for each absolute path among the parameters: its last part."""
    places = {}
    for *groups, key in (*PLACES, TEACHER):
        value = _group(tree, groups).get(key)
        if value and Path(value.removeprefix("file://")).is_absolute():
            places[value] = Path(value).name
    return places


def copy_run(source: Path, target: Path, cnns: Iterable[str]) -> None:
    """Copy the tables of a run and of these of its CNNs; paths of this machine become names."""
    places = local_places(read_params(source))
    texts = [source / "params.yaml", source / "dvc.lock"]
    for path in sorted(path for path in (source / "metrics").rglob("*") if path.suffix in KEPT):
        cnn = path.relative_to(source / "metrics").parts[0].removesuffix(".json")
        if cnn not in CNNS or cnn in cnns:
            texts.append(path)
    shutil.rmtree(target / "metrics", ignore_errors=True)
    for path in texts:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise LandmarksError(
                f"{path} is missing: the run is not finished", hint=f"Run `dvc repro` in {source}."
            ) from None
        for place, name in places.items():
            text = _replaced(text, place, name)
        files.write_text(target / path.relative_to(source), text)


def _replaced(text: str, place: str, name: str) -> str:
    # YAML folds a long value at its spaces.
    pattern = r"\s+".join(re.escape(word) for word in place.split(" "))
    return re.sub(pattern, lambda _: name, text)


def collect(name: str, runs: list[Path], root: Path = ROOT) -> Path:
    """Write results/NAME/: the first run's tables, other runs' in `run-2` …, and summaries.

    Raises:
        LandmarksError: a run is not finished, or the runs are not comparable.
    """
    check_alike(runs)
    figures = [measured(folder) for folder in runs]
    target = root / "results" / name
    for stale in target.glob("run-*"):
        shutil.rmtree(stale)
    own = {cnn: distinct(cnn, runs) for cnn in CNNS}
    for index, folder in enumerate(runs):
        place = target / f"run-{index + 1}" if index else target
        copy_run(folder, place, [cnn for cnn in CNNS if index in own[cnn]])
    summary = {cnn: summarise([figures[run][cnn] for run in own[cnn]]) for cnn in CNNS}
    files.write_json(target / "summary.json", summary)
    files.write_text(target / "confidence.md", confidence_table(summary))
    files.write_text(target / "cost.md", cost_table(target))
    return target


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.collect_results", description=__doc__)
    parser.add_argument("--name", help="folder in results/; the preset's name by default")
    parser.add_argument(
        "--runs",
        nargs="+",
        type=Path,
        default=[ROOT],
        metavar="DIR",
        help="clones with a finished run each, alike but for their seeds; a CNN that several have "
        "with the same seed counts once (default: this one)",
    )
    arguments = parser.parse_args()
    target = collect(arguments.name or preset_name(), arguments.runs)
    print(f"kept {len(arguments.runs)} run(s) in {target.relative_to(ROOT)}")
    for cnn, figures in files.read_json(target / "summary.json").items():
        accuracy = figures["test_accuracy"]
        spread = "" if accuracy["sd"] is None else f" ± {accuracy['sd']:.2%}"
        print(f"  {cnn}: test accuracy {accuracy['mean']:.2%}{spread} (n = {accuracy['n']})")
    for table in ("confidence.md", "cost.md"):
        print((target / table).read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
