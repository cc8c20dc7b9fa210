"""What a model card says of the photos that a model learned from, and what it may not say."""

from pathlib import Path
from typing import Any

import pytest
from small_export import write_export

from landmarks import card
from landmarks.errors import LandmarksError
from landmarks.files import read_json, write_json

KNOWN = {"photos": 5, "authors": 2, "licences": {"CC BY-SA 3.0": 4, "unknown": 1}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("model") / "landmarks")


def told(folder: Path, learned_from: dict[str, Any]) -> card.ModelCard:
    tree = read_json(folder / card.CARD)
    write_json(folder / card.CARD, {**tree, "learned_from": learned_from})
    return card.read(folder)


def test_a_card_of_before_says_nothing(folder: Path) -> None:
    assert "learned_from" not in read_json(folder / card.CARD)
    assert card.read(folder).learned_from is None


def test_photos_are_counted_by_licence(folder: Path) -> None:
    found = told(folder, KNOWN).learned_from
    assert found and found.licences["CC BY-SA 3.0"] == 4
    assert told(folder, KNOWN).to_json()["learned_from"] == KNOWN


@pytest.mark.parametrize(
    "wrong",
    [
        {"photos": 6},
        {"licences": {}},
        {"licences": {"MIT": 5, "unknown": 0}},
        {"authors": -1},
        {"licences": ["MIT"]},
    ],
)
def test_counts_that_cannot_be_are_damage(folder: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(LandmarksError, match=r"model\.json is damaged: learned_from"):
        told(folder, KNOWN | wrong)
