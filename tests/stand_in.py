"""The project with stand-ins for its stages: DVC decides for real, and a stage takes no time.

`dvc repro` runs the real dvc.yaml over the real parameters, modules and tables. Only the program
`python` that it starts is another: it notes the stage's name and writes into each of the stage's
outs bytes that were never there before. So a change spreads as far as it ever can. Where outs stay
the same DVC stops earlier; stories/test_what_runs.py shows that with the real stages.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import declared
import pytest

from landmarks import params
from tools.preset import set_value

ROOT = Path(__file__).resolve().parents[1]
# All that a stage may depend on, and some of what none may.
PARTS = (
    ".dvcignore",
    "README.md",
    "benchmarks",
    "catalogues",
    "dvc.yaml",
    "landmarks",
    "notebooks",
    "presets",
    "stages",
    "tools",
)
RAN = ".dvc/tmp/ran"
_PROGRAM = """
import json, os, pathlib, sys, uuid
stage = os.environ["DVC_STAGE"]
with open({ran!r}, "a") as ran:
    ran.write(stage + "\\n")
for out in map(pathlib.Path, json.loads(pathlib.Path({outs!r}).read_text())[stage]):
    path = out if out.suffix else out / "file"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(uuid.uuid4().hex)
"""


@dataclass(frozen=True)
class Project:
    """A copy of the project whose stages are stand-ins; DVC's state and Git are left out of it."""

    folder: Path

    def set(self, key: str, value: object) -> None:
        """Give the parameter `key` another value, one that params.yaml may hold."""
        path = self.folder / "params.yaml"
        before = path.read_text(encoding="utf-8")
        text = set_value(before, key, str(value))
        if not isinstance(value, str):
            text = text.replace(f"'{value}'", str(value))
        assert text != before, f"{key} is {value} already"
        path.write_text(text, encoding="utf-8")
        params.load(path)

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file, which must be there."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def append(self, name: str) -> None:
        """Append a line to a file, which must be there."""
        with (self.folder / name).open("r+", encoding="utf-8") as file:
            file.seek(0, 2)
            file.write("# another line\n")

    def copy(self, folder: Path) -> "Project":
        """Return a copy in the state that DVC left this one in."""
        shutil.copytree(self.folder, folder)
        return Project(folder)

    def repro(self, monkeypatch: pytest.MonkeyPatch, *, lock: bool) -> list[str]:
        """Let DVC run what it finds changed; return the stages that ran, in order.

        Args:
            lock: whether dvc.lock and DVC's cache are written. That takes longer than all else,
                and what runs is decided from the lock that DVC read first.
        """
        from dvc.repo import Repo

        monkeypatch.chdir(self.folder)
        (self.folder / RAN).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / RAN).write_text("")
        with Repo(str(self.folder)) as repo:
            repo.reproduce(**({} if lock else {"repro_fn": _without_lock}))
        return (self.folder / RAN).read_text().split()


def _without_lock(stage: Any, **options: Any) -> Any:
    return stage.reproduce(**options | {"no_commit": True, "run_cache": False})


def make(folder: Path) -> Project:
    """Lay the project out in `folder`, nothing built; `programs` beside it is for PATH."""
    project = Project(folder / "project")
    (project.folder / ".dvc").mkdir(parents=True)
    config = "[core]\n    no_scm = true\n    analytics = false\n"
    (project.folder / ".dvc/config").write_text(config)
    unneeded = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for part in PARTS:
        source, target = ROOT / part, project.folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=unneeded)
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / "presets/sample.yaml", project.folder / "params.yaml")
    outs = {name: sorted(stage.outs) for name, stage in declared.stages(project.folder).items()}
    programs = folder / "programs"
    programs.mkdir()
    (programs / "outs.json").write_text(json.dumps(outs))
    program = _PROGRAM.format(ran=RAN, outs=str(programs / "outs.json"))
    (programs / "stage.py").write_text(program)
    start = f'#!/bin/sh\nexec "{sys.executable}" -I -S "{programs}/stage.py"\n'
    (programs / "python").write_text(start)
    (programs / "python").chmod(0o755)
    return project
