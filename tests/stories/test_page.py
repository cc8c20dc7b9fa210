"""Somebody opens the page of a project that was just built: its model and figures stand there."""

import json
from pathlib import Path

import page_visit as visit
import pytest
from playwright.sync_api import expect
from stories.clone import Clone

from app.page import examples
from app.page.markup import percent
from landmarks.predictor import Predictor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_page_shows_what_was_built(built: Clone, tmp_path: Path) -> None:
    predictor = Predictor.load(built.folder / "models/landmarks")
    with (
        visit.browsing() as chromium,
        visit.serving(tmp_path, built.folder / "app/web.py") as address,
        visit.visiting(chromium, address) as page,
    ):
        expect(page.locator(".notice")).to_contain_text("invented places")
        for number, example in enumerate(examples.EXAMPLES):
            button = page.locator(f".st-key-example-{number} button")
            expect(button).to_have_count(1)  # while the page is drawn anew the old one is there too
            button.click()
            shown = visit.answer(page, examples.file_name(example))
            said = predictor.predict(examples.draw(example))
            shares = [percent(guess.confidence) for guess in said.guesses]
            expect(shown.locator(".guesses .share")).to_have_text(shares)
            expect(shown.locator("img.world")).to_have_count(0 if said.unknown else 1)
        page.get_by_role("link", name="The two CNNs").click()
        for cnn in ("scratch", "transfer"):
            figures = json.loads((built.folder / f"metrics/{cnn}.json").read_text())
            score = page.locator(f'.score[data-cnn="{cnn}"]')
            expect(score.locator(".number")).to_have_text(percent(figures["accuracy"]))
            expect(score).to_contain_text(f"of {figures['n']} new photos")
            expect(score).to_contain_text(percent(figures["accuracy_low"]))
        released = json.loads((built.folder / "metrics/released.json").read_text())["cnn"]
        expect(page.locator(f'.score[data-cnn="{released}"]')).to_contain_text("released")
        expect(page.locator("img.matrix")).to_have_count(2)
        page.get_by_role("link", name="About").click()
        expect(page.locator(".all code").first).to_have_text(predictor.card.version)
    assert built.dirt() == ""
