"""The real stages, and DVC's decision not to run most of them.

tests/test_only_what_changed.py has the whole table, with stand-ins whose outs differ each time.
Here outs may stay the same, and then the stages after them do not run.
"""

from pathlib import Path

import pytest
from stories.clone import Clone
from stories.repro import repro

# The first story builds the clone; the time is for machines that do other things besides.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("warm")]

BOTH = ("scratch", "transfer")


def change(clone: Clone, name: str, old: str, new: str) -> None:
    """Replace a text in a file of the clone, which must be there."""
    path = clone.folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_neither_comments_nor_where_it_runs_start_a_stage(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "copy")
    change(clone, "params.yaml", "calibrate:", "# Guo et al. 2017\ncalibrate:")
    assert repro(clone, LANDMARKS_DEVICE="auto", LANDMARKS_WORKERS="3") == []


def test_what_does_not_change_an_out_stops_there(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "copy")
    for module in ("landmarks/data/split.py", "landmarks/plots.py"):
        change(clone, module, '"""', '# A comment.\n"""')
    assert repro(clone) == ["split", *(f"evaluate@{cnn}" for cnn in BOTH)]
    assert {line.split()[-1] for line in clone.dirt().splitlines()} == {
        "dvc.lock",
        "landmarks/data/split.py",
        "landmarks/plots.py",
    }


def test_changing_back_to_an_old_parameter_trains_nothing(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "copy")
    weights = clone.folder / "models/scratch/weights.safetensors"
    before = weights.read_bytes()
    change(clone, "params.yaml", "label_smoothing: 0.1", "label_smoothing: 0.2")
    stages = ("train", "refit", "calibrate", "export", "evaluate")
    assert repro(clone) == [*(f"{stage}@scratch" for stage in stages), "release", "report"]
    assert weights.read_bytes() != before
    clone.run("git", "checkout", "--", "params.yaml")
    assert repro(clone) == []
    assert weights.read_bytes() == before
    assert clone.dirt() == ""


def test_whom_scratch_teaches_is_trained_anew_with_it(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "copy")
    weights = clone.folder / "models/transfer/weights.safetensors"
    alone = weights.read_bytes()

    def train() -> list[str]:
        return repro(clone, "train@transfer")

    none, scratch = "teacher: presets/no_teacher.txt", "teacher: models/scratch/weights.safetensors"
    change(clone, "params.yaml", none, scratch)
    assert train() == ["train@transfer"]
    taught = weights.read_bytes()
    assert taught != alone
    change(clone, "params.yaml", "label_smoothing: 0.1", "label_smoothing: 0.2")
    assert train() == ["train@scratch", "train@transfer"]
    assert weights.read_bytes() not in (alone, taught)
    change(clone, "params.yaml", scratch, none)
    assert train() == []
    assert weights.read_bytes() == alone
