"""Somebody takes the answers home."""

import csv
import io
import json
import zipfile
from pathlib import Path

import page_visit as visit
import pytest
from page_visit import GREEN, GREY, RED, upload
from playwright.sync_api import Download, Page, expect

from landmarks.predictor import Predictor
from landmarks.tagging import packet
from landmarks.tagging.places import Position


def saved(page: Page, title: str) -> tuple[str, bytes]:
    """Download what a button offers."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=title, exact=True).click()
    download: Download = waiting.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def test_answers_are_downloaded_as_csv_json_and_xmp(page: Page, real: Path) -> None:
    upload(page, ("uluru.png", visit.photo(RED)), ("fog.png", visit.photo(GREY)))
    page.get_by_role("button", name="Download").click()
    name, content = saved(page, "CSV table")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert name == "landmarks.csv"
    assert [(row["path"], row["decision"]) for row in rows] == [
        ("uluru.png", "named"),
        ("fog.png", "unknown"),
    ]
    said = Predictor.load(real / "model").predict(visit.photo(RED))
    assert float(rows[0]["confidence"]) == pytest.approx(said.best.confidence, abs=1e-4)
    assert rows[0]["guess_1"] == "00.Red rock" and rows[0]["latitude"] == "-25.3444"
    name, content = saved(page, "JSON")
    assert name == "landmarks.json"
    assert [row["class"] for row in json.loads(content)] == ["00.Red rock", rows[1]["class"]]
    name, content = saved(page, "XMP sidecars")
    assert name == "uluru.png.xmp"
    assert packet.position_in(content) == pytest.approx(Position(-25.3444, 131.0369))
    assert b"Places|Australia|Alice|Red Rock" in content


def test_sidecars_of_several_photos_come_in_one_archive(page: Page) -> None:
    upload(page, ("../a.png", visit.photo(RED)), ("a.png", visit.photo(GREEN)))
    page.get_by_role("button", name="Download").click()
    name, content = saved(page, "XMP sidecars")
    assert name == "landmarks-xmp.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["a.png.xmp", "a (2).png.xmp"]
        assert b"Green Valley" in archive.read("a (2).png.xmp")


def test_without_a_sure_name_there_is_no_sidecar(page: Page) -> None:
    upload(page, ("fog.png", visit.photo(GREY)))
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_role("button", name="XMP sidecars", exact=True)).to_be_disabled()
