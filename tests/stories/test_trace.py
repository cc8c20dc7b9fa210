"""The tracer itself: it sees reads by children, moves, the home, and parameters that are used."""

import shutil
from pathlib import Path

from stories import trace
from stories.clone import Clone

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import os
import subprocess
from pathlib import Path

from landmarks import params

settings = params.load()
assert settings.split.seed == 1 and settings.train.scratch
settings.export.model_dump()
os.listdir("listed")
subprocess.run(["cat", "read by a child"], check=True)
Path("made").write_text("x")
os.replace("made", "moved")
(Path.home() / "note").write_text("x")
"""


def test_nothing_that_a_stage_does_escapes_the_trace(strace: None, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "the project", tmp_path / "home")
    for folder in (clone.folder / "landmarks", clone.folder / "listed", clone.home):
        folder.mkdir(parents=True)
    for module in ("__init__", "errors", "params"):
        shutil.copy(ROOT / f"landmarks/{module}.py", clone.folder / "landmarks")
    shutil.copy(ROOT / "presets/sample.yaml", clone.folder / "params.yaml")
    (clone.folder / "probe.py").write_text(PROBE)
    (clone.folder / "read by a child").write_text("x")
    seen = trace.run(clone, tmp_path / "logs", "python -m probe")
    modules = {f"landmarks/{module}.py" for module in ("__init__", "errors", "params")}
    assert seen.read == modules | {"probe.py", "params.yaml", "read by a child"}
    assert seen.written == {"made", "moved"}
    assert seen.home == {"note"}
    assert seen.params == {"split.seed"}
    assert seen.dumped == {"export.catalogue"}
