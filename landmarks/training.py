"""The epoch of training that both CNNs share: one process or many, CPU or CUDA."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from landmarks import backbones, environment, inference
from landmarks.data.augmentation import batch_transform, seed_of
from landmarks.data.batches import AugmentedPhotos, EpochBatches, loader
from landmarks.distillation import Teacher
from landmarks.optimization import (
    NORMS,
    computes_bf16,
    lr_factor,
    make_optimizers,
)
from landmarks.params import Training, Transfer

MAX_GRADIENT_NORM = 1.0
"""Longer gradients are shortened to this 2-norm: one odd batch must not ruin a small run."""

_Tensors = tuple[Tensor, ...] | list[Tensor]


@dataclass(frozen=True)
class TrainingData:
    """What a network learns from and is chosen by.

    Attributes:
        pixels: uint8 (N, S, S, 3) RGB, memory-mapped.
        train_ids, val_ids: int64 (n,), rows of `pixels`.
        train_labels, val_labels: int64 (n,), positions in `classes`.
        classes: names.
        mean, std: per channel on the 0..1 scale.
    """

    pixels: NDArray[np.uint8]
    train_ids: NDArray[np.int64]
    train_labels: NDArray[np.int64]
    val_ids: NDArray[np.int64]
    val_labels: NDArray[np.int64]
    classes: list[str]
    mean: list[float]
    std: list[float]


def make_fabric(settings: Training) -> Fabric:
    """Set PyTorch up: device, processes (all that torchrun started), precision and threads.

    Raises:
        LandmarksError: CUDA is demanded and there is none, or a batch cannot be shared out evenly.
    """
    cuda = inference.device().type == "cuda"
    world, local = (int(os.environ.get(key, 1)) for key in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    environment.check_shares(settings.batch_size, world)
    if not cuda:
        environment.keep_memory()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    freezes = isinstance(settings, Transfer) and settings.freeze_epochs > 0
    fabric = Fabric(
        accelerator="cuda" if cuda else "cpu",
        devices=local,
        num_nodes=world // local,
        strategy=DDPStrategy(find_unused_parameters=freezes) if world > 1 else "auto",
        precision=_precision(settings, cuda),
    )
    fabric.launch()
    return fabric


def _precision(settings: Training, cuda: bool) -> Any:
    if settings.precision != "auto":
        return settings.precision
    native = computes_bf16(torch.device("cuda" if cuda else "cpu"))
    return "bf16-mixed" if native else "32-true"


class Trainer:
    """One training run, epoch by epoch."""

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        settings: Training,
        data: TrainingData,
        *,
        new: set[str] | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self.fabric, self.settings, self.data = fabric, settings, data
        self.teacher = teacher.to(fabric.device) if teacher else None
        self.plain = network.to(memory_format=torch.channels_last)
        count = settings.frozen_blocks if isinstance(settings, Transfer) else 0
        frozen = backbones.leading_blocks(network, count)
        for block in frozen:
            block.requires_grad_(False)
        thawing = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        self.pretrained = [p for n, p in thawing if new and n not in new]
        self.network = fabric.setup_module(network)
        made = make_optimizers(self.plain, settings, new)
        self.optimizers: list[Any] = [fabric.setup_optimizers(one) for one in made]
        self.average = self._average() if settings.model_ema_decay else None
        for block in frozen:
            # What never learns goes without batch norms: up to a tenth of a step of MobileNetV2.
            block.forward = inference.folded(block).forward
        self.mean = torch.tensor(data.mean, device=fabric.device)
        self.std = torch.tensor(data.std, device=fabric.device)
        photos = AugmentedPhotos(data.pixels, data.train_ids, data.train_labels, settings)
        self.batches = EpochBatches(
            len(photos),
            settings.batch_size,
            settings.seed,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
        )
        cuda = fabric.device.type == "cuda"
        workers = environment.workers(default=min(16, environment.cores()) if cuda else 0)
        self.loader = loader(photos, self.batches, workers=workers, pin_memory=cuda)
        self.mix = batch_transform(settings, len(data.classes))

    def _average(self) -> AveragedModel:
        decay = self.settings.model_ema_decay

        def blend(averages: _Tensors, currents: _Tensors, _updates: Tensor | int) -> None:
            # `_updates` lies on the device: to read it there the next step would have to wait.
            updates = int(average.n_averaged)
            # A young average follows quickly, or it would remember the random start.
            keep = min(decay, (1 + updates) / (10 + updates))
            if averages[0].is_floating_point():
                torch._foreach_mul_(averages, keep)
                torch._foreach_add_(averages, torch._foreach_mul(currents, 1 - keep))
            else:
                torch._foreach_copy_(averages, currents)

        average = AveragedModel(self.plain, multi_avg_fn=blend, use_buffers=True)
        return average

    def state(self) -> dict[str, Any]:
        """Return all that the next epoch depends on."""
        return {
            "network": self.plain.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average.state_dict() if self.average else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.plain.load_state_dict(state["network"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        if self.average:
            self.average.load_state_dict(state["average"])

    def best_candidate(self) -> nn.Module:
        """Return the network that is validated and kept: the moving average where there is one."""
        return self.average.module if self.average else self.plain

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Train for one epoch and return its mean loss and last learning rate."""
        self._freeze(epoch)
        self.batches.epoch = epoch
        total = torch.zeros((), device=self.fabric.device)
        rate = 0.0
        steps = tqdm(
            self.loader,
            desc=f"epoch {epoch + 1}/{self.settings.epochs}",
            unit="batch",
            leave=False,
            mininterval=1,
            disable=None if self.fabric.is_global_zero else True,
        )
        for step, (photos, labels) in enumerate(steps):
            rate = self._set_rate(epoch * len(self.batches) + step)
            # Dropout, mixup and stochastic depth draw from here, so a resumed run draws the same.
            torch.manual_seed(seed_of(self.settings.seed, epoch, step, self.fabric.global_rank))
            total += self._step(*self.fabric.to_device((photos, labels)))
        loss = self.fabric.all_reduce(total / len(self.batches), reduce_op="mean")
        assert isinstance(loss, Tensor)
        return {"lr": rate, "train_loss": float(loss)}

    def _step(self, photos: Tensor, labels: Tensor) -> Tensor:
        inputs = (photos.float() / 255 - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1)
        targets = labels
        if self.mix:
            inputs, targets = self.mix(inputs, labels)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        logits = self.network(inputs).float()
        loss = F.cross_entropy(logits, targets, label_smoothing=self.settings.label_smoothing)
        if self.teacher:
            with self.fabric.autocast():
                answers = self.teacher(inputs)
            loss = self.teacher.blend(loss, logits, answers)
        self.fabric.backward(loss)
        # Gradients that are no numbers show in the loss, which is checked after the epoch.
        nn.utils.clip_grad_norm_(self.plain.parameters(), MAX_GRADIENT_NORM)
        for optimizer in self.optimizers:
            optimizer.step()
        self.plain.zero_grad(set_to_none=True)
        if self.average:
            self.average.update_parameters(self.plain)
        return loss.detach()

    def _set_rate(self, step: int) -> float:
        per_epoch = len(self.batches)
        factor = lr_factor(
            step,
            warmup=round(self.settings.lr_warmup_epochs * per_epoch),
            total=self.settings.epochs * per_epoch,
        )
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
        return self.settings.lr * factor

    def _freeze(self, epoch: int) -> None:
        self.network.train()
        settings = self.settings
        frozen = isinstance(settings, Transfer) and epoch < settings.freeze_epochs
        for parameter in self.pretrained:
            parameter.requires_grad_(not frozen)
        if frozen:
            # The running statistics of a frozen backbone must not drift either.
            for part in self.plain.modules():
                if isinstance(part, NORMS):
                    part.eval()

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Return loss (nats) and accuracy of the best candidate on the validation rows."""
        network = inference.folded(self.best_candidate())
        logits = []
        for pixels in _blocks(self.data.pixels, self.data.val_ids, 2 * self.settings.batch_size):
            photos = inference.preprocess(
                pixels.to(self.fabric.device), self.settings.val_crop_size, self.mean, self.std
            )
            with self.fabric.autocast():
                logits.append(network(photos.contiguous(memory_format=torch.channels_last)).float())
        scores = torch.cat(logits).cpu()
        labels = torch.from_numpy(self.data.val_labels)
        return {
            "val_loss": float(F.cross_entropy(scores, labels)),
            "val_accuracy": float((scores.argmax(1) == labels).double().mean()),
        }


def _blocks(pixels: NDArray[np.uint8], ids: NDArray[np.int64], size: int) -> Iterator[Tensor]:
    for start in range(0, len(ids), size):
        yield torch.from_numpy(pixels[ids[start : start + size]]).permute(0, 3, 1, 2)
