"""The sample's backbone: small, fitting its architecture, and made from other pictures."""

import json
from pathlib import Path

from safetensors import safe_open

from landmarks import backbones, files, params
from landmarks.data.sample import LANDMARKS
from tools.pretrain_sample_backbone import buildings

ROOT = Path(__file__).resolve().parents[1]
BACKBONE = ROOT / "presets/backbones/sample.safetensors"


def test_backbone_is_the_one_that_the_preset_names_and_fits_in_git() -> None:
    settings = params.load(ROOT / "presets/sample.yaml").train.transfer
    assert ROOT / settings.weights == BACKBONE
    assert settings.weights_sha256 in (None, files.sha256(BACKBONE))
    assert BACKBONE.stat().st_size <= 5_000_000


def test_backbone_fits_its_architecture_but_for_the_classifier() -> None:
    network = backbones.backbone_cnn("mobilenet_v3_small", 16, input_size=96)
    new = backbones.load_pretrained(network, "mobilenet_v3_small", str(BACKBONE), None)
    assert new
    assert all(name.startswith("classifier.") for name in new)


def test_backbone_says_what_it_is() -> None:
    with safe_open(BACKBONE, framework="pt") as file:
        facts = json.loads(file.metadata()["backbone"])
    assert facts["architecture"].startswith("torchvision mobilenet_v3_small")
    assert facts["held_out_accuracy"] > 0.5
    assert facts["buildings"] == len(buildings())


def test_backbone_never_saw_the_sample_s_landmarks() -> None:
    seen = {(shot.design, str(shot.seed)) for shot in buildings()}
    assert not seen & {(landmark.design, str(landmark.seed)) for landmark in LANDMARKS}
    assert not any(str(seed).startswith("other/") for _, seed in seen)
