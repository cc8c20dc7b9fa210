"""A network that only answers needs no batch norms of its own."""

import pytest
import torch
from torch import nn

from landmarks import backbones, models
from landmarks.inference import folded

OTHER_NORMS = {"convnext_tiny", "vit_b_16", "swin_t"}
"""Backbones without a batch norm; folding must leave them as they are."""


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def trained(name: str) -> nn.Module:
    """Build a network whose norms have seen photos: a new one's would change next to nothing."""
    torch.manual_seed(3)
    network: nn.Module = models.scratch_cnn(7, width=8)
    if name != "scratch":
        network = backbones.backbone_cnn(name, 7, input_size=64)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for key, values in norm.state_dict().items():
                if key in ("running_var", "weight"):
                    nn.init.uniform_(values, 0.5, 1.5)
                elif key in ("running_mean", "bias"):
                    nn.init.normal_(values, 0, 0.3)
    return network


@pytest.mark.parametrize("name", ["scratch", *backbones.BACKBONES])
def test_folded_a_network_gives_the_same_answers_without_batch_norms(name: str) -> None:
    network = trained(name)
    before = norms(network)
    assert (before == 0) == (name in OTHER_NORMS)
    short = folded(network)
    assert norms(short) == 0 and norms(network) == before
    assert network.training and not short.training
    photos = torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        expected, found = network.eval()(photos), short(photos)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))
