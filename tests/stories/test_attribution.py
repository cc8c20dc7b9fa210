"""Somebody learns whose photos a model was made from, and takes some out by their licence."""

import csv
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from small_report import Page
from stories.clone import Clone
from stories.repro import repro

from landmarks import files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("warm")]

BY_SA, BY_NC = (f"https://creativecommons.org/licenses/{kind}/3.0/" for kind in ("by-sa", "by-nc"))


def write_authors(clone: Clone, path: Path) -> None:
    """Write a table as Google Landmarks has it: of all photos but the first, and of others."""
    photos = pd.read_csv(clone.folder / "data/photos/photos.csv", dtype=str)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "url", "author", "license", "title"])
        for number, place in enumerate(photos["path"][1:], start=1):
            licence = BY_NC if number % 10 == 0 else BY_SA
            address = f"https://photos.example/{number}"
            writer.writerow([place, address, f"Author {number % 7}", licence, f"No. {number}"])
        writer.writerow(["ffffffffffffffff", "", "Somebody else", BY_SA, ""])


def test_authors_come_to_the_report_and_the_model_and_licences_go(
    built: Clone, tmp_path: Path
) -> None:
    clone = built.copy(tmp_path / "clone")
    write_authors(clone, tmp_path / "authors.csv")
    authors = f"attribution: {tmp_path / 'authors.csv'}\n"
    path = clone.folder / "params.yaml"
    path.write_text(path.read_text().replace("attribution: null\n", authors, 1))

    # Whose the photos are is told anew; no archive is made, no photo decoded, nothing learned.
    # (One CNN's export shows it; the others would take as long again.)
    model = clone.folder / "models/scratch"
    before = files.sha256(model / "landmarks.onnx")
    assert repro(clone, "export@scratch") == ["attribution", "split", "export@scratch"]
    assert files.sha256(model / "landmarks.onnx") == before

    split = pd.read_csv(clone.folder / "data/split.csv")
    train = split.index[split["role"] == "train"]
    nc = sum(row % 10 == 0 and row > 0 for row in train)
    counts = {"CC BY-NC 3.0": nc, "CC BY-SA 3.0": len(train) - nc - (0 in train)}
    counts |= {"unknown": 1} if 0 in train else {}
    card = json.loads((model / "model.json").read_text())
    assert card["learned_from"] == {"photos": len(train), "authors": 7, "licences": counts}
    clone.python("stages.report")
    page = Page((clone.folder / "metrics/report.html").read_text(encoding="utf-8"))
    assert len([one for one in page.ids if one.startswith("credit-")]) > 40
    inner = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)

    # Without the photos that no shop may use.
    path.write_text(path.read_text().replace("licences: []", "licences: [CC BY-NC*, MIT]", 1))
    said = clone.python("stages.split").stdout
    gone = pd.read_csv(clone.folder / "data/split.csv").query("role == 'dropped'")
    assert set(gone["id"]) >= {row for row in range(1, len(split)) if row % 10 == 0}
    assert re.search(r"\d+ licence excluded: `CC BY-NC\*`", said)
    assert "note: no photo has a licence like `MIT` of split.exclude_licences; they have: " in said
