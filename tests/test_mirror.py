"""`calibrate.mirror`: an export that looks at each photo and at its mirror image."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from small_project import picture, project
from torch import nn

from landmarks import card, catalogue, export, models
from landmarks.predictor import RUNTIMES, Predictor, Runtime

ORIGIN = export.Origin(invented=False, data={}, params="")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mirror"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bool, Path]:
    """Whether the mirror is on, and the folder of the export."""
    small, folder = project(), tmp_path_factory.mktemp("export")
    places = catalogue.load(small.folder / "catalogue.csv")
    parts = small.parts(mirror=request.param)
    export.export_cnn(parts, places, small.photos, ORIGIN, folder)
    return request.param, folder


def largest_difference(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    return float(np.abs(one - two).max())


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_photo_and_its_mirror_image_get_one_answer(
    exported: tuple[bool, Path], runtime: Runtime
) -> None:
    mirrored, folder = exported
    predictor = Predictor.load(folder, runtime)
    # 40 pixels wide, as the network takes them, so that nothing but the mirror turns it round.
    photos = np.stack([np.asarray(picture(label, 90).resize((40, 40))) for label in range(4)])
    one, two = predictor.outputs(photos), predictor.outputs(photos[:, :, ::-1])
    apart = largest_difference(one.probabilities, two.probabilities)
    scores_apart = largest_difference(one.known_score, two.known_score)
    if mirrored:
        assert apart < 1e-5 and scores_apart < 1e-4
    else:
        assert apart > 1e-3, "without a mirror these photos are answered differently"


def test_the_onnx_file_holds_the_network_once(exported: tuple[bool, Path]) -> None:
    """A second copy would double the time of an export, and keep batch norms from being folded."""
    nodes = Counter(node.op_type for node in onnx.load(exported[1] / card.ONNX).graph.node)
    network = models.load_weights(project().weights)[0]
    assert nodes["Conv"] == sum(isinstance(part, nn.Conv2d) for part in network.modules())
    assert not nodes["BatchNormalization"]
