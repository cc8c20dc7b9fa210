"""The pretrained backbones: torchvision's architectures with a new head, and their weights."""

from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models as torchvision_models
from torchvision.models.vision_transformer import interpolate_embeddings

from landmarks import files
from landmarks.errors import LandmarksError

BACKBONES = (
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "convnext_tiny",
    "regnet_y_400mf",
    "regnet_y_1_6gf",
    "vit_b_16",
    "swin_t",
)
"""Backbones whose training, TorchScript and ONNX exports are covered by tests."""

TORCHVISION_LICENCE = (
    "initial weights by torchvision (BSD-3-Clause), trained on ImageNet, whose terms allow "
    "non-commercial research"
)


def backbone_cnn(name: str, classes: int, *, dropout: float = 0.0, input_size: int) -> nn.Module:
    """Build a torchvision architecture with a new linear classifier; its weights are random.

    Raises:
        LandmarksError: if `name` is not in `BACKBONES`.
    """
    if name not in BACKBONES:
        raise LandmarksError(
            f"train.transfer.backbone is {name!r}", hint=f"Choose one of: {', '.join(BACKBONES)}."
        )
    options = {}
    if name.startswith("vit_"):
        options["image_size"] = input_size
    network = torchvision_models.get_model(name, weights=None, **options)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    head = head_name(network)
    inputs = network.get_submodule(head).in_features
    network.set_submodule(head, nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, classes)))
    return network


def head_name(network: nn.Module) -> str:
    """Return the dotted name of a torchvision classifier's last linear layer."""
    return [name for name, part in network.named_modules() if isinstance(part, nn.Linear)][-1]


def leading_blocks(network: nn.Module, count: int) -> list[nn.Module]:
    """Return the first `count` blocks of a backbone, in the order in which photos go through them.

    A block is a child of the network, or a child of that where it is an `nn.Sequential`; the
    classifier is none.

    Raises:
        LandmarksError: the backbone has fewer blocks.
    """
    classifier = head_name(network).partition(".")[0]
    blocks: list[nn.Module] = []
    for name, child in network.named_children():
        if name != classifier:
            blocks += list(child) if isinstance(child, nn.Sequential) else [child]
    if count > len(blocks):
        raise LandmarksError(
            f"train.transfer.frozen_blocks is {count}, but the backbone has {len(blocks)} blocks",
            hint="Choose a smaller number; 0 lets all of them learn.",
        )
    return blocks[:count]


def load_pretrained(network: nn.Module, name: str, weights: str, sha256: str | None) -> set[str]:
    """Load a backbone's weights into `network`, in place.

    Args:
        network: as `backbone_cnn` builds it.
        name: the torchvision architecture.
        weights: `imagenet` for torchvision's own, or the path of a state dict (`.safetensors`, or a
            PyTorch file, read with `weights_only=True` so that no code in it can run). Classifier
            weights may be missing from it, and its last layer is not used.
        sha256: what the file's hash must be, or None.

    Returns:
        The names of the parameters that got no weights: the new head.

    Raises:
        LandmarksError: no such file, another hash, a pickle with code, or weights that do not fit.
    """
    state = _imagenet(name) if weights == "imagenet" else _state_dict(Path(weights), sha256)
    head = head_name(network).rpartition(".")[0]
    classifier = head.partition(".")[0] + "."
    own = network.state_dict()
    if name.startswith("vit_") and "encoder.pos_embedding" in state:
        size, patch = network.image_size, network.patch_size
        state = dict(interpolate_embeddings(size, patch, {**state}))
    usable = {
        key: value for key, value in state.items() if key in own and not key.startswith(head + ".")
    }
    misfits = sorted(
        {key for key, value in usable.items() if own[key].shape != value.shape}
        | {
            key
            for key in own.keys() - usable.keys()
            if not key.startswith(classifier) and not key.endswith("num_batches_tracked")
        }
    )
    if misfits:
        raise LandmarksError(
            f"the weights in {weights} do not fit {name}: {len(misfits)} tensors are missing or "
            f"have another shape, first {misfits[0]}",
            hint="Give weights of this architecture, or name theirs in train.transfer.backbone.",
        )
    network.load_state_dict(usable, strict=False)
    return {key for key, _ in network.named_parameters() if key not in usable}


def _imagenet(name: str) -> Mapping[str, Tensor]:
    try:
        chosen = torchvision_models.get_model_weights(name).DEFAULT
        return chosen.get_state_dict(progress=True, check_hash=True, map_location="cpu")
    except (OSError, RuntimeError) as error:  # a wrong hash is a RuntimeError
        reason = error.reason if isinstance(error, URLError) else error
        raise LandmarksError(
            f"cannot download torchvision's weights of {name}: {reason}",
            hint="Download them elsewhere and run `make preset NAME=… WEIGHTS=<file>`.",
        ) from error


def _state_dict(path: Path, expected: str | None) -> Mapping[str, Tensor]:
    hint = "Set train.transfer.weights with `make preset NAME=… WEIGHTS=<file>`."
    if not path.is_file():
        raise LandmarksError(f"there is no weights file {path}", hint=hint)
    if expected is not None and (found := files.sha256(path)) != expected:
        raise LandmarksError(
            f"{path} has SHA-256 {found}, but train.transfer.weights_sha256 is {expected}",
            hint="If you meant to change it, `make preset NAME=… WEIGHTS=<file>` records that.",
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch.load raises whatever the bytes provoke
        # PyTorch's own words advise to load it all the same, code and all.
        raise LandmarksError(
            f"{path} is not a plain state dict of tensors and was not loaded: it is damaged, "
            "another kind of file, or holds code",
            hint="Save it with safetensors or torch.save(model.state_dict()).",
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise LandmarksError(f"{path} holds something else than a state dict of tensors", hint=hint)
    return state
