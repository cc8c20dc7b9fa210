"""What looks like a mistake and is none: it must work."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from mistakes.pipelines import pipeline
from mistakes.projects import Project, Projects, new_project, pack, photo
from mistakes.running import server

from landmarks import files

ODD = ["1.50", "nan", 'Łódź, "old" town', "東京タワー", "  two  spaces ", "100%", "#5: x"]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    with server():
        yield Projects(tmp_path_factory.mktemp("built"))


def run(project: Project, *command: str) -> str:
    done = project.run(command)
    assert done.status == 0 and "Traceback" not in done.err, done
    return done.out


def test_classes_and_folders_may_be_called_anything(projects: Projects, tmp_path: Path) -> None:
    project = new_project(tmp_path / "Bilder für #5 (neu)" / "my project")
    members = {f"{name}/{n}.jpg": photo(c, n) for c, name in enumerate(ODD) for n in range(6)}
    pack(project.folder / "meine photos.zip", members)
    project.params({"download.source": "meine photos.zip"})
    for stage in ("download", "decode", "attribution", "split", "stats"):
        run(project, f"stages.{stage}")
    split = pd.read_csv(project.folder / "data/split.csv", dtype=str, keep_default_na=False)
    assert set(split.loc[split["role"] == "train", "class"]) == set(ODD)


def test_a_batch_larger_than_the_photos_and_odd_sizes_train(
    projects: Projects, tmp_path: Path
) -> None:
    project = projects.copy(projects.built("split"), tmp_path / "project")
    changes = {"batch_size": 512, "train_crop_size": 80, "val_crop_size": 16}
    project.params({f"train.scratch.{key}": value for key, value in changes.items()})
    assert "best validation accuracy" in run(project, "stages.train", "scratch")


def test_a_class_without_a_row_in_the_catalogue_is_named_and_noted(
    projects: Projects, tmp_path: Path
) -> None:
    project = projects.copy(projects.built("trained"), tmp_path / "project")
    project.replace("places.csv", "01.Mill", "07.Lighthouse")
    said = run(project, "stages.export", "scratch")
    assert "note: places.csv has no row for 1 of 3 classes" in said and "place: 01.Mill\n" in said
    card = json.loads((project.folder / "models/scratch/model.json").read_text())
    assert [place["name"] for place in card["classes"]] == ["Red Arch", "Mill", "Old Tower"]


def test_sets_may_have_any_order_and_an_export_has_the_same_bytes(
    projects: Projects, tmp_path: Path
) -> None:
    made = []
    for seed in ("7", "8"):
        project = projects.copy(projects.built("trained"), tmp_path / seed)
        subprocess.run(
            [sys.executable, "-m", "stages.export", "scratch"],
            cwd=project.folder,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        names = ("landmarks.pt", "landmarks.onnx", "model.json")
        made.append([files.sha256(project.folder / "models/scratch" / name) for name in names])
    assert made[0] == made[1]


def test_dvc_runs_from_a_folder_of_the_project(projects: Projects, tmp_path: Path) -> None:
    project = projects.copy(projects.built("new"), tmp_path / "project")
    pipeline(project)
    below = Project(project.folder / "stages")
    run(below, "dvc", "repro", "../dvc.yaml:download")
    assert (project.folder / "data/landmark_images.zip").is_file()


def test_whoever_reads_the_answers_may_stop_reading(projects: Projects, tmp_path: Path) -> None:
    """`landmarks predict … | head -1`: no complaint about a broken pipe."""
    project = projects.copy(projects.built("decoded"), tmp_path / "project")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "stages.split"],
            cwd=project.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_photo_that_cannot_be_read_is_no_error(projects: Projects, tmp_path: Path) -> None:
    project = projects.copy(projects.built("downloaded"), tmp_path / "project")
    archive = project.folder / "data/landmark_images.zip"
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("photos/train/00.Arch/page.jpg", b"<html>404</html>")
    assert "33 of 34 photos decoded; refused: 1 not an image" in run(project, "stages.decode")
