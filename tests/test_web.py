"""The page in a real browser: somebody drops photos, plays with it, and takes answers home."""

import base64
import csv
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import page_visit as visit
import pytest
from page_visit import GREEN, GREY, RED, REDDISH, answer, keep, upload
from PIL import Image, TiffImagePlugin
from playwright.sync_api import Browser, Download, Page, expect

from app.page.markup import percent
from landmarks.predictor import Predictor
from landmarks.tagging import packet
from landmarks.tagging.places import Position
from tools.draw_app import settled

WIDTHS = (390, 1280)
SECONDS = 2.0
TRIES = 8


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with visit.browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of real places."""
    folder = tmp_path_factory.mktemp("real")
    visit.write_model(folder / "model", invented=False)
    return folder


@pytest.fixture(scope="module")
def served(real: Path) -> Iterator[str]:
    with visit.serving(real / "run", LANDMARKS_MODEL=str(real / "model")) as address:
        yield address


@pytest.fixture
def page(chromium: Browser, served: str) -> Iterator[Page]:
    with visit.visiting(chromium, served) as page:
        yield page


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page with a model of invented places."""
    folder = tmp_path_factory.mktemp("invented")
    visit.write_model(folder / "model", invented=True)
    with visit.serving(folder / "run", LANDMARKS_MODEL=str(folder / "model")) as address:
        yield address


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


def test_a_pasted_picture_is_answered(page: Page) -> None:
    content = base64.b64encode(visit.photo(GREEN)).decode()
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


def test_nothing_leaves_the_machine_and_nothing_is_written(
    chromium: Browser, served: str, real: Path
) -> None:
    before = sorted(real.rglob("*"))
    asked: list[str] = []
    context = chromium.new_context()
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(served)
    page.wait_for_selector(".st-key-atlas")
    upload(page, ("uluru.png", visit.photo(RED)))
    for title in ("The two CNNs", "About"):
        page.get_by_role("link", name=title).click()
        page.wait_for_selector(".panel")
    context.close()
    assert visit.hosts(asked) == {served.removeprefix("http://")}
    assert sorted(real.rglob("*")) == before
    assert not list((real / "run/home").iterdir())


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_reads_and_names_all_that_it_shows(
    chromium: Browser, served: str, width: int
) -> None:
    with visit.visiting(chromium, served, width) as page:
        keep(page, "empty")
        check_look(page)
        upload(
            page,
            ("uluru.png", visit.photo(RED, (600, 400))),
            ("dusk.png", visit.photo(REDDISH, (300, 500))),
            ("fog.png", visit.photo(GREY, (500, 300))),
            ("letter.jpg", b"Dear all"),
        )
        keep(page, "answers")
        check_look(page)
        for title in ("The two CNNs", "About"):
            page.get_by_role("link", name=title).click()
            page.wait_for_selector(".panel")
            settled(page)
            keep(page, title.lower().replace(" ", "-"))
            check_look(page)


def check_look(page: Page) -> None:
    """Check what a person who cannot see well, or has a small screen, would trip over."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    wide = page.evaluate(
        """[...document.querySelectorAll('.stHtml *, button')].filter(one => {
             const box = one.getBoundingClientRect();
             return box.width && box.right > innerWidth + 1 && !one.closest('.pan, .unseen');
           }).map(one => one.outerHTML.slice(0, 90))"""
    )
    assert not wide, "it sticks out"
    images = page.locator("img").evaluate_all(
        "all => all.filter(i => !i.alt || !i.getAttribute('width')).map(i => i.src.slice(0, 90))"
    )
    assert not images, "without a text, or without a place kept for it"
    nameless = page.get_by_role("button").evaluate_all(
        "all => all.filter(b => !(b.ariaLabel || b.textContent).trim()).map(b => b.outerHTML)"
    )
    assert not nameless
    assert page.locator("h1").count() == 1
    faint = page.evaluate(CONTRAST)
    assert not faint, "too faint to read"


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

CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const color = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const found = color(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0.9) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll(".stHtml *, .st-key-bar-top p, .st-key-bar p")]
    .filter((one) => [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .filter((one) => one.getClientRects().length && !one.closest("style, script, .unseen"))
    .map((one) => {
      const ink = light(color(getComputedStyle(one).color)), paper = light(behind(one));
      const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      return [Math.round(ratio * 100) / 100, one.textContent.trim().slice(0, 40)];
    })
    .filter(([ratio]) => ratio < 4.5);
}"""
