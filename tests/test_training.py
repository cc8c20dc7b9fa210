"""Training learns, and is the same however it is run."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_training import fork, settings_with, stripes, train
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from landmarks import backbones, models, optimization, training
from landmarks.checkpoint import Checkpoint
from landmarks.data.augmentation import augment, crop_size, photo_transform
from landmarks.data.batches import EpochBatches
from landmarks.errors import LandmarksError
from landmarks.params import Transfer

SCRIPT = Path(__file__).with_name("small_training.py")


def run(out: Path, state: Path, *settings: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(out), str(state), *settings]
    return subprocess.run(
        command,
        env=os.environ | {"LANDMARKS_DEVICE": "cpu"} | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a training that nobody disturbs gives."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(folder / "w.safetensors", folder / "state")
    assert done.returncode == 0, done.stderr
    assert list((folder / "state").glob("*.pt")) == []
    return (folder / "w.safetensors").read_bytes()


def test_it_learns(tmp_path: Path) -> None:
    settings = settings_with("scratch", epochs=8, lr_warmup_epochs=2)
    fitted, _ = train(settings, Checkpoint("t", "0" * 64, tmp_path))
    best = fitted.history[fitted.best_epoch]
    assert best["val_accuracy"] > 0.8
    assert best["val_accuracy"] == max(row["val_accuracy"] for row in fitted.history)


@pytest.mark.parametrize("workers", ["0", "1", "4"])
def test_the_number_of_workers_changes_no_bit(weights: bytes, tmp_path: Path, workers: str) -> None:
    done = fork(tmp_path / "w", tmp_path / "state", LANDMARKS_WORKERS=workers)
    assert done.code == 0, done.said
    assert (tmp_path / "w").read_bytes() == weights


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """Batch statistics of half a batch differ, so weights agree within a tolerance only."""
    common = ("epochs=1", "lr_warmup_epochs=0", "dropout=0", "lr=0.0005", "model_ema_decay=0")
    one = run(tmp_path / "one", tmp_path / "s1", *common)
    assert one.returncode == 0, one.stderr
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    done = subprocess.run(
        [*command, str(SCRIPT), str(tmp_path / "two"), str(tmp_path / "s2"), *common],
        env=os.environ | {"LANDMARKS_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    # Running statistics part, yet all must judge an epoch alike: one would stop, others wait.
    judged = [(tmp_path / f"two.history-{rank}").read_text() for rank in (0, 1)]
    assert judged[0] == judged[1]
    kernel = "4.weight"
    start = models.create(settings_with("scratch"), stripes().classes, [0.5] * 3, [0.25] * 3)[0]
    moved = (first[kernel] - start.state_dict()[kernel]).flatten()
    other = (second[kernel] - start.state_dict()[kernel]).flatten()
    assert torch.nn.functional.cosine_similarity(moved, other, dim=0) > 0.9


def test_processes_share_a_batch_and_no_photo_is_seen_twice() -> None:
    alone_, left, right = (
        EpochBatches(50, 16, 3, rank=rank, world_size=size)
        for rank, size in ((0, 1), (0, 2), (1, 2))
    )
    for batch, half, other in zip(alone_, left, right, strict=True):
        assert sorted(batch) == sorted(half + other) and len(half) == len(other) == 8
    seen = [position for batch in alone_ for _, position in batch]
    assert len(seen) == len(set(seen)) == 48
    first = list(alone_)
    alone_.epoch = 1
    assert list(alone_) != first


def test_augmentation_depends_on_seed_epoch_and_photo_only() -> None:
    transform = photo_transform(settings_with("scratch", auto_augment="trivial"), 32)
    photo = torch.from_numpy(stripes().pixels[0]).permute(2, 0, 1)
    torch.manual_seed(1)
    first, drawn = augment(photo, transform, 1, 2, 3), torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn), "the caller's random state was disturbed"
    assert torch.equal(augment(photo, transform, 1, 2, 3), first)
    assert first.dtype == torch.uint8 and first.shape == (3, 32, 32)
    others = [augment(photo, transform, *key) for key in ((2, 2, 3), (1, 3, 3), (1, 2, 4))]
    assert not any(torch.equal(first, other) for other in others)


def test_crops_grow_and_stay_large_at_the_end(tmp_path: Path) -> None:
    settings = settings_with("scratch", epochs=10, initial_crop_size=16, train_crop_size=40)
    sizes = [crop_size(settings, epoch) for epoch in range(10)]
    assert sizes[0] == 16 and sizes[8:] == [40, 40]
    assert sizes == sorted(sizes) and len(set(sizes)) >= 3
    fitted, _ = train(settings, Checkpoint("t", "0" * 64, tmp_path))
    assert fitted.history[fitted.best_epoch]["val_accuracy"] > 0.8
    same = settings_with("scratch", initial_crop_size=36, train_crop_size=36)
    assert {crop_size(same, epoch) for epoch in range(same.epochs)} == {36}


def test_muon_learns_and_survives_a_kill(tmp_path: Path) -> None:
    common = ("optimizer=muon", "initial_crop_size=16")
    assert fork(tmp_path / "whole", tmp_path / "s1", *common).code == 0
    assert fork(tmp_path / "w", tmp_path / "s2", *common, "kill=step:9").code == -9
    done = fork(tmp_path / "w", tmp_path / "s2", *common)
    assert done.code == 0, done.said
    assert (tmp_path / "w").read_bytes() == (tmp_path / "whole").read_bytes()
    settings = settings_with("scratch", optimizer="muon", epochs=8, lr=0.01)
    fitted, _ = train(settings, Checkpoint("t", "0" * 64, tmp_path / "s3"))
    assert fitted.history[fitted.best_epoch]["val_accuracy"] > 0.8


@pytest.mark.parametrize(("generation", "native"), [(7, False), (8, True)], ids=["T4", "A100"])
def test_a_gpu_that_imitates_bfloat16_is_not_asked_to(
    generation: int, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch makes tensors of that type on any GPU; those before Ampere compute by imitation."""
    card = SimpleNamespace(major=generation)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    assert optimization.computes_bf16(torch.device("cuda")) == native


class Types(TorchDispatchMode):
    """Notes the types of the tensors that are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.seen |= {made.dtype} if isinstance(made, torch.Tensor) else set()
        return made


@pytest.mark.parametrize("native", [True, False], ids=["bfloat16", "none"])
def test_muon_makes_the_step_of_a_kernel_orthogonal(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is lr times 0.2 times the root of the longer side times a matrix that is nearly
    orthogonal: its singular values lie around 1, whatever the gradient's size. A processor that
    would have to imitate bfloat16, three times as slowly, is not asked to."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    settings = settings_with("scratch", optimizer="muon", weight_decay=0.0)
    layer = torch.nn.Conv2d(8, 16, 3).to(memory_format=torch.channels_last)
    adamw, muon = optimization.make_optimizers(layer, settings, None)
    kernel = layer.weight
    before = kernel.detach().clone()
    kernel.grad = 1e-4 * torch.randn_like(kernel)
    gradient = kernel.grad.clone()
    adamw.step()
    assert torch.equal(kernel, before), "the kernel is Muon's alone"
    with Types() as types:
        muon.step()
    assert (torch.bfloat16 in types.seen) == native
    assert torch.equal(kernel.grad, gradient)
    step = (kernel.detach() - before).flatten(1) / (settings.lr * 0.2 * (8 * 9) ** 0.5)
    values = torch.linalg.svdvals(step)
    assert values.min() > 0.4 and values.max() < 1.3


class Float32(TorchFunctionMode):
    """Where PyTorch would turn a tensor into bfloat16, it gets a copy in the tensor's own type."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.bfloat16:
            return args[0].clone()
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("shape", [(16, 200), (200, 16), (24, 24)], ids=["wide", "tall", "square"])
@pytest.mark.parametrize(("rank", "nesterov"), [(16, True), (16, False), (2, True)])
def test_muon_in_float32_takes_the_steps_that_pytorchs_would(
    shape: tuple[int, int], rank: int, nesterov: bool
) -> None:
    generator = torch.Generator().manual_seed(5)
    ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
    how: dict[str, Any] = {"lr": 0.05, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    how |= {"nesterov": nesterov}
    muon, reference = optimization.Float32Muon([ours], **how), torch.optim.Muon([theirs], **how)
    for _ in range(3):
        before = ours.detach().clone()
        left, right = (torch.randn(size, rank, generator=generator) for size in shape)
        ours.grad = theirs.grad = 1e-3 * left @ right.T
        muon.step()
        with Float32():
            reference.step()
        step, apart = (ours - before).detach(), (ours - theirs).detach()
        assert apart.norm() < 5e-4 * step.norm()
        assert step.std() > 1e-3, "it moved"
    assert muon.state_dict()["state"][0].keys() == reference.state_dict()["state"][0].keys()


def test_frozen_blocks_keep_their_weights_and_the_rest_learns() -> None:
    settings = settings_with("transfer", frozen_blocks=3, freeze_epochs=0, model_ema_decay=0)
    network = backbones.backbone_cnn("mobilenet_v3_small", 3, input_size=32)
    new = {name for name, _ in network.named_parameters() if name.startswith("classifier.")}
    before = {key: value.clone() for key, value in network.state_dict().items()}
    trainer = training.Trainer(
        training.make_fabric(settings), network, settings, stripes(), new=new
    )
    trainer.train_epoch(0)
    after = network.state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    frozen = ("features.0.", "features.1.", "features.2.")
    assert not any(key.startswith(frozen) for key in moved)
    assert any(key.startswith("features.3.") for key in moved)
    with pytest.raises(LandmarksError, match="frozen_blocks is 99, but the backbone has 14 blocks"):
        backbones.leading_blocks(network, 99)


class BatchNorms(TorchFunctionMode):
    """Counts the batch norms that are computed."""

    count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.nn.functional.batch_norm
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_frozen_blocks_answer_as_ever_and_spend_nothing_on_batch_norms(name: str) -> None:
    settings = settings_with("transfer", backbone=name, frozen_blocks=5, freeze_epochs=0)
    network = backbones.backbone_cnn(name, 3, input_size=32)
    untouched = backbones.leading_blocks(copy.deepcopy(network), 5)
    trainer = training.Trainer(training.make_fabric(settings), network, settings, stripes())
    trainer.train_epoch(0)
    photos = torch.randn(2, 3, 64, 64)
    with torch.no_grad(), BatchNorms() as norms:
        expected = found = photos
        for block, same in zip(backbones.leading_blocks(network, 5), untouched, strict=True):
            found, expected = block(found), same.eval()(expected)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    frozen = sum(
        isinstance(part, torch.nn.BatchNorm2d) for one in untouched for part in one.modules()
    )
    alone = sum(isinstance(one, torch.nn.BatchNorm2d) for one in untouched)
    assert norms.count == frozen + alone, "those of the untouched blocks, and no others"


def test_a_frozen_backbone_does_not_move_and_then_does() -> None:
    settings = settings_with("transfer", freeze_epochs=1, model_ema_decay=0)
    data = stripes()
    network = backbones.backbone_cnn("mobilenet_v3_small", 3, input_size=32)
    new = {name for name, _ in network.named_parameters() if name.startswith("classifier.")}
    trainer = training.Trainer(training.make_fabric(settings), network, settings, data, new=new)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    trainer.train_epoch(0)
    after = network.state_dict()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved and all(key.startswith("classifier.") for key in moved)
    trainer.train_epoch(1)
    assert not torch.equal(
        before["features.0.0.weight"], network.state_dict()["features.0.0.weight"]
    )


def test_the_kept_weights_are_a_mean_of_those_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, data = settings_with("scratch"), stripes()
    network, _, new = models.create(settings, data.classes, data.mean, data.std)
    trainer = training.Trainer(training.make_fabric(settings), network, settings, data, new=new)
    step, way = trainer._step, []

    def remembering(*batch: torch.Tensor) -> torch.Tensor:
        loss = step(*batch)
        way.append(copy.deepcopy(trainer.plain.state_dict()))
        return loss

    monkeypatch.setattr(trainer, "_step", remembering)
    trainer.train_epoch(0)
    for name, kept in trainer.best_candidate().state_dict().items():
        passed = torch.stack([weights[name] for weights in way])
        if not kept.is_floating_point():
            assert kept == passed[-1], "a counter is no weight"
            continue
        least, most = passed.amin(0) - 1e-5, passed.amax(0) + 1e-5
        assert ((kept >= least) & (kept <= most)).all(), name
        assert not torch.equal(kept, passed[-1]), name


def test_it_stops_when_patience_ends(tmp_path: Path) -> None:
    settings = settings_with("scratch", epochs=12, patience=1, lr=1e-9)
    fitted, _ = train(settings, Checkpoint("t", "0" * 64, tmp_path))
    assert len(fitted.history) < 12
    assert len(fitted.history) == fitted.best_epoch + 1 + settings.patience


def test_mixed_batches_are_trained_on(tmp_path: Path) -> None:
    settings = settings_with("scratch", epochs=2, mixup_alpha=0.2, cutmix_alpha=1.0)
    fitted, _ = train(settings, Checkpoint("t", "0" * 64, tmp_path))
    assert all(row["train_loss"] > 0 for row in fitted.history)


def test_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    rates = [optimization.lr_factor(step, warmup=4, total=20) for step in range(20)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[12] == pytest.approx(0.5) and rates[-1] < 0.02


def test_norms_and_biases_have_a_weight_decay_of_their_own() -> None:
    settings = settings_with("transfer", weight_decay=0.3, norm_weight_decay=0.0)
    network = backbones.backbone_cnn("mobilenet_v3_small", 3, input_size=32)
    groups = optimization.parameter_groups(network, settings, {"classifier.3.1.weight"})
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    for group in groups:
        plain = {parameter.ndim <= 1 for parameter in group["params"]}
        assert plain == {group["weight_decay"] == 0.0}
    assert isinstance(settings, Transfer)
    peaks = {group["peak"] for group in groups}
    assert peaks == {settings.lr, settings.lr * settings.backbone_lr_factor}


def test_cuda_on_demand_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    monkeypatch.setenv("LANDMARKS_DEVICE", "cuda")
    with pytest.raises(LandmarksError, match="sees no CUDA device"):
        training.make_fabric(settings_with("scratch"))
    monkeypatch.setenv("LANDMARKS_DEVICE", "gpu")
    with pytest.raises(LandmarksError, match="auto, cpu, cuda"):
        training.make_fabric(settings_with("scratch"))
