"""The benchmark asks both services the same, and counts what they answer."""

import asyncio
from pathlib import Path

import pytest
from served import service
from small_export import write_export
from tag_folder import BLUE, GREEN, RED, photo

from benchmarks import serving, serving_load


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, colour in enumerate((RED, GREEN, BLUE)):
        (folder / f"{number}.jpg").write_bytes(photo(colour))
    return folder


@pytest.mark.slow
def test_the_table_compares_both_on_the_same_photos(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(serving, "best_rival", lambda *given: 1)
    monkeypatch.setattr(serving, "_WARM_UP", 0.1)
    serving.compare(write_export(tmp_path / "model"), photos, [2], 0.5)
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:4]]
    assert [row[0] for row in rows] == ["rival, 1 torch threads", "landmarks serve"]
    rates, ratios = [float(row[2]) for row in rows], [float(row[3]) for row in rows]
    assert ratios[0] == 1 and abs(ratios[1] - rates[1] / rates[0]) < 0.2 * ratios[1]
    assert all(float(row[6]) > 0 and row[8] == "none" for row in rows)
    assert lines[-1] == "the same name for 3 of 3 photos"


def test_what_is_refused_is_counted_and_no_photo(photos: Path) -> None:
    with service(rate_per_minute=1, rate_burst=2) as served:
        found = asyncio.run(serving_load.run(served.url, photos, 3, 1.0))
        answered = served.metric("landmarks_photos_total")
    assert found["answered"] == answered and found["names"]
    statuses = found["statuses"]
    assert isinstance(statuses, dict) and set(statuses) <= {200, 429}
