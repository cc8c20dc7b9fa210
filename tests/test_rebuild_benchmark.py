"""The benchmark of rebuilds runs the pipeline with parameters that are valid."""

from pathlib import Path

from benchmarks import rebuild
from landmarks import params


def test_its_parameters_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(rebuild.settings(tmp_path / "photos.zip"), encoding="utf-8")
    assert params.load(path).train.scratch.epochs == 1
