"""The page on small and large screens, for poor eyes, by keyboard, and with no network at all."""

from pathlib import Path

import page_visit as visit
import pytest
from page_visit import GREY, RED, REDDISH, keep, upload
from playwright.sync_api import Browser, Page, expect

from tools.draw_app import settled

WIDTHS = (390, 1280)


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
        turn_to(page, title)
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
            turn_to(page, title)
            keep(page, title.lower().replace(" ", "-"))
            check_look(page)


def turn_to(page: Page, title: str) -> None:
    """Go to another page by its link, and wait until all of it is there."""
    page.get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.wait_for_selector(".panel")
    settled(page)


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


def test_all_is_reached_by_keyboard_and_shows_where_one_is(
    chromium: Browser, demonstration: str
) -> None:
    with visit.visiting(chromium, demonstration) as page:
        page.locator(".st-key-example-0 button").click()
        expect(page.locator("article.photo")).to_have_count(1)
        settled(page)
        page.evaluate("document.activeElement.blur()")
        reached, ringless = [], []
        for _ in range(26):
            page.keyboard.press("Tab")
            name, ring = page.evaluate(
                """() => {
                  const one = document.activeElement, style = getComputedStyle(one);
                  const name = one.ariaLabel || one.textContent.trim();
                  return [name.slice(0, 60), `${style.outlineStyle} ${style.outlineWidth}`];
                }"""
            )
            reached.append(name)
            if ring != "solid 3px":
                ringless.append(name)
    for name in ("Your photos", "About", "Upload", "camera", "Adjust", "Download", "Clear"):
        assert any(name in one for one in reached), f"{name} is not among {reached}"
    for name in ("Remove a-rotunda.jpg", "A street", "landmarks that I know"):
        assert any(name in one for one in reached), f"{name} is not among {reached}"
    # The document itself and the whole of its main part need none.
    assert all("JavaScript" in one or "Where was" in one for one in ringless), ringless


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
