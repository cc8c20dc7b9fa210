"""A model of three colours that names real places, and folders of photos for `landmarks tag`."""

import contextlib
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

from landmarks import card, cli
from landmarks.files import sha256, write_json
from landmarks.tagging import packet

SIZE = 8
SHARPNESS = 12.0
PLACES = [
    {
        "class": "00.Uluru",
        "name": "Uluru",
        "locality": "Northern Territory",
        "country": "Australia",
        "country_code": "AU",
        "latitude": -25.3444,
        "longitude": 131.0369,
    },
    {
        "class": "01.Hallerbos",
        "name": "Hallerbos",
        "locality": "Halle",
        "country": "Belgium",
        "country_code": "BE",
        "latitude": 50.7131,
        "longitude": 4.2789,
    },
    {"class": "02.Blue_Lake", "name": "Blue Lake"},
]
RED, GREEN, BLUE, GREY = (200, 60, 60), (60, 200, 60), (60, 60, 200), (120, 120, 120)
REDDISH = (140, 110, 110)
"""Colours of photos: of the three places, of none, and of the first without being sure."""


def slow_photos() -> list[bytes]:
    """Return a red and a grey photo that take a while: progressive ones are decoded whole."""
    noise = np.random.default_rng(1).integers(-9, 10, (1200, 1600, 3))
    files = []
    for colour in (RED, GREY):
        buffer = io.BytesIO()
        image = Image.fromarray((np.array(colour) + noise).astype(np.uint8))
        image.save(buffer, "JPEG", quality=92, progressive=True)
        files.append(buffer.getvalue())
    return files


def onnx_model() -> onnx.ModelProto:
    """Softmax over mean red, green and blue; known from 0.45 on, as the share of the strongest."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "factor"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ReduceMax", ["probabilities", "classes"], ["known_score"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["known_score", "least"], ["known"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 3, "h", "w"])
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3]),
        helper.make_tensor_value_info("known_score", TensorProto.FLOAT, ["n"]),
        helper.make_tensor_value_info("known", TensorProto.BOOL, ["n"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
        helper.make_tensor("classes", TensorProto.INT64, [1], [1]),
        helper.make_tensor("factor", TensorProto.FLOAT, [], [SHARPNESS / 255]),
        helper.make_tensor("least", TensorProto.FLOAT, [], [0.45]),
    ]
    graph = helper.make_graph(nodes, "colours", [pixels], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def write_model(folder: Path, invented: bool = False) -> Path:
    """Write `landmarks.onnx` and `model.json` into a new folder."""
    folder.mkdir(parents=True)
    onnx.save(onnx_model(), folder / card.ONNX)
    file = folder / card.ONNX
    described = {
        "format_version": card.FORMAT_VERSION,
        "name": "landmarks",
        "cnn": "colours",
        "architecture": "colours",
        "invented": invented,
        "classes": PLACES,
        "input": {"size": SIZE},
        "temperature": 1.0,
        "known": {"method": "probability", "threshold": 0.45, "kept": 0.95, "tuned_on": []},
        "thresholds": {"precision": 0.97, "confidence": 0.9, "classes": [0.5, 0.9999, 0.9]},
        "parameters": 3,
        "data": {},
        "params": "",
        "versions": {},
        "licences": {},
        "files": {card.ONNX: {"sha256": sha256(file), "bytes": file.stat().st_size}},
    }
    write_json(folder / card.CARD, described)
    return folder


def photo(
    colour: tuple[int, int, int], number: int = 0, gps: tuple[float, float] | None = None
) -> bytes:
    """Return a small JPEG of one colour under noise that differs by `number`."""
    noise = np.random.default_rng(number).integers(-9, 10, (24, 32, 3))
    image = Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    if gps is not None:
        exif[0x8825] = {
            1: "N" if gps[0] >= 0 else "S",
            2: (abs(gps[0]), 0.0, 0.0),
            3: "E" if gps[1] >= 0 else "W",
            4: (abs(gps[1]), 0.0, 0.0),
        }
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


class Done(NamedTuple):
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def landmarks(*arguments: str | Path) -> Done:
    """Run the command as a user does, but in this process: importing takes most of the time."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["landmarks", *map(str, arguments)]
    status = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        sys.argv = before
    return Done(status, out.getvalue(), err.getvalue())


def command(*arguments: str | Path) -> list[str]:
    """Return the words that run the command as a process of its own."""
    return [sys.executable, "-m", "landmarks.cli", *map(str, arguments)]


def sidecar(inside: str, attributes: str = "") -> bytes:
    """Return a sidecar as some other program writes it."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<r:RDF xmlns:r="{packet.RDF}"><r:Description r:about="" {attributes}>{inside}'
        "</r:Description></r:RDF></x:xmpmeta>"
    ).encode()


class Library:
    """A folder of photos, a model, and a journal of its own."""

    def __init__(self, top: Path, model: Path) -> None:
        self.folder, self.model, self.state = top / "my photos", model, top / "state"
        self.folder.mkdir()
        self.top = top

    def put(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def tag(self, *options: str | Path) -> Done:
        given = ["tag", self.folder, "--model", self.model, "--state", self.state, *options]
        done = landmarks(*given)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def rows(self, *options: str | Path) -> dict[str, dict[str, Any]]:
        """Tag, and return the rows of the JSON table by path."""
        self.tag("--json", self.top / "rows.json", *options)
        rows = json.loads((self.top / "rows.json").read_text(encoding="utf-8"))
        return {row["path"]: row for row in rows}

    def bytes(self) -> dict[str, str]:
        """Return the hash of every file below the folder."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
