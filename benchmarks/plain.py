"""The training loop of a tutorial: what `benchmarks.rivals` measures the two CNNs against."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from tqdm import tqdm

from landmarks import backbones, environment, inference
from landmarks.checkpoint import Checkpoint
from landmarks.data.roles import class_names, labels, rows
from landmarks.optimization import computes_bf16

SIZE, CROP, BATCH = 256, 224, 32
"""Photos are stored at 256 pixels; networks see 224 of them."""
SEED = 1


@dataclass(frozen=True)
class Photos:
    """The photos of one archive, decoded at `SIZE`, and their roles as the pipeline gives them."""

    pixels: NDArray[np.uint8]
    split: pd.DataFrame

    def of(self, role: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows and the labels of a role."""
        ids = rows(self.split, role)
        return ids, labels(self.split, ids)

    @property
    def classes(self) -> int:
        return len(class_names(self.split))


class Augmented(Dataset[tuple[Tensor, int]]):
    """Train photos as the course augments them: crop 224 of 256, mirror image, RandAugment."""

    def __init__(self, photos: Photos) -> None:
        self.pixels = photos.pixels
        self.ids, self.labels = photos.of("train")
        self.change = v2.Compose([v2.RandomCrop(CROP), v2.RandomHorizontalFlip(), v2.RandAugment()])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        photo = torch.from_numpy(np.array(self.pixels[self.ids[position]])).permute(2, 0, 1)
        return self.change(photo), int(self.labels[position])


def course_cnn(classes: int) -> nn.Sequential:
    """Build five convolution blocks with max-pooling, two linear layers, dropout."""
    torch.manual_seed(SEED)
    layers: list[nn.Module] = []
    widths = (3, 32, 64, 128, 256, 512)
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    side = CROP // 2 ** (len(widths) - 1)
    layers += [nn.Flatten(), nn.Dropout(0.5), nn.Linear(widths[-1] * side * side, 512)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, classes))


@dataclass(frozen=True)
class Recipe:
    """A plain training: Adam and the one-cycle schedule of PyTorch, best weights by validation."""

    epochs: int
    lr: float
    frozen: bool = False


class PlainTraining:
    """The loop of a tutorial, with a checkpoint after each epoch."""

    def __init__(self, network: nn.Module, photos: Photos, how: Recipe, scale: Any) -> None:
        self.where = inference.device()
        self.network = network.to(self.where).to(memory_format=torch.channels_last)
        self.photos, self.how = photos, how
        self.mean, self.std = (
            torch.tensor(part, device=self.where).view(1, 3, 1, 1) for part in scale
        )
        head = backbones.head_name(network).rpartition(".")[0]
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not how.frozen or name.startswith(head))
        learning = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(learning, lr=how.lr)
        workers = min(16, environment.cores()) if self.where.type == "cuda" else 0
        data = Augmented(photos)
        self.loader = DataLoader(data, BATCH, shuffle=True, drop_last=True, num_workers=workers)
        steps = max(2, how.epochs * len(self.loader))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, how.lr, steps)

    def logits(self, pixels: Tensor) -> Tensor:
        """Return logits of uint8 (N, 3, 224, 224), in bf16 where the processor has it."""
        inputs = (pixels.to(self.where).float() / 255 - self.mean) / self.std
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.where.type, torch.bfloat16, enabled=computes_bf16(self.where)):
            scores: Tensor = self.network(inputs)
        return scores.float()

    def epoch(self, number: int) -> None:
        """Train once on every photo."""
        torch.manual_seed(SEED * 1000 + number)
        self.network.train(not self.how.frozen)
        for pixels, targets in tqdm(self.loader, leave=False, desc=f"epoch {number + 1}"):
            loss = F.cross_entropy(self.logits(pixels), targets.to(self.where))
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.schedule.step()

    @torch.inference_mode()
    def accuracy(self, role: str) -> tuple[int, int]:
        """Return how many photos of a role are named rightly, whole at 224 pixels, and n."""
        self.network.eval()
        ids, truth = self.photos.of(role)
        right = 0
        for pixels, targets in zip(blocks(self.photos, ids), batches(truth), strict=True):
            right += int((self.logits(pixels).argmax(1).cpu().numpy() == targets).sum())
        return right, len(ids)

    def state(self) -> dict[str, Any]:
        """Return what the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def fit(self, checkpoint: Checkpoint) -> float:
        """Train, keep the best weights by validation, and return the minutes that it took."""
        saved = checkpoint.load() or {"epoch": 0, "best": -1, "weights": {}, "seconds": 0.0}
        if saved["epoch"]:
            self.network.load_state_dict(saved["network"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.schedule.load_state_dict(saved["schedule"])
        for number in range(saved["epoch"], self.how.epochs):
            started = time.perf_counter()
            self.epoch(number)
            right, n = self.accuracy("val")
            if right > saved["best"]:
                saved |= {"best": right, "weights": _copy(self.network)}
            saved["seconds"] += time.perf_counter() - started
            saved["epoch"] = number + 1
            checkpoint.save(saved | self.state())
            print(f"  epoch {number + 1}/{self.how.epochs}: validation {right / n:.1%}", flush=True)
        self.network.load_state_dict(saved["weights"])
        return float(saved["seconds"]) / 60


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}


def batches(ids: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield 64 at a time."""
    for start in range(0, len(ids), 64):
        yield ids[start : start + 64]


def blocks(photos: Photos, ids: NDArray[np.int64]) -> Iterator[Tensor]:
    """Yield whole photos at 224 pixels, uint8 (N, 3, 224, 224)."""
    resize = v2.Resize((CROP, CROP), antialias=True)
    for chosen in batches(ids):
        yield resize(torch.from_numpy(photos.pixels[chosen]).permute(0, 3, 1, 2))
