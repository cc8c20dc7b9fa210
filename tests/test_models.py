"""The CNNs can be built, started from given weights, saved and loaded, or say why not."""

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from safetensors.torch import save_file

from landmarks import backbones, models, params
from landmarks.errors import LandmarksError
from landmarks.params import Transfer

CLASSES = ["00.Arch", "01.Bridge", "02.Castle"]
MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


@pytest.fixture
def transfer() -> Transfer:
    settings = params.load(ROOT / "presets/sample.yaml").train.transfer
    return settings.model_copy(update={"weights_sha256": None})


def make_weights(path: Path, name: str = "mobilenet_v3_small") -> Path:
    torch.manual_seed(5)
    state = backbones.backbone_cnn(name, 1000, input_size=64).state_dict()
    save_file({key: value for key, value in state.items() if "classifier" not in key}, path)
    return path


@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_every_backbone_answers_for_each_class(name: str) -> None:
    network = backbones.backbone_cnn(name, 7, input_size=64).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 7)


def test_an_unknown_backbone_is_refused_with_the_list() -> None:
    with pytest.raises(LandmarksError, match="mobilenet_v2.*swin_t"):
        backbones.backbone_cnn("mobilenet_v9", 7, input_size=64)


def test_scratch_has_five_stages_that_each_halve_the_photo() -> None:
    network = models.scratch_cnn(7, width=16).eval()
    sizes = []
    for part in network[0].children():
        part.register_forward_hook(lambda *call: sizes.append(call[2].shape[-1]))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 128, 128))
    assert sorted(set(sizes), reverse=True) == [64, 32, 16, 8, 4]


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    settings = params.load(ROOT / "presets/sample.yaml").train.scratch
    network, info, new = models.create(settings, CLASSES, MEAN, STD)
    assert new is None
    path = tmp_path / "weights.safetensors"
    models.save_weights(path, network.state_dict(), info)
    loaded, said = models.load_weights(path)
    photo = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(photo), network.eval()(photo))
    assert said == info and said.classes == CLASSES
    assert said.parameters == sum(p.numel() for p in loaded.parameters())
    first = path.read_bytes()
    models.save_weights(path, dict(reversed(network.state_dict().items())), info)
    assert path.read_bytes() == first


def test_pretrained_weights_are_used_and_the_head_is_new(
    tmp_path: Path, transfer: Transfer
) -> None:
    path = make_weights(tmp_path / "backbone.safetensors")
    given = transfer.model_copy(update={"weights": str(path)})
    network, _, new = models.create(given, CLASSES, MEAN, STD)
    torch.manual_seed(5)
    origin = backbones.backbone_cnn("mobilenet_v3_small", 1000, input_size=64)
    kernel = "features.3.block.0.0.weight"
    assert torch.equal(network.state_dict()[kernel], origin.state_dict()[kernel])
    assert new and all(name.startswith("classifier.") for name in new)
    assert "classifier.3.1.weight" in new


def test_a_released_cnn_is_a_start_for_other_classes(tmp_path: Path, transfer: Transfer) -> None:
    given = transfer.model_copy(update={"weights": str(make_weights(tmp_path / "a.safetensors"))})
    released, info, _ = models.create(given, CLASSES, MEAN, STD)
    path = tmp_path / "released.safetensors"
    models.save_weights(path, released.state_dict(), info)
    again = transfer.model_copy(update={"weights": str(path)})
    network, _, new = models.create(again, ["Mill", "Gate"], MEAN, STD)
    kernel = "features.3.block.0.0.weight"
    assert torch.equal(network.state_dict()[kernel], released.state_dict()[kernel])
    assert new == {"classifier.3.1.weight", "classifier.3.1.bias"}


def test_a_changed_weights_file_is_refused(tmp_path: Path, transfer: Transfer) -> None:
    path = make_weights(tmp_path / "backbone.safetensors")
    recorded = hashlib.sha256(path.read_bytes()).hexdigest()
    make = transfer.model_copy(update={"weights": str(path), "weights_sha256": recorded})
    models.create(make, CLASSES, MEAN, STD)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(LandmarksError, match="weights_sha256"):
        models.create(make, CLASSES, MEAN, STD)


def test_weights_of_another_architecture_are_refused(tmp_path: Path, transfer: Transfer) -> None:
    path = make_weights(tmp_path / "backbone.safetensors", "resnet18")
    with pytest.raises(LandmarksError, match="do not fit mobilenet_v3_small"):
        models.create(transfer.model_copy(update={"weights": str(path)}), CLASSES, MEAN, STD)


def test_weights_of_another_kind_are_refused_by_a_vision_transformer(
    tmp_path: Path, transfer: Transfer
) -> None:
    path = make_weights(tmp_path / "backbone.safetensors")
    given = {"weights": str(path), "backbone": "vit_b_16"}
    with pytest.raises(LandmarksError, match="do not fit vit_b_16"):
        models.create(transfer.model_copy(update=given), CLASSES, MEAN, STD)


class Payload:
    """What unpickling must never run."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, transfer: Transfer) -> None:
    trap, path = tmp_path / "trap", tmp_path / "evil.pth"
    for save in (torch.save, lambda value, to: Path(to).write_bytes(pickle.dumps(value))):
        save({"weight": Payload(trap)}, path)
        with pytest.raises(LandmarksError, match="not a plain state dict"):
            models.create(transfer.model_copy(update={"weights": str(path)}), CLASSES, MEAN, STD)
        assert not trap.exists()


def test_missing_and_damaged_weights_are_said(tmp_path: Path, transfer: Transfer) -> None:
    path = tmp_path / "none.pth"
    with pytest.raises(LandmarksError, match="no weights file"):
        models.create(transfer.model_copy(update={"weights": str(path)}), CLASSES, MEAN, STD)
    with pytest.raises(LandmarksError, match="no weights file"):
        models.load_weights(path)
    path.write_bytes(b"not safetensors")
    with pytest.raises(LandmarksError, match="damaged"):
        models.load_weights(path)


def test_the_shared_imagenet_weights_fit(shared: Path, transfer: Transfer) -> None:
    given = {
        "backbone": "mobilenet_v2",
        "weights": str(shared / "weights/mobilenet_v2_imagenet.pth"),
        "weights_sha256": "69bd74cfdf906d023578b0892dd067939a45e62d8b0d9262e8a4bc12ac5cf2d3",
    }
    _, info, new = models.create(transfer.model_copy(update=given), CLASSES, MEAN, STD)
    assert new == {"classifier.1.1.weight", "classifier.1.1.bias"}
    assert info.architecture == "mobilenet_v2"
