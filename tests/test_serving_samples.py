"""Files of real cameras and of test collections: 200, or a 4xx with its reason."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, service
from test_images_samples import REFUSED


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with service() as running:
        yield running


def test_each_file_is_answered_or_refused_with_its_reason(served: Served, shared: Path) -> None:
    with (shared / "decode_samples/INDEX.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 55
    for row in rows:
        content = (shared / "decode_samples" / row["file"]).read_bytes()
        got = served.client.post("/v1/predict", files={"file": (row["file"], content)})
        cut = "truncated" if row["category"] == "truncated" else None
        reason = REFUSED.get(row["file"], cut)
        assert got.status_code == (422 if reason else 200), (row["file"], got.text)
        [one] = got.json()["photos"]
        assert one["photo"] == row["file"]
        assert one.get("problem", {}).get("reason") == reason, row["file"]
    assert served.metric("landmarks_requests_total", status="500") == 0
