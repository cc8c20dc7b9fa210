"""A network learns from what another one answers, beside its labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import settings_with, stripes
from torch import Tensor, nn

from landmarks import fitting, models, training
from landmarks.checkpoint import Checkpoint
from landmarks.distillation import Teacher
from landmarks.errors import LandmarksError

TAUGHT = {"epochs": 8, "lr_warmup_epochs": 2}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network that tells the stripes apart."""
    folder = tmp_path_factory.mktemp("teacher")
    fitted, info = fit(stripes(), folder)
    assert fitted.history[fitted.best_epoch]["val_accuracy"] > 0.8
    models.save_weights(folder / "weights.safetensors", fitted.state, info)
    return folder / "weights.safetensors"


def fit(
    data: training.TrainingData, state: Path, teacher: Path | None = None, share: float = 1.0
) -> tuple[fitting.Fitted, models.ModelInfo]:
    settings = settings_with("scratch", **TAUGHT)
    fabric = training.make_fabric(settings)
    network, info, _ = models.create(settings, data.classes, data.mean, data.std)
    asked = Teacher(teacher, info, share=share, temperature=2.0) if teacher else None
    trainer = training.Trainer(fabric, network, settings, data, teacher=asked)
    return fitting.fit(trainer, Checkpoint("t", "0" * 64, state)), info


def mislabelled() -> training.TrainingData:
    """Return the stripes with labels of train photos that say nothing."""
    data = stripes()
    drawn = np.random.default_rng(3).permutation(data.train_labels)
    return replace(data, train_labels=drawn)


@pytest.mark.parametrize(("share", "least", "most"), [(1.0, 0.8, 1.0), (0.0, 0.0, 0.6)])
def test_a_student_learns_what_its_labels_do_not_say(
    teacher: Path, tmp_path: Path, share: float, least: float, most: float
) -> None:
    fitted, _ = fit(mislabelled(), tmp_path, teacher, share)
    assert least < fitted.history[-1]["val_accuracy"] <= most


def test_a_teacher_is_asked_at_the_size_that_it_knows(teacher: Path) -> None:
    """Validated on 32 pixels beside a student of 64, a teacher sees crops half as wide.

    A crop of 137 pixels cost scratch 8 points of 83: a last map of five cells a side shows a fifth
    row and column of padding. So a side is a multiple of 32.
    """
    info = models.load_weights(teacher)[1]
    seen: list[tuple[int, ...]] = []

    def sides(student: int, *, crop: int) -> list[tuple[int, ...]]:
        other = info.model_copy(update={"input_size": student})
        asked = Teacher(teacher, other, share=1.0, temperature=1.0)

        def note(_network: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            seen.append(tuple(arguments[0].shape))

        asked.network.register_forward_pre_hook(note)
        seen.clear()
        asked(torch.zeros(2, 3, crop, crop))
        return seen

    assert sides(64, crop=128) == sides(64, crop=144) == [(2, 3, 64, 64)]
    assert sides(64, crop=48) == [(2, 3, 32, 32)]
    assert sides(36, crop=40) == [(2, 3, 32, 32)]
    assert sides(36, crop=56) == [(2, 3, 56, 56)]
    assert sides(32, crop=48) == sides(24, crop=48) == [(2, 3, 48, 48)]


def test_a_teacher_answers_as_its_network_does_and_learns_nothing(teacher: Path) -> None:
    network, info = models.load_weights(teacher)
    torch.manual_seed(5)
    crops = torch.randn(4, 3, 32, 32)
    asked = Teacher(teacher, info, share=0.7, temperature=4.0)
    with torch.inference_mode():
        expected = torch.softmax(network(crops) / 4, 1)
    torch.testing.assert_close(asked(crops), expected, atol=1e-4, rtol=0)
    assert not any(parameter.requires_grad for parameter in asked.parameters())


def test_who_answers_as_the_teacher_is_left_alone_at_any_temperature(teacher: Path) -> None:
    """No gradient where both agree; elsewhere one of much the same size, as Hinton et al. show."""
    info = models.load_weights(teacher)[1]
    torch.manual_seed(5)
    told, own = torch.randn(2, 8, len(info.classes)) * 0.5
    sizes = []
    for temperature in (5.0, 50.0):
        asked = Teacher(teacher, info, share=1.0, temperature=temperature)
        answers = (told / temperature).softmax(1)
        for logits, agree in ((told, True), (own, False)):
            learner = logits.clone().requires_grad_()
            asked.blend(torch.tensor(9.0), learner, answers).backward()
            assert learner.grad is not None
            assert (learner.grad.abs().max() < 1e-5) == agree
            sizes.append(float(learner.grad.norm()))
    assert 0.8 < sizes[1] / sizes[3] < 1.25


def test_a_teacher_of_other_landmarks_is_refused(teacher: Path, tmp_path: Path) -> None:
    info = models.load_weights(teacher)[1]
    other = info.model_copy(update={"classes": ["a", "b", "c"]})
    with pytest.raises(LandmarksError, match=r"weights\.safetensors was trained on other photos"):
        Teacher(teacher, other, share=1.0, temperature=1.0)
