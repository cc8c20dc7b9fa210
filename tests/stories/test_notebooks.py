"""Somebody opens a notebook in a built project and runs all its cells."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from stories.clone import Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
PROMISED = {
    "app": ["demonstration", "both runtimes answer alike"],
    "cnn_from_scratch": ["million weights", "epoch   2/2", "landmarks.onnx", "'accuracy'"],
    "transfer_learning": ["all else comes pretrained", "epoch   2/2", "landmarks.pt", "'accuracy'"],
}


@pytest.mark.parametrize("name", PROMISED)
def test_it_runs_from_top_to_bottom(
    built: Clone, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = built.environment()
    for variable in set(os.environ) - set(own):
        monkeypatch.delenv(variable)
    for variable, value in own.items():
        monkeypatch.setenv(variable, value)
    folder = built.folder / "notebooks"
    before = built.dirt()
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    said = " ".join(said_by(cell) for cell in notebook.cells if cell.cell_type == "code")
    for promised in PROMISED[name]:
        assert promised in said
    assert "image/png" in str(notebook.cells), "no photo was shown"
    assert built.dirt() == before, "the notebook changed the project"


def said_by(cell: nbformat.NotebookNode) -> str:
    """Return the text that a cell printed or ended with."""
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(texts)
