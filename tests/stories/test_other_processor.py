"""The sample is built on another kind of processor than the one that made what is in Git."""

import json
from pathlib import Path

import pytest
from stories.clone import Clone

# The first story builds the clone; the time is for machines that do other things besides.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WEIGHTS = "models/scratch/weights.safetensors"


@pytest.fixture(scope="module")
def here(built: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of `built` in which scratch was trained and measured on another processor since.

    PyTorch computes as on a processor without vector instructions, so bits really differ, and the
    kind of processor is named after them. `here` is the kind that made what is in Git.
    """
    clone = built.copy(tmp_path_factory.mktemp("processors") / "copy")
    clone.python("tools.check_build", "--record")
    clone.commit()
    assert "has the same bytes" in clone.python("tools.check_build", "--strict").stdout
    elsewhere(clone).run("dvc", "repro", "--force", "--single-item", "train@scratch")
    elsewhere(clone).run("dvc", "repro")
    return clone


def elsewhere(clone: Clone) -> Clone:
    return Clone(clone.folder, clone.home, {"ATEN_CPU_CAPABILITY": "default"})


def test_elsewhere_metrics_count_and_the_differing_files_are_named(here: Clone) -> None:
    said = elsewhere(here).python("tools.check_build", "--strict").stdout
    assert f"  {WEIGHTS}\n" in said
    assert "models/transfer/weights.safetensors" not in said and "data/photos" not in said
    assert "DEFAULT" in said and "Their metrics agree with those in Git within" in said


def test_here_other_bytes_are_an_error_where_nothing_was_changed(here: Clone) -> None:
    done = here.python("tools.check_build", "--strict", check=False)
    assert done.returncode == 1 and f"  {WEIGHTS}\n" in done.stdout
    assert done.stderr.startswith("error: this build should have the same bytes as the one in Git")
    assert here.python("tools.check_build").returncode == 0  # somebody changed parameters


def test_the_demonstration_succeeds_elsewhere(here: Clone) -> None:
    said = elsewhere(here).python("tools.demo").stdout
    assert f"  {WEIGHTS}\n" in said and "Their metrics agree" in said
    assert "A photo that no stage has seen" in said and "models/landmarks/" in said


def test_elsewhere_metrics_beyond_the_tolerance_are_an_error(here: Clone, tmp_path: Path) -> None:
    clone = here.copy(tmp_path / "copy")
    metrics = clone.folder / "metrics/scratch.json"
    figures = json.loads(metrics.read_text())
    lock = (clone.folder / "dvc.lock").read_text()
    clone.run("git", "checkout", "--", "dvc.lock")
    metrics.write_text(json.dumps({**figures, "accuracy": figures["accuracy"] + 0.07}))
    clone.commit()  # what is in Git is better than what was built
    metrics.write_text(json.dumps(figures))
    (clone.folder / "dvc.lock").write_text(lock)
    done = elsewhere(clone).python("tools.check_build", "--strict", check=False)
    assert done.returncode == 1
    assert "error: this build is not the one in Git: scratch: accuracy is" in done.stderr
    assert "Further from Git's" in elsewhere(clone).python("tools.check_build").stdout
