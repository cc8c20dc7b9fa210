"""`exemplars`: a model that compares a photo with the train photos, too."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_project import picture, project
from torch import nn

from landmarks import card, catalogue, exemplars, export, params, unknown
from landmarks.data.roles import rows
from landmarks.predictor import RUNTIMES, Predictor, Runtime

PRESET = Path(__file__).resolve().parents[1] / "presets/sample.yaml"
CLASSES, SIZE, PHOTOS = 3, 12, 150
FRONT, BACK = 6, 7
"""Features that two views of the first landmark have; the classifier knows the front alone."""


def features_of(labels: np.ndarray, seed: int) -> np.ndarray:
    """One feature for each class; every other photo of the first class shows its back."""
    random = np.random.default_rng(seed)
    found = random.normal(0, 1, (len(labels), SIZE))
    found[np.arange(len(labels)), labels] += 2
    back = (labels == 0) & (np.arange(len(labels)) % 2 == 0)
    found[:, FRONT] += 6 * ((labels == 0) & ~back)
    found[:, BACK] += 6 * back
    return found.astype(np.float32)


def classifier() -> nn.Linear:
    linear = nn.Linear(SIZE, CLASSES)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(CLASSES, SIZE))
        linear.weight[0, FRONT] = 1
        linear.bias.copy_(torch.tensor([-1.5, 0, 0]))
    return linear


def exemplars_of(features: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return unknown.class_statistics(
        features, labels.numpy(), int(labels.max()) + 1, keep_photos=True
    )


def accuracy(*, exemplars: bool) -> float:
    labels = np.arange(PHOTOS) % CLASSES
    fitted = unknown.fit(
        np.concatenate([features_of(labels, 1), features_of(labels, 2)]),
        classifier(),
        unknown.Photos(labels, np.empty(0, str), labels),
        params.load(PRESET).calibrate,
        keep_photos=exemplars,
        bins=15,
    )
    return fitted.figures["accuracy"]


def test_a_view_that_train_photos_show_and_the_classifier_missed_is_named() -> None:
    assert accuracy(exemplars=True) > accuracy(exemplars=False) + 0.05


def test_what_varies_within_classes_hides_no_class() -> None:
    """Light and weather change photos more than the landmark does; photos still find their like."""
    random = np.random.default_rng(5)
    truth = np.arange(2 * PHOTOS) % 2
    noise = random.normal(0, 0.1, (len(truth), 400))
    weather = random.normal(0, 10, (len(truth), 4))
    features = torch.from_numpy(np.c_[noise, weather, 4 * truth]).float()
    labels = torch.from_numpy(truth)
    kept = exemplars_of(features[:PHOTOS], labels[:PHOTOS])
    indifferent = nn.Linear(features.shape[1], 2).requires_grad_(False)
    indifferent.weight.zero_()
    indifferent.bias.zero_()
    named = exemplars.with_exemplars(indifferent, kept)(features[PHOTOS:]).argmax(dim=1)
    assert (named == labels[PHOTOS:]).double().mean() > 0.9


def test_few_photos_are_compared_in_no_direction_that_they_do_not_have() -> None:
    """Features turned alike, photos and classifier, leave every answer as it was."""
    labels = torch.arange(36) % CLASSES
    drawn = torch.Generator().manual_seed(3)
    here, new = (torch.randn(photos, 200, generator=drawn) for photos in (36, 50))
    linear = nn.Linear(200, CLASSES)
    turn, _ = torch.linalg.qr(torch.randn(200, 200, generator=drawn))
    turned = nn.Linear(200, CLASSES)
    with torch.no_grad():
        turned.weight.copy_(linear.weight @ turn)
        turned.bias.copy_(linear.bias)
        before, after = (
            exemplars.with_exemplars(classifier, exemplars_of(kept, labels))(asked).softmax(dim=1)
            for classifier, kept, asked in ((linear, here, new), (turned, here @ turn, new @ turn))
        )
    torch.testing.assert_close(before, after, atol=1e-4, rtol=0)


def test_photos_that_are_all_alike_are_no_error() -> None:
    labels = torch.arange(6) % CLASSES
    kept = exemplars_of(torch.ones(6, SIZE), labels)
    module = exemplars.with_exemplars(classifier(), kept)
    with torch.inference_mode():
        assert torch.isfinite(module(torch.ones(2, SIZE))).all()


def test_no_photo_rules_a_class_out() -> None:
    """A stranger lies far from all photos; what the classifier says of it must still count."""
    labels = torch.arange(PHOTOS) % CLASSES
    linear = classifier()
    kept = exemplars_of(torch.from_numpy(features_of(labels.numpy(), 1)), labels)
    module = exemplars.with_exemplars(linear, kept)
    strangers = torch.from_numpy(features_of(labels.numpy(), 3)) * -5
    with torch.inference_mode():
        moved = module(strangers) - linear(strangers)
    assert torch.isfinite(moved).all()
    assert moved.min() >= np.log(exemplars.LEAST) - 1e-4 and moved.max() <= 0


def test_of_many_photos_as_many_of_each_class_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemplars, "MOST", 30)
    labels = torch.tensor([0] * 100 + [1] * 11 + [2] * 4)
    features = torch.from_numpy(features_of(labels.numpy(), 1))
    shares = exemplars_of(features, labels)["exemplar_shares"]
    assert (shares > 0).sum(dim=0).tolist() == [10, 10, 4]
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(CLASSES))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Folders of an export without exemplars, and of one with them."""
    small = project()
    places = catalogue.load(small.folder / "catalogue.csv")
    origin = export.Origin(invented=False, data={}, params="")
    folders = {}
    for wanted in (False, True):
        folders[wanted] = tmp_path_factory.mktemp("export")
        parts = small.parts(exemplars=wanted)
        export.export_cnn(parts, places, small.photos, origin, folders[wanted])
    return folders


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_export_answers_with_exemplars(exported: dict[bool, Path], runtime: Runtime) -> None:
    photos = np.stack([np.asarray(picture(label, 90).resize((40, 40))) for label in range(4)])
    without, beside = (
        Predictor.load(exported[wanted], runtime).outputs(photos).probabilities
        for wanted in (False, True)
    )
    trained = len(rows(project().photos.split, "train"))
    assert [card.read(exported[wanted]).exemplars for wanted in (False, True)] == [0, trained]
    np.testing.assert_allclose(beside.sum(axis=1), 1, atol=1e-5)
    assert np.abs(beside - without).max() > 1e-3
    assert (beside.argmax(axis=1) == np.arange(4)).all()
