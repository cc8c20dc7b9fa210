"""Mistakes with the commands: `landmarks predict` and `make preset`."""

import shutil
from pathlib import Path

from mistakes.photos import at
from mistakes.projects import Project, anything, photo
from mistakes.table import Case, Spoil
from mistakes.training import edited, flip

from landmarks.files import sha256

MODEL = ("--model", "models/scratch")


def _photo(content: bytes) -> Spoil:
    return lambda project: project.path("photo.jpg").write_bytes(content)


def ask(id: str, spoil: Spoil, *options: str, status: int = 1) -> Case:
    """Ask the exported model about `photo.jpg`, or what else is named."""
    command = ("landmarks.cli", "predict", *(options or (*MODEL, "photo.jpg")))
    return Case(id, command, spoil, "exported", status=status, again=False)


def _tools(project: Project) -> None:
    from conftest import ROOT

    shutil.copytree(ROOT / "tools", project.folder / "tools")
    shutil.copytree(ROOT / "presets", project.folder / "presets", dirs_exist_ok=True)


def preset(id: str, *options: str) -> Case:
    return Case(id, ("tools.preset", *options), _tools, again=False)


def _jpeg(project: Project) -> None:
    project.path("photo.jpg").write_bytes(photo(0, 50))


def _other_network(project: Project) -> None:
    """Name the input of the network otherwise, as other exporters do."""
    import onnx

    path = project.path("models/scratch/landmarks.onnx")
    model = onnx.load(path)
    model.graph.input[0].name = "images"
    for node in model.graph.node:
        node.input[:] = ["images" if name == "pixels" else name for name in node.input]
    onnx.save(model, path)
    record = {"landmarks.onnx": {"sha256": sha256(path), "bytes": path.stat().st_size}}
    edited("models/scratch/model.json", lambda card: card["files"].update(record))(project)


PREDICT = (
    ask("model-missing", _jpeg, "photo.jpg"),
    ask("photo-missing", anything, *MODEL, "phtoo.jpg"),
    ask("photo-folder", anything, *MODEL, "data"),
    ask("photo-empty", at("photo.jpg", Path.touch)),
    ask("photo-page", _photo(b"<html>404</html>")),
    ask("photo-cut", _photo(photo(0, 50)[:700])),
    ask("top-0", _jpeg, *MODEL, "--top-k", "0", "photo.jpg", status=2),
    ask("runtime", _jpeg, *MODEL, "--runtime", "abacus", "photo.jpg", status=2),
    ask("option", _jpeg, *MODEL, "--topk", "3", "photo.jpg", status=2),
    ask("model-tampered", flip("models/scratch/landmarks.onnx")),
    ask(
        "model-part",
        at("models/scratch/landmarks.onnx", Path.unlink),
    ),
    ask(
        "model-card",
        edited("models/scratch/model.json", lambda tree: tree.pop("files")),
    ),
    ask("model-other", _other_network),
)

PRESET = (
    preset("preset-none", ""),
    preset("preset-other", "landmark50"),
    preset("preset-source", "landmarks50", "--source", "photos50.zip"),
    preset("preset-weights", "landmarks50", "--weights", "tools"),
    preset("preset-catalogue", "landmarks50", "--catalogue", "plcaes.csv"),
    preset("preset-negatives", "landmarks50", "--negatives", "nowhere.zip"),
)
