"""What the page says and does with a model of invented places, with none, and with another."""

import shutil
from pathlib import Path

import page_visit as visit
from page_visit import RED, answer, keep, upload
from PIL import Image
from playwright.sync_api import Browser, expect

from tools import draw_app
from tools.draw_app import settled

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 200_000
SECONDS = 2.0
TRIES = 15


def test_an_example_answers_within_two_seconds(chromium: Browser, demonstration: str) -> None:
    with visit.visiting(chromium, demonstration) as page:
        expect(page.locator(".notice")).to_contain_text("Demonstration model: invented places.")
        expect(page.locator(".notice")).to_contain_text("make preset NAME=landmarks50")
        page.evaluate(CLOCK)
        took = []
        for number in range(1, TRIES + 1):  # the first warms up; a busy machine gets more chances
            page.locator(f".st-key-example-{number % 6} button").press("Enter")
            expect(page.locator("article.photo")).to_have_count(number)
            settled(page)
            took.append(page.evaluate("window.took.at(-1)") / 1000)
            if number > 1 and took[-1] < SECONDS:
                break
        assert min(took[1:]) < SECONDS, took
        keep(page, "example")
        expect(page.locator("article.photo figure.shot img").first).to_be_visible()


def test_the_picture_of_the_readme_is_taken(
    chromium: Browser, demonstration: str, tmp_path: Path
) -> None:
    draw_app.photograph(chromium, demonstration, tmp_path / "app.png")
    for picture in (tmp_path / "app.png", ROOT / draw_app.PICTURE):
        with Image.open(picture) as image:
            assert image.size == (draw_app.WIDTH, draw_app.HEIGHT)
        assert picture.stat().st_size < MOST_BYTES


def test_a_model_of_invented_places_never_places_a_photo(
    chromium: Browser, demonstration: str
) -> None:
    with visit.visiting(chromium, demonstration, 390) as page:
        upload(page, ("holiday.png", visit.photo(RED)))
        shown = answer(page, "holiday.png")
        expect(shown.locator(".badge")).to_have_text("None I know")
        expect(shown.locator(".why")).to_contain_text("knows invented places only")
        expect(shown.locator("img.world")).to_have_count(0)
        expect(page.locator(".notice")).to_contain_text("Demonstration model: invented places.")


def test_without_a_model_the_next_command_is_named_and_then_it_works(
    chromium: Browser, tmp_path: Path, real: Path
) -> None:
    model = tmp_path / "models/landmarks"
    with (
        visit.serving(tmp_path / "run", LANDMARKS_MODEL=str(model)) as address,
        visit.visiting(chromium, address) as page,
    ):
        expect(page.locator(".missing")).to_contain_text("No model can answer yet")
        expect(page.locator(".missing")).to_contain_text("make demo")
        expect(page.locator(".missing")).to_contain_text(f"dvc pull {model}")
        keep(page, "no-model")
        shutil.copytree(real / "model", model)
        page.get_by_role("button", name="Look again").click()
        upload(page, ("uluru.png", visit.photo(RED)))
        expect(answer(page, "uluru.png").locator("h2")).to_have_text("Red Rock")
        (model / "landmarks.onnx").write_bytes(b"something else")
        (model / "model.json").touch()
        page.get_by_role("button", name="Adjust").click()
        page.get_by_role("slider").first.press("ArrowLeft")
        expect(page.locator(".missing")).to_contain_text("damaged, cut off or was tampered with")


CLOCK = """() => {
  window.took = [];
  addEventListener("keydown", () => {
    const begun = performance.now(), before = document.querySelectorAll("article.photo").length;
    const look = () => {
      if (document.querySelectorAll("article.photo").length > before) {
        window.took.push(performance.now() - begun);
      } else requestAnimationFrame(look);
    };
    look();
  }, true);
}"""
