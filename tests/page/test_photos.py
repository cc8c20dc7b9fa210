"""Somebody drops, pastes and takes photos, and plays with the answers."""

import base64
import io
from pathlib import Path

import page_visit as visit
from page_visit import GREEN, GREY, RED, REDDISH, answer, keep, upload
from PIL import Image, TiffImagePlugin
from playwright.sync_api import Page, expect

from app.page.markup import percent
from landmarks.predictor import Predictor
from landmarks.tagging.places import Position


def test_a_photo_is_named_and_placed_as_the_predictor_does(page: Page, real: Path) -> None:
    expect(page.locator("h1")).to_have_text("Where was this photo taken?")
    upload(page, ("uluru.png", visit.photo(RED)))
    said = Predictor.load(real / "model").predict(visit.photo(RED))
    shown = answer(page, "uluru.png")
    expect(shown.locator(".badge")).to_have_text("Sure")
    expect(shown.locator("h2")).to_have_text("Red Rock")
    expect(shown.locator(".place")).to_have_text("Alice, Australia 25.3444° S, 131.0369° E")
    assert shown.locator(".guesses .name").all_inner_texts() == [g.name for g in said.guesses]
    shares = [percent(guess.confidence) for guess in said.guesses]
    assert shown.locator(".guesses .share").all_inner_texts() == shares
    widths = shown.locator(".bar i").evaluate_all("all => all.map(i => parseFloat(i.style.width))")
    assert widths == [round(100 * guess.confidence, 1) for guess in said.guesses]
    assert shown.locator(".tags li").all_inner_texts() == ["Red Rock", "Alice", "Australia"]
    expect(page.locator(".summary")).to_have_text("1 photo 1 sure")


def test_the_map_has_land_and_a_pin_at_the_place(page: Page) -> None:
    upload(page, ("uluru.png", visit.photo(RED)), ("geysir.png", visit.photo(GREEN)))
    places = {"uluru.png": Position(-25.3444, 131.0369), "geysir.png": Position(64.1, -21.9)}
    for name, place in places.items():
        world = answer(page, name).locator("img.world")
        expect(world).to_be_visible()
        land, pin = visit.drawn_map(world)
        assert 0.2 < land < 0.5
        assert pin is not None
        assert abs(pin.latitude - place.latitude) < 1.5
        assert abs(pin.longitude - place.longitude) < 1.5
        assert "Map of the world with a pin at" in (world.get_attribute("alt") or "")


def test_many_files_are_answered_and_a_bad_one_is_explained(page: Page) -> None:
    letter = b"Dear all, the weather is fine."
    cut = visit.photo(RED, (300, 200), "JPEG")[:900]
    upload(
        page,
        ("one.png", visit.photo(RED)),
        ("letter.jpg", letter),
        ("cut.jpg", cut),
        ("four.png", visit.photo(GREEN)),
        ("five.png", visit.photo(GREY)),
    )
    order = page.locator("article.photo").evaluate_all("all => all.map(one => one.dataset.photo)")
    assert order == ["one.png", "letter.jpg", "cut.jpg", "four.png", "five.png"]
    said = "5 photos 2 sure, 1 of nothing I know, 2 unreadable"
    expect(page.locator(".summary")).to_have_text(said)
    bad = answer(page, "letter.jpg")
    expect(bad).to_contain_text("This file cannot be read as a photo")
    expect(bad).to_contain_text("It is no picture, whatever its name says.")
    expect(answer(page, "cut.jpg")).to_contain_text("It is cut off")
    expect(answer(page, "four.png").locator("h2")).to_have_text("Green Valley")
    page.get_by_role("button", name="Remove letter.jpg").click()
    expect(answer(page, "letter.jpg")).to_have_count(0)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("article.photo")).to_have_count(0)


def test_a_file_that_is_too_large_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    with (tmp_path / "scan.tif").open("wb") as file:
        file.truncate(101 * 1024 * 1024)
    page.locator("input[type=file]").set_input_files(tmp_path / "scan.tif")
    said = page.get_by_text("File must be 100.0MB or smaller")
    expect(said).to_be_visible()
    box = said.bounding_box()
    assert box is not None and box["width"] > 100, "only for those who hear the page"
    keep(page, "too-large")


def test_of_many_photos_a_dozen_is_shown_at_a_time(page: Page) -> None:
    photos = [(f"{n}.png", visit.photo(RED, (20 + n, 20))) for n in range(14)]
    upload(page, *photos, shown=12)
    expect(page.locator(".summary")).to_have_text("14 photos 14 sure")
    page.get_by_role("button", name="Show more of 14 photos").click()
    expect(page.locator("article.photo")).to_have_count(14)


def test_a_photo_of_nothing_known_is_plainly_said_to_be_so(page: Page) -> None:
    upload(page, ("fog.png", visit.photo(GREY)))
    shown = answer(page, "fog.png")
    expect(shown.locator(".badge")).to_have_text("None I know")
    expect(shown.locator("h2")).to_have_text("None of the 3 landmarks that I know")
    expect(shown.locator(".nearest")).to_have_text("Nearest guesses")
    expect(shown.locator(".guesses li")).to_have_count(3)
    expect(shown.locator("img.world")).to_have_count(0)
    expect(shown.locator("[data-copy]")).to_have_count(0)
    bars = shown.locator(".bar i").evaluate_all(
        "all => all.map(i => getComputedStyle(i).backgroundColor.match(/\\d+/g).map(Number))"
    )
    assert all(max(bar) - min(bar) < 20 for bar in bars), "the bars are not grey"


def test_sliders_change_the_guesses_and_what_counts_as_sure(page: Page) -> None:
    upload(page, ("uluru.png", visit.photo(RED)), ("dusk.png", visit.photo(REDDISH)))
    sure, unsure = answer(page, "uluru.png"), answer(page, "dusk.png")
    expect(unsure.locator("h2")).to_have_text("Perhaps Red Rock")
    expect(unsure.locator(".why")).to_contain_text("a name counts as sure from 55.0")
    page.get_by_role("button", name="Adjust").click()
    sliders = page.get_by_role("slider")
    expect(sliders).to_have_count(2)
    guesses, threshold = sliders.all()
    guesses.focus()
    guesses.press("ArrowLeft")  # by keyboard, as people without a mouse do
    expect(sure.locator(".guesses li")).to_have_count(2)
    expect(unsure.locator(".guesses li")).to_have_count(2)
    top = sure.bounding_box()
    threshold.focus()
    threshold.press("End")
    expect(sure.locator(".badge")).to_have_text("Perhaps")
    threshold.press("Home")
    expect(unsure.locator(".badge")).to_have_text("Sure")
    expect(sure.locator(".badge")).to_have_text("Sure")
    assert sure.bounding_box() == top, "it jumped"


def test_a_pasted_picture_is_answered(page: Page) -> None:
    content = base64.b64encode(visit.photo(GREEN)).decode()
    page.wait_for_function(
        "window.landmarksPage && document.querySelector('[class*=st-key-drop] input[type=file]')"
    )
    page.evaluate(
        """(content) => {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
          const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true });
          document.body.dispatchEvent(paste);
        }""",
        content,
    )
    expect(answer(page, "image.png").locator("h2")).to_have_text("Green Valley")


def test_the_camera_takes_a_photo(page: Page) -> None:
    page.get_by_text("Use the camera").click()
    page.wait_for_function("document.querySelector('video')?.readyState >= 2")
    page.get_by_role("button", name="Take Photo").click()
    expect(answer(page, "camera.jpg").locator(".guesses li")).to_have_count(3)
    expect(answer(page, "camera.jpg").locator("figure.shot img")).to_be_visible()


def test_tags_are_copied(page: Page) -> None:
    upload(page, ("uluru.png", visit.photo(RED)))
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "Red Rock, Alice, Australia"
    expect(page.locator("[data-copy]")).to_have_text("Copy tags")


def test_a_name_that_is_markup_stays_a_name(page: Page) -> None:
    name = "<img src=x onerror=document.title=1>.png"
    upload(page, (name, visit.photo(RED)))
    expect(page.locator("article .file")).to_have_text(name)
    assert page.title() == "landmarks"


def test_the_photos_own_gps_is_shown_and_checked(page: Page) -> None:
    rational = TiffImagePlugin.IFDRational
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (rational(51), 0, 0), 3: "E", 4: (rational(7), 0, 0)}
    file = io.BytesIO()
    with Image.open(io.BytesIO(visit.photo(RED))) as image:
        image.convert("RGB").save(file, "JPEG", exif=exif)
    upload(page, ("far.jpg", file.getvalue()))
    shown = answer(page, "far.jpg")
    expect(shown.locator(".badge")).to_have_text("Perhaps")
    expect(shown.locator(".why")).to_contain_text("The photo's own GPS lies 14,")
    expect(shown.locator("figcaption")).to_contain_text("Ring: where the photo's own GPS says")
