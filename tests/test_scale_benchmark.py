"""The benchmark of engines runs both as commands, and would notice one that fails."""

import re
from pathlib import Path

import pytest
from tag_folder import write_model

pytest.importorskip("ray")

from benchmarks import scale  # noqa: E402
from landmarks.errors import LandmarksError  # noqa: E402


@pytest.mark.slow
def test_both_engines_are_timed_over_the_same_photos(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = scale.many(tmp_path / "photos", 40, (640, 480))
    assert len({path.read_bytes() for path in photos.iterdir()}) == 40
    model = write_model(tmp_path / "model")
    scale.measure(photos, model, rounds=1, price=0.1)
    scale.measure_parts(photos, model, price=0.1)
    said = capsys.readouterr().out
    assert re.search(r"ms to decode, [\d.]+ ms for the model; [\d.]+ photos/s a core", said)
    rows = re.findall(
        r"^\| (local|ray) \| ([\d.]+) \| ([\d.]+) \| (?:[\d.]+|nan) \|", said, re.MULTILINE
    )
    assert [name for name, _, _ in rows] == ["local", "ray"]
    for hours, dollars in re.findall(r"([\d,]+) core-hours, \$([\d,]+)", said):
        tenth = int(hours.replace(",", "")) / 10
        assert int(dollars.replace(",", "")) == pytest.approx(tenth, abs=1)


def test_a_command_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LandmarksError, match="there is no model in"):
        scale.seconds(tmp_path, tmp_path / "no model")


def test_what_the_driver_does_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    scale.measure_driver(300)
    rates = re.findall(r": ([\d,]+)$", capsys.readouterr().out, re.MULTILINE)
    assert len(rates) == 3 and all(int(rate.replace(",", "")) > 0 for rate in rates)
