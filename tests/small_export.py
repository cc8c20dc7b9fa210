"""An exported model of three colours, small enough to check by hand, and photos for it."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from landmarks import card
from landmarks.files import sha256, write_json

CLASSES = ["00.Red rock", "01.Green valley", "02.Blue lake"]
SHARPNESS = 4.0


class Reddest(nn.Module):
    """Names the colour that a photo has most of; a landmark recogniser small enough to check.

    Its known score is the largest probability: from 0.5 on the photo is known.
    """

    order: Tensor

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.register_buffer("order", torch.tensor(order))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        means = pixels.to(torch.float32).mean(dim=[2, 3]) / 255.0
        probabilities = torch.softmax(means.index_select(1, self.order) * 4.0, dim=1)
        score = probabilities.amax(dim=1)
        return probabilities, score, score >= 0.5


def onnx_model() -> onnx.ModelProto:
    """The same as `Reddest([0, 1, 2])`, written down in ONNX."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "factor"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ReduceMax", ["probabilities", "classes"], ["known_score"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["known_score", "threshold"], ["known"]),
    ]
    graph = helper.make_graph(
        nodes,
        "reddest",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 3, "h", "w"])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info("known_score", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("known", TensorProto.BOOL, ["n"]),
        ],
        [
            helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("classes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("threshold", TensorProto.FLOAT, [], [0.5]),
            helper.make_tensor("factor", TensorProto.FLOAT, [], [SHARPNESS / 255]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def write_card(folder: Path) -> None:
    files = {
        name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size}
        for name in (card.ONNX, card.TORCHSCRIPT)
    }
    described = {
        "format_version": card.FORMAT_VERSION,
        "name": "landmarks",
        "cnn": folder.name,
        "architecture": "reddest",
        "invented": True,
        "classes": [{"class": name, "name": name} for name in CLASSES],
        "input": {"size": 8},
        "temperature": 1.0,
        "known": {"method": "max_probability", "threshold": 0.5, "kept": 0.95, "tuned_on": []},
        "thresholds": {"precision": 0.97, "confidence": 0.55, "classes": [0.5, 0.55, 1.0]},
        "parameters": 3,
        "data": {},
        "params": "",
        "versions": {},
        "licences": {},
        "files": files,
    }
    write_json(folder / card.CARD, described)


def write_export(folder: Path) -> Path:
    """Write `landmarks.onnx`, `landmarks.pt` and `model.json` into a new folder."""
    folder.mkdir(parents=True)
    onnx.save(onnx_model(), folder / card.ONNX)
    torch.jit.script(Reddest([0, 1, 2])).save(folder / card.TORCHSCRIPT)
    write_card(folder)
    return folder


def photos(n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Noisy photos of one colour each; every tenth carries a wrong label."""
    random = np.random.default_rng(3)
    pixels = random.integers(0, 100, (n, 8, 8, 3), dtype=np.uint8)
    colour = np.arange(n) % 3
    pixels[np.arange(n), :, :, colour] += np.uint8(120)
    labels = np.where(np.arange(n) % 10 == 9, (colour + 1) % 3, colour)
    return pixels, labels
