"""Somebody keeps the figures of three seeds: mean and spread are right, nothing private is kept."""

import json
from pathlib import Path

import pytest
import yaml

from landmarks.errors import LandmarksError
from landmarks.files import write_json
from tools import demo
from tools.collect_results import ROOT, collect, preset_name


def finished_run(folder: Path, seed: int, scratch: float, transfer: float, **other: object) -> Path:
    folder.mkdir()
    tree = yaml.safe_load((ROOT / "presets" / "landmarks50-cpu.yaml").read_text())
    tree["train"]["scratch"]["seed"] = tree["train"]["transfer"]["seed"] = seed
    tree["train"]["scratch"] |= other
    tree["download"]["source"] = f"{folder.parent}/private/photos of mine.zip"
    tree["download"]["attribution"] = f"{folder.parent}/private/authors.csv"
    tree["train"]["transfer"]["weights"] = f"{folder.parent}/private/weights.pth"
    tree["train"]["transfer"]["teacher"] = f"{folder.parent}/private/teacher.safetensors"
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    lock = {"stages": {"download": {"params": {"download.source": tree["download"]["source"]}}}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    for cnn, accuracy in (("scratch", scratch), ("transfer", transfer)):
        write_json(folder / f"metrics/{cnn}.json", {"accuracy": accuracy, "n": 10, "parameters": 7})
        write_json(folder / f"metrics/{cnn}/validation.json", {"accuracy": 0.5, "temperature": 2})
        (folder / f"metrics/{cnn}/training.csv").write_text("epoch,lr\n1,0.1\n")
    write_json(folder / "metrics/released.json", {"accuracy": transfer, "cnn": "transfer"})
    (folder / "metrics" / "report.html").write_text("<img src='data:a photo'>")
    (folder / "data").mkdir()
    (folder / "data" / "photo.jpg").write_bytes(b"a photo")
    return folder


def test_mean_and_spread_of_three_seeds(tmp_path: Path) -> None:
    runs = [
        finished_run(tmp_path / f"clone{seed}", seed, scratch, transfer)
        for seed, scratch, transfer in ((1, 0.60, 0.9), (2, 0.70, 0.9), (3, 0.80, 0.9))
    ]
    target = collect("photos50", runs, tmp_path)
    summary = json.loads((target / "summary.json").read_text())
    assert summary["scratch"]["test_accuracy"] == {"mean": 0.7, "sd": 0.1, "n": 3}
    assert summary["transfer"]["test_accuracy"] == {"mean": 0.9, "sd": 0.0, "n": 3}
    assert summary["scratch"]["validation_accuracy"]["mean"] == 0.5
    assert summary["scratch"]["temperature"]["mean"] == 2
    assert summary["scratch"]["parameters"]["mean"] == 7
    assert (target / "metrics/scratch/training.csv").is_file()
    third = yaml.safe_load((target / "run-3" / "params.yaml").read_text())
    assert third["train"]["scratch"]["seed"] == 3


def test_a_cnn_that_two_clones_share_counts_once(tmp_path: Path) -> None:
    runs = [
        finished_run(tmp_path / f"clone{seed}", seed, scratch, transfer)
        for seed, scratch, transfer in ((1, 0.60, 0.8), (2, 0.70, 0.9), (3, 0.70, 1.0))
    ]
    third = yaml.safe_load((runs[2] / "params.yaml").read_text())
    third["train"]["scratch"]["seed"] = 2
    (runs[2] / "params.yaml").write_text(yaml.safe_dump(third))
    target = collect("photos50", runs, tmp_path)
    summary = json.loads((target / "summary.json").read_text())
    assert summary["scratch"]["test_accuracy"] == {"mean": 0.65, "sd": 0.070711, "n": 2}
    assert summary["transfer"]["test_accuracy"] == {"mean": 0.9, "sd": 0.1, "n": 3}
    kept = {path.name for path in (target / "run-3/metrics").iterdir()}
    assert kept == {"transfer", "transfer.json", "released.json"}
    assert (target / "run-2/metrics/scratch/training.csv").is_file()


def test_one_run_has_no_spread_and_replaces_an_earlier_collection(tmp_path: Path) -> None:
    runs = [finished_run(tmp_path / f"clone{seed}", seed, 0.6, 0.9) for seed in (1, 2)]
    collect("photos50", runs, tmp_path)
    (tmp_path / "results/photos50/speed.json").write_text("{}")
    target = collect("photos50", runs[1:], tmp_path)
    summary = json.loads((target / "summary.json").read_text())
    assert summary["scratch"]["test_accuracy"] == {"mean": 0.6, "sd": None, "n": 1}
    assert not (target / "run-2").exists()
    assert (target / "speed.json").exists()


def test_neither_photos_nor_places_of_this_machine_are_kept(tmp_path: Path) -> None:
    target = collect("photos50", [finished_run(tmp_path / "clone", 1, 0.6, 0.9)], tmp_path)
    kept = [path for path in target.rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".csv", ".json", ".yaml", ".lock", ".md"}
    assert not any(str(tmp_path) in path.read_text() for path in kept)
    tree = yaml.safe_load((target / "params.yaml").read_text())
    assert tree["download"]["source"] == "photos of mine.zip"
    assert "photos of mine.zip" in (target / "dvc.lock").read_text()


def test_runs_of_two_recipes_are_not_averaged(tmp_path: Path) -> None:
    one = finished_run(tmp_path / "one", 1, 0.6, 0.9)
    other = finished_run(tmp_path / "other", 2, 0.7, 0.9, lr=0.5)
    with pytest.raises(LandmarksError, match=r"differ in train\.scratch\.lr"):
        collect("photos50", [one, other], tmp_path)
    assert not (tmp_path / "results").exists()


def test_one_run_twice_is_no_second_seed(tmp_path: Path) -> None:
    one = finished_run(tmp_path / "one", 1, 0.6, 0.9)
    with pytest.raises(LandmarksError, match="same seeds"):
        collect("photos50", [one, one], tmp_path)


def test_a_run_that_is_not_finished_is_named(tmp_path: Path) -> None:
    one = finished_run(tmp_path / "one", 1, 0.6, 0.9)
    (one / "metrics" / "transfer.json").unlink()
    with pytest.raises(LandmarksError, match=r"transfer\.json"):
        collect("photos50", [one], tmp_path)
    with pytest.raises(LandmarksError, match="no run"):
        collect("photos50", [tmp_path], tmp_path)


@pytest.mark.parametrize("text", ["", "train: [", "- 1\n", "train: {}\n", "caf\xe9: 1\n"])
def test_parameters_that_are_none_are_said_in_one_line(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(LandmarksError, match=r"params\.yaml does not hold the parameters of a run"):
        preset_name(tmp_path)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/sample.yaml").write_bytes((ROOT / "presets/sample.yaml").read_bytes())
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    with pytest.raises(LandmarksError, match=r"params\.yaml"):
        demo.main()


@pytest.mark.parametrize("preset", ["sample", "landmarks50", "landmarks50-cpu"])
def test_results_bear_the_name_of_the_preset_whatever_its_source(
    tmp_path: Path, preset: str
) -> None:
    presets = tmp_path / "presets"
    presets.mkdir()
    for path in (ROOT / "presets").glob("*.yaml"):
        (presets / path.name).write_bytes(path.read_bytes())
    tree = yaml.safe_load((presets / f"{preset}.yaml").read_text())
    tree["split"]["seed"] = 99
    tree["train"]["transfer"]["weights"] = "/somewhere/weights.pth"
    if preset != "sample":
        tree["download"] |= {"source": "/somewhere/photos.zip", "sha256": "0" * 64}
        tree["download"] |= {"attribution": "/somewhere/a.csv", "attribution_sha256": "1" * 64}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    assert preset_name(tmp_path) == preset
    tree["train"]["scratch"]["lr"] = 0.7
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    assert preset_name(tmp_path) == "custom"


def test_the_table_of_confidence_is_filled_from_the_figures(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "clone", 1, 0.6, 0.9)
    known = {"auroc": 0.981, "auroc_scene": 0.97, "negatives_named": 0.1234}
    interval = {"negatives_named_low": 0.08, "negatives_named_high": 0.2}
    measured = {"accuracy": 0.9, "n": 10, "parameters": 7, **known, **interval}
    write_json(run / "metrics/transfer.json", measured)
    lines = (collect("photos50", [run], tmp_path) / "confidence.md").read_text().splitlines()
    assert lines[0] == "| on test photos | scratch | transfer |"
    assert "| AUROC, known against negatives |  | 0.981 |" in lines
    assert "| AUROC against `scene` alone |  | 0.970 |" in lines
    assert "| negatives that still get a name, % |  | 12.3 (8.0 to 20.0) |" in lines
    assert not any("recall" in line for line in lines)  # it was not measured


def test_thresholds_of_several_runs_are_not_averaged(tmp_path: Path) -> None:
    """Each run may have chosen another score; their temperatures can be compared."""
    runs = [finished_run(tmp_path / f"clone{seed}", seed, 0.6, 0.9) for seed in (1, 2)]
    for run, threshold in zip(runs, (10.6, -6.2), strict=True):
        chosen = {"accuracy": 0.5, "temperature": 2, "known_threshold": threshold}
        write_json(run / "metrics/scratch/validation.json", chosen)
    one = (collect("photos50", runs[:1], tmp_path) / "confidence.md").read_text()
    assert "| threshold of the score | 10.600 |  |" in one
    two = (collect("photos50", runs, tmp_path) / "confidence.md").read_text()
    assert "threshold of the score" not in two and "| temperature | 2.00 ± 0.00 |" in two
