"""The notebooks carry no results of their own, and no more code than a notebook should."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_the_three_of_the_course_are_there() -> None:
    names = {path.stem for path in NOTEBOOKS}
    assert names == {"app", "cnn_from_scratch", "transfer_learning"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_committed(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert not [cell for cell in code if cell["outputs"] or cell["execution_count"]]
    assert max(len(cell["source"]) for cell in code) <= 25, "longer code belongs to the library"
