"""Report and card in a real browser: on a phone and a desk, light, dark, on paper.

With ``REPORT_SCREENSHOTS=DIR`` the pictures of all that is opened are left there.
"""

import base64
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.helpers.archives import build, dataset_dir
from tests.suites.report.sample import sample_report

PHONE, DESK = (360, 800), (1280, 900)
WHITE: Final = "rgb(255, 255, 255)"

# Every text that is seen, with its colour and the first one behind it.
TEXTS: Final = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const canvas = document.createElement('p');  // what is behind all
  canvas.style.backgroundColor = 'Canvas';
  document.body.append(canvas);
  const behind = element => {
    if (!element) return channels(getComputedStyle(canvas).backgroundColor);
    const found = channels(getComputedStyle(element).backgroundColor);
    return found.length < 4 || found[3] > 0 ? found : behind(element.parentElement);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || element.matches('title, desc') || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const own = element.closest('svg') ? style.fill : style.color;
    found.push([text, channels(own), behind(element)]);
  }
  canvas.remove();
  return found;
}"""

FOCUSED: Final = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    tag: element.tagName,
    name: element.getAttribute('href') || element.getAttribute('aria-label')
      || element.textContent,
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    seen: box.right > 0 && box.bottom > 0 && box.top < innerHeight
      && box.left < innerWidth,
  };
}"""

Opener = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "Chromium is missing: install it with `apt-get install chromium`."
    with sync_playwright() as playwright:
        # Without its sandbox, which root can't have in a container; the page is ours.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with something of everything."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(sample_report(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def demo(small_archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a dataset that was built from archives."""
    data_dir = tmp_path_factory.mktemp("data")
    outcome = build(small_archives, data_dir, "--statistics=full")
    assert outcome.code == 0, outcome.err
    return dataset_dir(data_dir) / "report.html"


@pytest.fixture(scope="session")
def opened(browser: Browser, sample: Path) -> Opener:
    """Returns what opens a page, and demands that nothing goes wrong meanwhile."""

    @contextmanager
    def open_page(
        size: tuple[int, int] = DESK, scheme: Any = "light", path: Path = sample
    ) -> Iterator[Page]:
        viewport: Any = {"width": size[0], "height": size[1]}
        with browser.new_context(viewport=viewport, color_scheme=scheme) as context:
            faults: list[str] = []
            asked: list[str] = []
            page = context.new_page()
            page.on("console", lambda message: faults.append(message.text))
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            yield page
            assert faults == []
            files = [url for url in asked if not url.startswith("data:")]
            assert files == [path.as_uri()]

    return open_page


def keep_screenshot(page: Page, name: str) -> None:
    if directory := os.environ.get("REPORT_SCREENSHOTS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=True)


def open_all_details(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


def assert_fits(page: Page) -> None:
    """Asserts that the page does not scroll sideways, nor anything stick out."""
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner
    sticking_out = """Array.from(document.querySelectorAll('main *:not(svg *)'))
        .filter(e => !e.closest('.scroll, .hidden, caption, pre, main > table > *'))
        .filter(e => e.getBoundingClientRect().right > innerWidth)
        .map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(sticking_out) == []


def luminance(colour: Sequence[float]) -> float:
    """Returns the relative luminance of an sRGB colour, as WCAG 2.2 defines it."""
    red, green, blue = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (channel / 255 for channel in colour[:3])
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """Returns the contrast ratio of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def assert_legible(page: Page, at_least: int = 200) -> None:
    """Asserts WCAG's contrast of texts, 1.4.3."""
    texts = page.evaluate(TEXTS)
    assert len(texts) > at_least
    assert [each for each in texts if contrast(each[1], each[2]) < 4.5] == []


def assert_sound(page: Page, images: int) -> None:
    """Asserts that all images are there, and that all can be read by anybody."""
    widths = page.evaluate("Array.from(document.images, image => image.naturalWidth)")
    assert len(widths) == images
    assert min(widths) > 0
    assert_fits(page)
    assert_legible(page)
    open_all_details(page)
    assert_fits(page)
    assert_legible(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_sound_on_every_screen(
    opened: Opener, size: tuple[int, int], scheme: str
) -> None:
    with opened(size, scheme) as page:
        keep_screenshot(page, f"{size[0]}-{scheme}")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == {"light": WHITE, "dark": "rgb(13, 17, 23)"}[scheme]
        assert_sound(page, images=73)
        keep_screenshot(page, f"{size[0]}-{scheme}-opened")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_is_sound_on_every_screen(
    opened: Opener, demo: Path, size: tuple[int, int], scheme: str
) -> None:
    with opened(size, scheme, demo.with_name("card.html")) as page:
        keep_screenshot(page, f"card-{size[0]}-{scheme}")
        assert_fits(page)
        assert_legible(page, at_least=60)
        splits, features = page.locator("table").all()
        assert splits.evaluate("e => e.scrollWidth <= e.clientWidth")
        # That of features scrolls on a phone; no cell of it is a column of words.
        heights = "e => Array.from(e.rows, row => row.getBoundingClientRect().height)"
        assert max(features.evaluate(heights)) < 100
        figure = page.locator("img")
        assert figure.evaluate("e => e.naturalWidth") > 500
        # Its own white is behind its captions, whatever is behind the page.
        data = figure.get_attribute("src")
        assert data is not None
        with Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))) as drawn:
            assert drawn.mode == "RGB"
            assert drawn.getpixel((0, 0)) == (255, 255, 255)
        # It takes the browser's canvas for white, in the dark too.
        options = {"rules": {"color-contrast": {"enabled": False}}}
        found = Axe().run(page, options=options)
        assert found.violations_count == 0, found.generate_report()


def test_the_page_of_a_build_is_sound(opened: Opener, demo: Path) -> None:
    with opened(PHONE, "dark", demo) as page:
        keep_screenshot(page, "demo-360-dark")
        assert_sound(page, images=2 * (12 + 2 * 6))
        assert page.locator("h2").all_inner_texts()[:3] == [
            *("Overview", "Split train", "Split validation")
        ]


def test_text_of_twice_the_size_fits_a_phone(opened: Opener) -> None:
    with opened(PHONE) as page:
        page.add_style_tag(content="html { font-size: 200% }")
        open_all_details(page)
        keep_screenshot(page, "large-text")
        assert_fits(page)


def test_the_narrowest_screen_of_wcag_is_wide_enough(opened: Opener) -> None:
    with opened((320, 256)) as page:
        open_all_details(page)
        assert_fits(page)


def test_the_keyboard_reaches_everything_in_order(opened: Opener) -> None:
    with opened(PHONE) as page:
        links = [each.get_attribute("href") for each in page.locator("nav a").all()]
        plots = page.locator("details").count()
        reached = []
        for _ in range(2 + len(links) + 1 + 3 + plots):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(FOCUSED))
        assert all(each["outlined"] and each["seen"] for each in reached)
        names = [each["name"] for each in reached]
        assert names[: 2 + len(links)] == ["#content", "card.html", *links]
        assert len(links) == 5 + 2 * 6
        assert names[2 + len(links)] == "http://image-net.org/"
        summaries = [each["name"] for each in reached if each["tag"] == "SUMMARY"]
        assert summaries[0] == "Numbers: Number of images by class"
        assert len(summaries) == plots == 16


def test_the_keyboard_opens_numbers_and_scrolls_them(opened: Opener) -> None:
    with opened() as page:
        summary = page.locator("summary").first
        summary.focus()
        page.keyboard.press("Enter")
        # What was opened can be reached once it is laid out: after two frames.
        page.evaluate(
            "new Promise(done =>"
            " requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED)["name"] == "Number of images by class"
        page.keyboard.press("PageDown")
        # Not wait_for_function, whose second look the page's own policy forbids.
        page.evaluate(
            "new Promise(done => { const look = () =>"
            " document.activeElement.scrollTop > 0 ? done() :"
            " requestAnimationFrame(look); look(); })"
        )


def test_the_skip_link_leads_to_the_content(opened: Opener) -> None:
    with opened() as page:
        page.keyboard.press("Tab")
        keep_screenshot(page, "skip-link")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED)["name"] == "http://image-net.org/"


def test_links_lead_to_their_headings(opened: Opener) -> None:
    with opened(PHONE) as page:
        for link in page.locator("nav a").all():
            link.click()
            heading = page.locator(f"{link.get_attribute('href')} > :first-child")
            assert heading.inner_text() == link.inner_text()
            assert heading.evaluate("e => e.getBoundingClientRect().top") < 800


def test_a_screen_reader_is_told_what_a_plot_shows(opened: Opener) -> None:
    with opened() as page:
        session = page.context.new_cdp_session(page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        seen = [node for node in nodes if not node["ignored"]]
        of_role = {
            role: [node for node in seen if node["role"]["value"] == role]
            for role in ("image", "main", "navigation", "heading", "listitem")
        }
        plots = [each for each in of_role["image"] if "description" in each]
        assert len(plots) == 16
        width = next(each for each in plots if each["name"]["value"] == "Width, pixels")
        assert width["description"]["value"].startswith("A histogram of 450 images.")
        below = {each["nodeId"] for each in seen} & set(width["childIds"])
        assert below == set()
        assert len(of_role["image"]) == 16 + 73
        assert len(of_role["main"]) == len(of_role["navigation"]) == 1
        assert len(of_role["listitem"]) > 73


def test_paper_is_white_and_has_no_controls(opened: Opener) -> None:
    with opened(DESK, "dark") as page:
        page.emulate_media(media="print")
        keep_screenshot(page, "paper")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == WHITE
        for hidden in ("nav", "details", "footer", ".skip"):
            assert not page.locator(hidden).first.is_visible()
        assert_legible(page)
        pdf = page.pdf(format="A4")
        assert pdf.startswith(b"%PDF")
        if directory := os.environ.get("REPORT_SCREENSHOTS"):
            (Path(directory) / "paper.pdf").write_bytes(pdf)


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_stand_out(opened: Opener, scheme: str, forced: Any) -> None:
    with opened(DESK, scheme) as page:
        page.emulate_media(forced_colors=forced)
        for bars, colour in ((".bars", "fill"), (".share", "borderTopColor")):
            texts = page.locator(bars).first.evaluate(
                f"e => [getComputedStyle(e).{colour}, "
                "getComputedStyle(document.body).backgroundColor]"
            )
            bar, behind = ([float(n) for n in re.findall(r"\d+", t)] for t in texts)
            # WCAG 2.2, 1.4.11: what a figure is understood by has 3 to 1.
            assert contrast(bar, behind) >= 3
