"""Mistakes that DVC itself finds, before or after it runs a stage."""

import shutil

from conftest import ROOT
from mistakes.parameters import text
from mistakes.projects import Project
from mistakes.table import Case, Spoil


def pipeline(project: Project) -> None:
    """Make the project one that DVC knows: the real dvc.yaml, and the code that it names."""
    for name in ("landmarks", "stages"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, project.folder / name, ignore=ignored)
    shutil.copy(ROOT / "dvc.yaml", project.folder)
    # What `dvc init --no-scm` does, without the seconds that it takes.
    project.path(".dvc/config").write_text("[core]\n    no_scm = True\n    analytics = False\n")


def dvc(id: str, spoil: Spoil, status: int = 255, *target: str) -> Case:
    def both(project: Project) -> None:
        pipeline(project)
        spoil(project)

    command = ("dvc", "repro", *(target or ("download",)))
    return Case(id, command, both, status=status, again=False)


def _without_params(project: Project) -> None:
    (project.folder / "params.yaml").unlink()


PIPELINE = (
    dvc("dvc-key", text("  catalogue: places.csv", "  catalog: places.csv")),
    dvc("dvc-syntax", text("seed: 1", "seed: [1")),
    dvc("dvc-twice", text("  photo_size: 48", "  photo_size: 48\n  photo_size: 64")),
    dvc("dvc-params", _without_params),
    dvc("dvc-catalogue", text("places.csv", "plcaes.csv"), 255, "-s", "export@scratch"),
    dvc("dvc-stage", text("decode:", "decoed:")),
    dvc("dvc-fails", text("photos.zip", "nowhere.zip")),
)
