"""The report: what it says, what it shows, and that its HTML is sound."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from tests.documents.test_card import FACTS, ONE, saying
from tests.suites.report.sample import sample_report
from transforms.documents.report.report import (
    Gallery,
    Picture,
    SplitReport,
    report_html,
)
from transforms.documents.report.thumbnails import draw_thumbnail
from transforms.formats.records import Source
from transforms.images.header import Header
from transforms.statistics.counting import StatisticsBuilder
from transforms.statistics.document import statistics_document
from transforms.statistics.observations import Observation
from transforms.statistics.pixels import Pixels, PixelSample

EMPTY_ELEMENTS = {"meta", "img", "wbr", "path", "line"}
READ_OUT = {"alt", "aria-label"}
NO_TEXT = {"style", "title", "desc"}
DUPLICATES = Gallery("Duplicates", "Images that are equal byte for byte.", ())
REJECTED = Gallery("Rejected images", "", ())


class Page(HTMLParser):
    """A page read strictly: every element is closed where it has to be.

    Attributes:
        elements: Name, attributes and names of the elements around it, in order.
        headings: Level and text of each heading.
        text: What a reader sees in pieces, by the heading it is under; what comes
            first is under an empty one.
        words: All that is read or read out, in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.headings: list[tuple[int, str]] = []
        self.text: dict[str, list[str]] = {"": []}
        self.words: list[str] = []
        self._heading = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.words += [value or "" for key, value in attrs if key in READ_OUT]
        self.elements.append((tag, dict(attrs), tuple(self._open)))
        if tag not in EMPTY_ELEMENTS:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in EMPTY_ELEMENTS
        self.elements.append((tag, dict(attrs), tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._open and re.fullmatch("h[1-6]", self._open[-1]):
            self.headings.append((int(self._open[-1][1]), data))
            self._heading = data
            self.text[data] = []
        elif data.strip() and not NO_TEXT & set(self._open):
            self.text[self._heading].append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Returns the attributes of all elements of a name."""
        return [attributes for name, attributes, _ in self.elements if name == tag]


CARD = "../README.md"


def statistics(*labels: int, pixels: Pixels | None = None) -> dict[str, Any]:
    """Returns what is counted of JPEGs of 500 by 375 pixels and 100 KiB."""
    builder = StatisticsBuilder()
    header = Header("jpeg", 500, 375, "RGB", "4:2:0", 90, False, 8, 1)
    for number, label in enumerate(labels):
        source = Source(f"{number}.JPEG", label, "a.tar", 0, 1)
        sample = pixels and PixelSample(pixels, bytes(16))
        builder.add(Observation(source, bytes(16), 102_400, header, pixels=sample))
    part: dict[str, Any] = statistics_document({"s": builder.result()}, [])
    return dict(part["splits"]["s"])


def report(
    part: dict[str, Any] | None = None,
    *galleries: Gallery,
    split: str = "train",
    duplicates: Gallery = DUPLICATES,
    rejected: Gallery = REJECTED,
    by_reason: dict[str, dict[str, int]] | None = None,
) -> str:
    shown = SplitReport(split, part or statistics(0, 0, 2), galleries)
    return report_html(FACTS, ONE, [shown], duplicates, rejected, by_reason or {}, CARD)


def picture(name: str = "a.JPEG", note: str = "", data: bytes | None = b"J") -> Picture:
    return Picture(name, "n01440764 (0)", note, data)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_the_page_says_what_there_is() -> None:
    text = Page(report()).text
    assert text[""] == ["Skip to the content"]
    assert text["ImageNet 2012 subset: report"] == [
        *("imagenet2012_subset/1pct", ", version", "5.0.0", "."),
        *("The card", "says how to load it."),
        *("Overview", "Split train", "Labels", "Sizes", "Encoding"),
        *("Duplicates", "Rejected images"),
    ]
    assert text["Overview"] == [
        "A part of ImageNet for learning from few labels.",
        *("Configuration", "1pct of total ImageNet training set."),
        *("Homepage", "http://image-net.org/"),
        *("License", "ImageNet terms"),
        *("Size of records", "17.58 KiB"),
        *("Splits", "Split", "Examples", "Size of records"),
        *("train", "15", "14.65 KiB"),
        *("validation", "3", "2.93 KiB"),
    ]
    assert text["Duplicates"] == ["Images that are equal byte for byte."]
    assert text["Rejected images"] == ["There are none.", "Back to the contents"]


def test_a_split_is_told_in_key_numbers() -> None:
    html = report(by_reason={"train": {"empty": 1, "truncated": 1200}})
    assert Page(html).text["Split train"] == [
        *("Images", "3", "Size of images", "300.00 KiB", "Mean size", "100.00 KiB"),
        *("Mean width x height", "500 x 375", "pixels"),
        *("Repaired", "0", "Rejected", "1,201"),
    ]


def test_labels_are_told_with_the_classes_that_stand_out() -> None:
    part = statistics(*[0] * 1200, 1, 2)
    assert Page(report(part)).text["Labels"] == [
        *("Classes with images", "3 of 3"),
        *("Fewest in a class", "1", "n01443537 (1) and 1 more"),
        *("Median of classes", "1", "n01443537 (1) and 1 more"),
        *("Most in a class", "1,200", "n01440764 (0)"),
        *("0", "1", "2", "3", "1,200 images"),
        "Images by number of the class; the dashed line is the median of classes with "
        "images.",
        *("Numbers", ": Number of images by class", "Number of images by class"),
        *("Label", "Class", "Images", "0", "n01440764 (0)", "1,200"),
        *("1", "n01443537 (1)", "1", "2", "n01484850 (2)", "1"),
    ]


def test_images_without_label_are_no_class() -> None:
    labels = Page(report(statistics(2, -1, -1, 7))).text["Labels"]
    assert labels[:2] == ["Classes with images", "2 of 8"]
    assert labels[11:13] == ["Images without label", "2"]
    assert labels[-6:] == ["2", "n01484850 (2)", "1", "7", "class 7", "1"]
    assert Page(report(statistics(-1))).text["Labels"] == ["No image has a label."]


def test_a_histogram_is_a_plot_with_its_numbers() -> None:
    part = statistics(0, 0, 2)
    part["width"] = {
        "count": 5,
        "minimum": 8,
        "maximum": 1300,
        "mean": 270.4,
        "bins": [[8, 9, 4], [1280, 1408, 1]],
    }
    html = report(part)
    assert Page(html).text["Width"] == [
        "From 8 to 1,300 pixels, 270 on average (dashed line). The axis is "
        "logarithmic.",
        *("10", "30", "100", "300", "1,000", "4 images in the highest bar"),
        *("Numbers", ": Width", "Width, pixels", "From", "To below", "Images"),
        *("8", "9", "4", "1,280", "1,408", "1"),
    ]
    assert (
        '<title id="split-1-width-title">Width, pixels</title><desc '
        'id="split-1-width-desc">A histogram of 5 images. From 8 to 1,300 pixels, 270 '
        "on average (dashed line). The axis is logarithmic.</desc>"
    ) in html


def test_equal_images_are_said_to_be() -> None:
    text = Page(report()).text
    assert text["Aspect ratio"] == [
        "Always 1.33 times as wide as high (dashed line). The axis is logarithmic.",
        *("1", "1.2", "1.4", "1.6", "1.8", "3 images in the highest bar"),
        *("Numbers", ": Aspect ratio"),
        "Aspect ratio, times as wide as high",
        *("From", "To below", "Images", "1.25", "1.375", "3"),
    ]


def test_qualities_are_a_plot() -> None:
    part = statistics(0) | {"qualities": {"75": 2, "96": 1000, "none": 3}}
    assert Page(report(part)).text["JPEG quality"] == [
        "From 75 to 96 on libjpeg's scale, 96 on average (dashed line). 3 images have "
        "none.",
        *("20", "40", "60", "80", "100", "1,000 images"),
        *("Numbers", ": JPEG quality", "JPEG quality", "Quality", "Images"),
        *("75", "2", "96", "1,000"),
    ]
    same = statistics(0) | {"qualities": {"90": 7}}
    assert Page(report(same)).text["JPEG quality"][0] == (
        "Always 90 on libjpeg's scale (dashed line)."
    )
    none = statistics(0) | {"qualities": {"none": 1}}
    assert Page(report(none)).text["JPEG quality"] == ["Not known of any image."]


def test_what_is_counted_by_name_is_a_table_with_bars() -> None:
    part = statistics(*[0] * 200) | {
        "orientations": {"1": 150, "6": 49, "8": 1},
        "warnings": {"missing_end": 5, "a<b": 5},
    }
    html = report(part)
    head = ("Value", "Images", "Share")
    text = Page(html).text
    assert text["EXIF orientation"] == [
        *("EXIF orientation", *head, "1, upright", "150", "75.0 %"),
        *("6, on its left side", "49", "24.5 %", "8, on its right side", "1", "0.5 %"),
    ]
    # An image may have several, so shares are of the images and not of the warnings.
    assert text["Warnings"] == [
        *("Warnings", *head, "a<b", "5", "2.5 %", "missing end", "5", "2.5 %"),
        "Of no image: Repaired.",
    ]
    assert "Repaired" not in text
    assert re.findall(r'class="share" style="width:([\d.]+)%"', html) == [
        *("100.0", "100.0", "100.0", "100.0", "75.0", "24.5", "0.5", "2.5", "2.5")
    ]


def test_pixels_are_told_where_they_are_known() -> None:
    assert "Pixels" not in Page(report()).text
    total = (2550, 5100, 10_200)
    sums = Pixels(1, 100, total, (65_025, 300_000, 1_040_400))
    assert Page(report(statistics(0, pixels=sums))).text["Pixels"] == [
        "Of 100 pixels of 1 images, on a scale from 0 to 1. JPEGs were decoded at an "
        "eighth of their size, which makes the standard deviations some 6 % too low.",
        "Mean and standard deviation by channel",
        *("Channel", "Mean", "Standard deviation"),
        *("Red", "0.1000", "0.0000"),
        *("Green", "0.2000", "0.0783"),
        *("Blue", "0.4000", "0.0000"),
    ]


def test_a_split_without_images_is_shown() -> None:
    text = Page(report(statistics(), split="test")).text
    assert text["Split test"] == [
        *("Images", "0", "Size of images", "0 bytes", "Repaired", "0", "Rejected", "0")
    ]
    assert text["Labels"] == ["There is no image."]
    assert text["Width"] == ["Not known of any image."]
    assert text["JPEG quality"] == [
        "Not known of any image.",
        "Of no image: File format, Colour mode, Chroma subsampling, Scans of JPEGs, "
        "EXIF orientation, Warnings, Repaired.",
    ]
    assert "File format" not in text


def test_a_gallery_shows_pictures_with_their_words() -> None:
    first = picture("n01440764_36.JPEG", "0.05 megapixels", b"\xff\xd8 one")
    gallery = Gallery("Smallest", "The fewest pixels.", ((first, picture()),))
    page = Page(report(None, gallery))
    assert page.text["Smallest"] == [
        "The fewest pixels.",
        *("n01440764 (0)", "0.05 megapixels", "n01440764_", "36", ".JPEG"),
        *("n01440764 (0)", "a", ".JPEG"),
    ]
    data = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8 one").decode()
    assert page.all("img")[0] == {
        "src": data,
        "alt": "The image n01440764_36.JPEG",
        "width": "160",
        "height": "160",
    }
    assert [image["alt"] for image in page.all("img")[1:]] == ["The image a.JPEG"]


def test_groups_are_framed_where_there_are_several() -> None:
    groups = ((picture("a"), picture("b")), (picture("c"), picture("d")))
    html = report(duplicates=replace(DUPLICATES, groups=groups))
    page = Page(html)
    assert [
        inside.count("ul")
        for name, attributes, inside in page.elements
        if name == "img"
    ] == [2, 2, 2, 2]
    lists = [each["class"] for each in page.all("ul") if "class" in each]
    assert lists == ["groups", "pictures", "pictures"]
    assert page.text["Duplicates"] == [
        "Images that are equal byte for byte.",
        *("n01440764 (0)", "a", "n01440764 (0)", "b"),
        *("n01440764 (0)", "c", "n01440764 (0)", "d"),
    ]
    one = Page(report(duplicates=replace(DUPLICATES, groups=groups[:1])))
    assert [each["class"] for each in one.all("ul") if "class" in each] == ["pictures"]


def test_rejected_images_are_counted_by_reason_and_shown() -> None:
    shown = picture("b", "truncated", None)
    by_reason = {"train": {"truncated": 1200, "empty": 1}, "test": {"wrong_kind": 2}}
    html = report(
        rejected=Gallery("Rejected images", "Some of them.", ((shown,),)),
        by_reason=by_reason,
    )
    assert Page(html).text["Rejected images"] == [
        "Some of them.",
        *("Rejected images by reason and split", "Reason", "train", "test"),
        *("empty", "1", "0", "truncated", "1,200", "0", "wrong kind", "0", "2"),
        *("all reasons", "1,201", "2"),
        *("It cannot be decoded.", "n01440764 (0)", "truncated", "b"),
        "Back to the contents",
    ]
    without = Page(report(by_reason=by_reason)).text["Rejected images"]
    assert without[-2:] == ["2", "Back to the contents"]


def everywhere(word: str) -> Page:
    """Returns a report that has a word wherever a caller can put one."""
    gallery = Gallery(word, word, ((Picture(word, word, word, b"J"),),))
    schema = replace(FACTS.schema, class_names=(word,))
    about = replace(
        FACTS.about,
        license=replace(FACTS.about.license, name=word),
        title=word,
        homepage=word,
        description=f"{word}.",
    )
    facts = replace(FACTS, name=word, version=word, about=about, schema=schema)
    splits = tuple(replace(split, name=word) for split in ONE.splits)
    config = replace(ONE, name=word, description=word, splits=splits)
    part = statistics(0) | {"modes": {word: 1}, "warnings": {word: 1}}
    reports = [SplitReport(word, part, (gallery,))]
    by_reason = {word: {word: 1}}
    return Page(report_html(facts, config, reports, gallery, gallery, by_reason, CARD))


def without_gaps(text: str) -> str:
    """Returns a text without what may become a space or be broken at."""
    return re.sub(r"[\s_]", "", text)


@given(st.text(st.sampled_from("<>&\"'=;/!-_. aü"), min_size=1))
@settings(max_examples=60, deadline=None)
def test_texts_show_as_they_are(text: str) -> None:
    plain, odd = everywhere("PLAIN"), everywhere(text)
    kept = [
        [name for name, _, _ in each.elements if name != "wbr"] for each in (plain, odd)
    ]
    assert kept[0] == kept[1]
    expected = without_gaps("".join(plain.words)).replace("PLAIN", without_gaps(text))
    assert expected.count(without_gaps(text)) >= 38
    assert without_gaps("".join(odd.words)) == expected


def test_only_web_addresses_are_links() -> None:
    def links(homepage: str) -> set[str | None]:
        facts = saying(homepage=homepage)
        html = report_html(facts, ONE, [], DUPLICATES, REJECTED, {}, CARD)
        return {each["href"] for each in Page(html).all("a")}

    ours = {CARD, "#content", "#contents", "#part-1", "#part-2", "#part-3"}
    assert links("https://a.b/?c&d") == ours | {"https://a.b/?c&d"}
    assert links("javascript:alert(1)") == ours


def test_the_page_loads_nothing() -> None:
    page = Page(sample_report())
    names = {name for name, _, _ in page.elements}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    sources = [value for _, each, _ in page.elements if (value := each.get("src"))]
    assert len(sources) == 73
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    policy = page.all("meta")[2]
    assert policy["content"] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    )
    styles = sample_report().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in styles
    assert "@import" not in styles


def test_headings_do_not_jump() -> None:
    levels = [level for level, _ in Page(sample_report()).headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert set(levels) == {1, 2, 3, 4}
    assert all(following <= level + 1 for level, following in pairwise(levels))


def test_ids_are_unique_and_known_to_those_who_name_them() -> None:
    page = Page(sample_report())
    ids = [each["id"] for _, each, _ in page.elements if "id" in each]
    assert len(set(ids)) == len(ids)
    named = [each["href"] or "" for each in page.all("a")]
    inner = [name.removeprefix("#") for name in named if name.startswith("#")]
    assert len(inner) == 4 + 2 * (1 + 6) + 1  # a gallery without pictures is left out
    labels = ("aria-labelledby", "aria-describedby")
    told = [
        each[label] for _, each, _ in page.elements for label in labels if label in each
    ]
    assert len(told) == 2 * 2 * 8
    assert {*inner, *told} <= set(ids)


def test_plots_and_tables_say_what_they_are() -> None:
    page = Page(sample_report())
    outer = [
        each
        for name, each, inside in page.elements
        if name == "svg" and "svg" not in inside
    ]
    assert [each["role"] for each in outer] == ["img"] * 16
    assert len(page.all("title")) == 1 + 16
    assert len(page.all("desc")) == 16
    assert len(page.all("details")) == 16
    tables = page.all("table")
    assert len(page.all("caption")) == len(tables)
    heads = [each["scope"] for each in page.all("th")]
    assert set(heads) == {"col", "row"}
    assert len(page.all("tr")) == heads.count("row") + len(tables)
    for name, each, _ in page.elements:
        if name == "div" and each.get("class") == "scroll":
            assert each["tabindex"] == "0"
            assert each["aria-label"]
    assert page.all("html") == [{"lang": "en"}]
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1


def test_equal_facts_give_equal_bytes() -> None:
    reasons = {"empty": 1, "truncated": 2}
    backwards = dict(reversed(reasons.items()))
    gallery = Gallery("Examples", "", ((picture(),),))
    pages = [
        report(statistics(0, 1), gallery, by_reason={"train": each})
        for each in (reasons, reasons, backwards)
    ]
    assert pages[0] == pages[1] == pages[2]


def test_most_of_the_page_is_its_pictures() -> None:
    html = sample_report()
    pictures = sum(len(each["src"] or "") for each in Page(html).all("img"))
    assert len(html) - pictures < 112_000


def halves(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Returns a picture that is blue on the left and red on the right."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (0, 0, size[0] // 2, size[1]))
    return image


def drawn(data: bytes, side: int = 160) -> Image.Image:
    thumbnail = draw_thumbnail(data, side)
    assert thumbnail is not None
    image = Image.open(io.BytesIO(thumbnail))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def assert_halves(image: Image.Image, *, upright: bool = True) -> None:
    """Asserts that one half is blue and the other red, as JPEG keeps them."""
    ends = ((8, 8), (image.width - 8, image.height - 8))
    first, last = (image.getpixel(place) for place in ends)
    assert first == (0, 0, 254)
    assert last == (254, 0, 0)
    assert (image.width > image.height) == upright


@pytest.fixture(params=["resizer", "no resizer"])
def _machine(request: pytest.FixtureRequest) -> None:
    """A machine that can resize, and one that has no wheel for it."""
    if request.param == "no resizer":
        request.getfixturevalue("no_resizer")


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize(
    ("size", "side", "small"),
    [
        ((320, 240), 160, (160, 120)),
        ((240, 320), 160, (120, 160)),
        ((1000, 750), 100, (100, 75)),
        ((1000, 1), 160, (160, 1)),
        ((20, 10), 160, (20, 10)),
        ((1, 1), 160, (1, 1)),
    ],
)
def test_a_thumbnail_fits_its_side(
    size: tuple[int, int], side: int, small: tuple[int, int]
) -> None:
    assert drawn(encoded(Image.new("RGB", size)), side).size == small
    assert drawn(encoded(Image.new("RGB", size), "WEBP"), side).size == small


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_every_kind_of_image_has_a_thumbnail(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert_halves(drawn(encoded(halves(), kind, **options)))


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_thumbnail_is_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    options = {"lossless": True} if kind == "WEBP" else {}
    turned = drawn(encoded(halves(), kind, exif=exif, **options))
    assert turned.size == (120, 160)
    assert_halves(turned, upright=False)


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize(
    "convert",
    [
        lambda image: encoded(image.convert("CMYK"), quality=100),
        lambda image: encoded(image.convert("P"), "PNG"),
        lambda image: encoded(image.convert("P"), "PNG", transparency=b"\x00\x80"),
        lambda image: encoded(image.convert("RGBA"), "PNG"),
    ],
    ids=["cmyk", "palette", "transparent-palette", "alpha"],
)
def test_colours_become_rgb(convert: Callable[[Image.Image], bytes]) -> None:
    expected = drawn(encoded(halves(), quality=100))
    shown = drawn(convert(halves()))
    difference = ImageChops.difference(expected, shown).getextrema()
    assert all(high < 12 for _, high in difference)


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_becomes_rgb(mode: str) -> None:
    grey = Image.new("L", (40, 40), 255)
    image = grey.convert("I").point(lambda v: v * 257) if mode == "I;16" else grey
    assert drawn(encoded(image.convert(mode), "PNG")).getpixel((20, 20)) == (255,) * 3


def test_a_thumbnail_is_small_and_always_the_same() -> None:
    noise = Image.effect_noise((600, 450), 40).convert("RGB")
    data = encoded(noise, quality=95)
    thumbnail = draw_thumbnail(data)
    assert thumbnail is not None
    assert len(thumbnail) < 9_000
    assert thumbnail == draw_thumbnail(data)


@pytest.mark.usefixtures("_machine")
def test_what_cannot_be_decoded_has_no_thumbnail() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "BMP"):
        whole = encoded(Image.effect_noise((300, 300), 90).convert("RGB"), kind)
        assert draw_thumbnail(whole) is not None
        assert draw_thumbnail(whole[: len(whole) // 2]) is None
        assert draw_thumbnail(whole[:10]) is None
    assert draw_thumbnail(b"") is None
    assert draw_thumbnail(b"<html>") is None


@pytest.mark.usefixtures("_machine")
def test_an_image_too_large_to_decode_has_no_thumbnail() -> None:
    header = encoded(Image.new("1", (1, 1)), "BMP")
    large = header[:18] + (20_000).to_bytes(4, "little") * 2 + header[26:]
    assert draw_thumbnail(large) is None


STARTS = [
    encoded(Image.new("RGB", (20, 20)), kind)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP")
]


@settings(deadline=None)
@given(st.sampled_from(STARTS), st.integers(0, 200), st.binary(max_size=40))
def test_no_bytes_make_a_thumbnail_fail(start: bytes, place: int, other: bytes) -> None:
    damaged = start[:place] + other + start[place + len(other) :]
    thumbnail = draw_thumbnail(damaged)
    assert thumbnail is None or thumbnail.startswith(b"\xff\xd8")
