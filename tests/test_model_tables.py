"""The tables of docs/choices.md are those that the code, torchvision and one run of times give."""

import re
from pathlib import Path

import pytest

from landmarks import files, models, params
from landmarks.errors import LandmarksError
from tools.model_tables import CLASSES, MEASURED, PRESET, backbone_table, layer_table

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def cells(table: str) -> list[list[str]]:
    """Return the rows of a Markdown table below its head."""
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_the_page_holds_both_tables() -> None:
    page = (ROOT / "docs/choices.md").read_text(encoding="utf-8")
    assert layer_table(params.load(ROOT / PRESET).train.scratch, CLASSES) in page
    assert backbone_table(files.read_json(ROOT / MEASURED)["architectures"]) in page


def test_layers_add_up_to_the_network() -> None:
    settings = params.load(ROOT / PRESET).train.scratch.model_copy(update={"val_crop_size": 64})
    *layers, whole = cells(layer_table(settings, 7))
    network = models.scratch_cnn(7, width=settings.width)
    counts = [int(row[3].replace(",", "")) for row in layers]
    assert len(layers) == 1 + sum(models.STAGE_DEPTHS) + 1
    assert sum(counts) == sum(parameter.numel() for parameter in network.parameters())
    assert layers[0][1:3] == ["32 × 32", "16"] and layers[-2][1:3] == ["2 × 2", "384"]
    operations = sum(float(row[4]) for row in layers)
    assert operations == pytest.approx(float(whole[-1].strip()), abs=0.005)
    # The stem: three channels to sixteen, nine positions, two operations, at 32 x 32 places.
    assert float(layers[0][4]) == pytest.approx(3 * 16 * 9 * 2 * 32 * 32 / 1e9, abs=0.0005)


def test_times_are_ratios_to_one_backbone_and_accuracy_is_torchvision_s() -> None:
    one = {"parameters": 2e6, "gflops": 0.6, "milliseconds": 8.0}
    slow = {"parameters": 2e7, "gflops": 8.0, "milliseconds": 100.0}
    table = backbone_table({"mobilenet_v2": one, "efficientnet_v2_s": slow, "scratch": one})
    assert cells(table) == [
        ["`mobilenet_v2`", "72.2", "224", "14", "2.0", "0.60", "1.0"],
        ["`efficientnet_v2_s`", "84.2", "384", "83", "20.0", "8.00", "12.5"],
    ]
    with pytest.raises(LandmarksError, match="mobilenet_v2 was not timed"):
        backbone_table({"efficientnet_v2_s": slow})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert "://" in target or (page.parent / target).exists(), target
