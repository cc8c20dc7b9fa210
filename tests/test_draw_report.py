"""The README's picture of the report is taken by a browser that is installed."""

from pathlib import Path

import pytest
from PIL import Image

from landmarks.errors import LandmarksError
from tools import draw_report

PAGE = "<body style='margin:0;background:#123456'><div style='height:9000px;width:300px'></div>"


def test_without_a_browser_the_next_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LandmarksError, match="no browser is installed") as raised:
        draw_report.browser()
    assert "apt-get install chromium" in str(raised.value.hint)


def test_the_top_of_the_page_is_photographed(tmp_path: Path) -> None:
    try:
        program = draw_report.browser()
    except LandmarksError as error:
        pytest.skip(f"{error}")
    (tmp_path / "a page.html").write_text(PAGE)
    draw_report.photograph(tmp_path / "a page.html", tmp_path / "top.png", program)
    with Image.open(tmp_path / "top.png") as image:
        assert image.size == (draw_report.WIDTH, draw_report.HEIGHT)
        assert image.convert("RGB").getpixel((900, 1500)) == (0x12, 0x34, 0x56)
