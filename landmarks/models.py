"""The two CNNs: one of our own to train from scratch, and torchvision's pretrained backbones."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth

from landmarks import backbones, files
from landmarks.errors import LandmarksError
from landmarks.params import Scratch, Transfer

STAGE_DEPTHS = (1, 1, 2, 2, 1)
STAGE_WIDTHS = (1, 2, 4, 8, 12)


class ModelInfo(BaseModel):
    """What must be known, beside the weights, to build and feed a network.

    `mean` and `std` are per channel (RGB) on the 0..1 scale; `input_size` is the side, in pixels,
    of the square photos that the network was validated on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cnn: str
    architecture: str
    options: dict[str, int | float]
    classes: list[str]
    input_size: int
    mean: list[float]
    std: list[float]
    parameters: int
    licence: str


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with squeeze-and-excitation and a shortcut.

    The shortcut averages before it strides (ResNet-D, He et al. 2019, arXiv:1812.01187), so that
    no pixel is dropped; squeeze-and-excitation is Hu et al. 2018 (arXiv:1709.01507); stochastic
    depth is Huang et al. 2016 (arXiv:1603.09382).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, drop: float) -> None:
        super().__init__()
        last = Conv2dNormActivation(outputs, outputs, 3, activation_layer=None)
        # A block that starts as its shortcut trains more steadily (Goyal et al. 2017).
        nn.init.zeros_(last[1].weight)
        self.residual = nn.Sequential(
            Conv2dNormActivation(inputs, outputs, 3, stride=stride),
            last,
            SqueezeExcitation(outputs, max(8, outputs // 8)),
        )
        self.drop = StochasticDepth(drop, "row")
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                Conv2dNormActivation(inputs, outputs, 1, activation_layer=None),
            )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        return self.activation(self.shortcut(features) + self.drop(self.residual(features)))


def scratch_cnn(
    classes: int, *, width: int = 32, dropout: float = 0.0, stochastic_depth: float = 0.0
) -> nn.Sequential:
    """Build the CNN of our own: a stem and five residual stages, then a linear classifier.

    Args:
        classes: number of landmarks.
        width: channels of the first stage; the later ones have 2, 4, 8 and 12 times as many.
        dropout: probability before the classifier.
        stochastic_depth: drop probability of the last block; it grows linearly from 0.

    Returns:
        A network from float32 (N, 3, h, w), normalised, h and w at least 32, to logits (N,
        classes).
    """
    stem = width if width < 32 else width // 2
    stages: list[nn.Module] = [Conv2dNormActivation(3, stem, 3, stride=2)]
    inputs, block = stem, 0
    for stage, (depth, factor) in enumerate(zip(STAGE_DEPTHS, STAGE_WIDTHS, strict=True)):
        for position in range(depth):
            stride = 2 if position == 0 and stage > 0 else 1
            drop = stochastic_depth * block / (sum(STAGE_DEPTHS) - 1)
            stages.append(ResidualBlock(inputs, width * factor, stride, drop))
            inputs, block = width * factor, block + 1
    return nn.Sequential(
        nn.Sequential(*stages),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(1),
        nn.Dropout(dropout),
        nn.Linear(inputs, classes),
    )


def create(
    settings: Scratch | Transfer, classes: list[str], mean: list[float], std: list[float]
) -> tuple[nn.Module, ModelInfo, set[str] | None]:
    """Build the network that the settings ask for, with the weights that training starts from.

    Args:
        settings: of one CNN; `settings.seed` decides the random weights.
        classes: names, in the order of the logits.
        mean, std: per channel, on the 0..1 scale, of the photos that it will see.

    Returns:
        The network, what describes it, and the names of the parameters that start at random where
        the others are pretrained (None where all start at random).
    """
    torch.manual_seed(settings.seed)
    new: set[str] | None = None
    options: dict[str, int | float] = {"dropout": settings.dropout}
    if isinstance(settings, Scratch):
        cnn, architecture, licence = "scratch", "scratch_cnn", "trained from nothing"
        options |= {"width": settings.width, "stochastic_depth": settings.stochastic_depth}
        network: nn.Module = scratch_cnn(
            len(classes),
            width=settings.width,
            dropout=settings.dropout,
            stochastic_depth=settings.stochastic_depth,
        )
    else:
        cnn, architecture = "transfer", settings.backbone
        size = settings.val_crop_size
        network = backbones.backbone_cnn(
            architecture, len(classes), dropout=settings.dropout, input_size=size
        )
        new = backbones.load_pretrained(
            network, architecture, settings.weights, settings.weights_sha256
        )
        licence = (
            backbones.TORCHVISION_LICENCE
            if settings.weights == "imagenet"
            else (f"initial weights from {Path(settings.weights).name}, under their own licence")
        )
    info = ModelInfo(
        cnn=cnn,
        architecture=architecture,
        options=options,
        classes=classes,
        input_size=settings.val_crop_size,
        mean=mean,
        std=std,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        licence=licence,
    )
    return network, info, new


def build(info: ModelInfo) -> nn.Module:
    """Build the network that `info` describes, with random weights."""
    classes, options = len(info.classes), info.options
    dropout = float(options["dropout"])
    if info.cnn == "scratch":
        width, depth = int(options["width"]), float(options["stochastic_depth"])
        return scratch_cnn(classes, width=width, dropout=dropout, stochastic_depth=depth)
    size = info.input_size
    return backbones.backbone_cnn(info.architecture, classes, dropout=dropout, input_size=size)


def save_weights(path: str | Path, state: Mapping[str, Tensor], info: ModelInfo) -> None:
    """Write weights and what is needed to use them as one safetensors file, whole or not at all.

    The same tensors and info give the same bytes.
    """
    tensors = {key: value.detach().cpu().contiguous() for key, value in sorted(state.items())}
    metadata = {"landmarks": json.dumps(info.model_dump(), sort_keys=True, ensure_ascii=False)}
    with files.replacing(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))


def load_weights(path: str | Path) -> tuple[nn.Module, ModelInfo]:
    """Build the network that a weights file describes and load it, in evaluation mode, on the CPU.

    Raises:
        LandmarksError: the file is missing, damaged or not one of ours.
    """
    hint = "Run `dvc repro`, or `dvc pull` to fetch it from the storage."
    try:
        with safe_open(path, framework="pt") as file:
            info = ModelInfo.model_validate_json((file.metadata() or {})["landmarks"])
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        network = build(info)
        network.load_state_dict(state)
    except FileNotFoundError:
        raise LandmarksError(f"there is no weights file {path}", hint=hint) from None
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise LandmarksError(
            f"{path} is damaged or not a weights file of ours", hint=hint
        ) from error
    return network.eval(), info
