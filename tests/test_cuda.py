"""Training on CUDA learns, survives a kill, and leaves a network that answers as on a CPU."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import fork, settings_with, stripes, train

from landmarks import backbones, inference, models, training
from landmarks.checkpoint import Checkpoint

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="PyTorch sees no CUDA device on this machine"
)


@pytest.fixture(autouse=True)
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDMARKS_DEVICE", "cuda")


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_scratch_learns(optimizer: str, tmp_path: Path) -> None:
    settings = settings_with("scratch", optimizer=optimizer, epochs=8, lr=0.01)
    fitted, _ = train(settings, Checkpoint("t", "0" * 64, tmp_path))
    assert fitted.history[fitted.best_epoch]["val_accuracy"] > 0.8
    assert all(weights.device.type == "cpu" for weights in fitted.state.values())


def test_killed_in_a_step_it_goes_on_with_that_epoch(tmp_path: Path) -> None:
    state, settings = tmp_path / "state", ("optimizer=muon", "epochs=3")
    killed = fork(tmp_path / "w", state, *settings, "kill=step:9", LANDMARKS_DEVICE="cuda")
    assert killed.code == -9, killed.said
    done = fork(tmp_path / "w", state, *settings, LANDMARKS_DEVICE="cuda")
    assert done.code == 0, done.said
    assert "epoch   3/3" in done.said and "epoch   1/3" not in done.said
    assert (tmp_path / "w").exists()


def test_frozen_blocks_stay_as_they_are() -> None:
    settings = settings_with("transfer", backbone="mobilenet_v2", frozen_blocks=5, freeze_epochs=0)
    network = backbones.backbone_cnn("mobilenet_v2", 3, input_size=32)
    before = copy.deepcopy(backbones.leading_blocks(network, 5))
    trainer = training.Trainer(training.make_fabric(settings), network, settings, stripes())
    trainer.train_epoch(0)
    for block, same in zip(backbones.leading_blocks(network, 5), before, strict=True):
        for name, weights in same.state_dict().items():
            assert torch.equal(block.state_dict()[name].cpu(), weights), name


def test_a_network_answers_on_cuda_as_on_the_cpu() -> None:
    torch.manual_seed(0)
    network = models.scratch_cnn(3, width=32).eval()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
    module = inference.Normalized(network, 64, [0.5] * 3, [0.25] * 3, mirror=True)
    pixels, rows = stripes().pixels, np.arange(8)
    answers = [
        inference.run_module(module, pixels, rows, name, torch.device(name))
        for name in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-4, atol=1e-4)
