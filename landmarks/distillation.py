"""What a trained network answers about a crop, for another one to learn from.

Knowledge distillation (Hinton, Vinyals and Dean 2015, arXiv:1503.02531): the teacher's answer says
which landmarks a crop could show, where its label names one, and is wrong at times. The teacher is
asked about the very crops that the student sees (Beyer et al. 2022, arXiv:2106.05237).
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landmarks import inference, models
from landmarks.errors import LandmarksError
from landmarks.models import ModelInfo

STRIDE = 32
"""Pixels of a crop's side for each cell of a CNN's last map. A side that is a little beyond a
multiple adds a row and a column of hardly anything but padding."""


class Teacher(nn.Module):
    """A trained network that another one learns from.

    What a crop shows must have the size that the teacher knows, so a crop gets to it as much
    smaller as its photos were in validation, beside the student's, to the nearest multiple of
    `STRIDE`. None is made larger.

    Args:
        weights: a file that `models.save_weights` wrote.
        student: what describes the network that learns.
        share: of the loss that is the teacher's; labels have the rest.
        temperature: by which logits are divided; more than 1 makes answers softer.

    Raises:
        LandmarksError: the file is missing or damaged, or its network knows other classes or photos
            of another mean or standard deviation than the student.
    """

    def __init__(
        self, weights: str | Path, student: ModelInfo, *, share: float, temperature: float
    ) -> None:
        super().__init__()
        network, info = models.load_weights(weights)
        if (info.classes, info.mean, info.std) != (student.classes, student.mean, student.std):
            raise LandmarksError(
                f"{weights} was trained on other photos, so it cannot teach",
                hint="Run `dvc repro`: it trains that network on these photos first.",
            )
        self.share, self.temperature = share, temperature
        self.scale = min(1.0, info.input_size / student.input_size)
        network = inference.folded(network).to(memory_format=torch.channels_last)
        self.network = network.requires_grad_(False)

    @torch.no_grad()
    def forward(self, crops: Tensor) -> Tensor:
        """Map crops, float32 (N, 3, s, s), normalised, to probabilities, float32 (N, C)."""
        if self.scale < 1:
            cells = max(1, round(crops.shape[-1] * self.scale / STRIDE))
            side = min(cells * STRIDE, crops.shape[-1])
            crops = F.interpolate(
                crops, [side, side], mode="bilinear", align_corners=False, antialias=True
            )
        logits = self.network(crops.contiguous(memory_format=torch.channels_last)).float()
        return (logits / self.temperature).softmax(dim=1)

    def blend(self, loss: Tensor, logits: Tensor, answers: Tensor) -> Tensor:
        """Return the loss of labels and teacher together.

        Args:
            loss: float32 (), the cross-entropy with the labels.
            logits: float32 (N, C), the student's.
            answers: float32 (N, C), what `forward` returned for the same crops.
        """
        taught = F.cross_entropy(logits / self.temperature, answers)
        # The square keeps the size of the gradients, whatever the temperature (Hinton et al.).
        return (1 - self.share) * loss + self.share * self.temperature**2 * taught
