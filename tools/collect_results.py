"""Keeps what finished runs measured, and no photo, in results/NAME/ with a summary of all seeds."""

import argparse
import json
import re
import shutil
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
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
    ("train", "transfer", "weights"),
    ("export", "catalogue"),
)
"""Parameters that may name a place on one machine."""

_NOT_ABOUT_PHOTOS = ("parameters", "gflops", "onnx_bytes", "torchscript_bytes", "temperature")
_DECIMALS = 6


def read_params(folder: Path) -> dict[str, Any]:
    """Return the parameters of a run.

    Raises:
        LandmarksError: there is none.
    """
    try:
        tree = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LandmarksError(
            f"{folder} is no run: it has no params.yaml", hint="Name the folder of a clone."
        ) from None
    return dict(tree)


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
    for *groups, key in (*PLACES, ("release", "model")):
        _group(tree, groups)[key] = None
        _group(tree, groups).pop(f"{key}_sha256", None)
    tree["download"].pop("sha256", None)
    return sample, tree


def _group(tree: dict[str, Any], path: Iterable[str]) -> dict[str, Any]:
    for key in path:
        tree = tree[key]
    return tree


def measured(folder: Path, cnn: str) -> dict[str, float]:
    """Return all figures of a CNN in a run: `test_…`, `validation_…` and what is neither.

    Raises:
        LandmarksError: the run is not finished.
    """
    test = files.read_json(folder / "metrics" / f"{cnn}.json")
    validation = files.read_json(folder / "metrics" / cnn / "validation.json")
    return _prefixed(test, "test_") | _prefixed(validation, "validation_")


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
    for *groups, key in PLACES:
        value = _group(tree, groups)[key]
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


def tables_of(folder: Path, cnn: str) -> Path:
    """Return where a collected result keeps the tables of a CNN's first run."""
    apart = folder / cnn
    return (apart if apart.is_dir() else folder) / "metrics" / cnn


def collect(
    name: str,
    runs: list[Path],
    root: Path = ROOT,
    apart: Mapping[str, list[Path]] = MappingProxyType({}),
) -> Path:
    """Write results/NAME/: the first run's tables, other runs' in `run-2` …, and summaries.

    Args:
        name: of the folder.
        runs: folders of finished runs, or of collected ones.
        root: of the project.
        apart: by CNN, runs that it comes from instead, as they have other parameters; their tables
            are kept in a folder of the CNN's name, beneath the others.

    Raises:
        LandmarksError: a run is not finished, or the runs are not comparable.
    """
    target = root / "results" / name
    places = {target: runs, **{target / cnn: own for cnn, own in apart.items()}}
    sources = {cnn: apart.get(cnn, runs) for cnn in CNNS}
    for alike in places.values():
        check_alike(alike)
        for folder in alike:
            if folder.resolve().is_relative_to(target.resolve()):
                raise LandmarksError(
                    f"{folder} lies in {target}, which is written anew", hint="Copy it elsewhere."
                )
    own = {cnn: distinct(cnn, sources[cnn]) for cnn in CNNS}
    figures = {cnn: [measured(sources[cnn][run], cnn) for run in own[cnn]] for cnn in CNNS}
    for stale in [*target.glob("run-*"), *(target / cnn for cnn in CNNS)]:
        shutil.rmtree(stale, ignore_errors=True)
    for place, folders in places.items():
        cnns = [cnn for cnn in CNNS if sources[cnn] is folders]
        for index, folder in enumerate(folders):
            here = place / f"run-{index + 1}" if index else place
            copy_run(folder, here, [cnn for cnn in cnns if index in own[cnn]])
    summary = {cnn: summarise(figures[cnn]) for cnn in CNNS}
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
    for cnn in CNNS:
        parser.add_argument(
            f"--{cnn}",
            nargs="+",
            type=Path,
            metavar="DIR",
            help=f"runs that {cnn} comes from instead, where they have other parameters",
        )
    arguments = parser.parse_args()
    apart = {cnn: runs for cnn in CNNS if (runs := getattr(arguments, cnn))}
    if len(apart) == len(CNNS):
        parser.error("of the CNNs one comes from --runs")
    target = collect(arguments.name or preset_name(), arguments.runs, apart=apart)
    kept = sum(map(len, (arguments.runs, *apart.values())))
    print(f"kept {kept} run(s) in {target.relative_to(ROOT)}")
    for cnn, figures in files.read_json(target / "summary.json").items():
        accuracy = figures["test_accuracy"]
        spread = "" if accuracy["sd"] is None else f" ± {accuracy['sd']:.2%}"
        print(f"  {cnn}: test accuracy {accuracy['mean']:.2%}{spread} (n = {accuracy['n']})")
    for table in ("confidence.md", "cost.md"):
        print((target / table).read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run(main)
