"""The figure: which images it shows, where, and with which words."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image, ImageDraw, ImageFont

from transforms.documents.figure import CAPTION, CELL, FONT_SIZE, GAP, draw_figure
from transforms.formats.records import Example

NAMES = (
    "tench (n01440764)",
    "goldfish (n01443537)",
    "great white shark (n01484850)",
)
RED, GREEN, BLUE = (254, 0, 0), (0, 128, 1), (0, 0, 254)  # as JPEG keeps them
AROUND = (242, 242, 242)
WHITE = (255, 255, 255)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def example(colour: str, label: int = 0, size: tuple[int, int] = (40, 20)) -> Example:
    return Example("a.JPEG", encoded(Image.new("RGB", size, colour)), label)


def drawn(*examples: Example) -> Image.Image:
    png = draw_figure(examples, NAMES)
    assert png is not None
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return Image.open(io.BytesIO(png))


def box(row: int, column: int) -> tuple[int, int]:
    return GAP + column * (CELL + GAP), GAP + row * (CELL + CAPTION)


def colour(figure: Image.Image, row: int, column: int, x: int, y: int) -> object:
    left, top = box(row, column)
    return figure.getpixel((left + x, top + y))


def captions(figure: Image.Image, row: int, column: int) -> Image.Image:
    left, top = box(row, column)
    return figure.crop((left, top + CELL, left + CELL, top + CELL + CAPTION))


def written(*lines: str) -> Image.Image:
    picture = Image.new("RGB", (CELL, CAPTION), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text(
            (CELL // 2, 18 + 28 * number),
            line,
            (32, 32, 32),
            ImageFont.load_default(FONT_SIZE),
            anchor="mm",
        )
    return picture


def test_nine_images_stand_three_in_a_row() -> None:
    colours = ["red", "green", "blue"] * 3
    figure = drawn(*(example(name) for name in colours), example("yellow"))
    assert (figure.mode, figure.size) == ("RGB", (736, 892))
    for number, expected in enumerate([RED, GREEN, BLUE] * 3):
        row, column = divmod(number, 3)
        assert colour(figure, row, column, 112, 112) == expected


@pytest.mark.parametrize(
    ("count", "size"), [(1, (256, 308)), (2, (496, 308)), (4, (736, 600))]
)
def test_fewer_images_take_less_room(count: int, size: tuple[int, int]) -> None:
    assert drawn(*[example("red")] * count).size == size


def test_images_keep_their_proportions() -> None:
    wide, high = example("red", size=(600, 300)), example("red", size=(10, 20))
    figure = drawn(wide, high)
    assert [colour(figure, 0, 0, 112, y) for y in (0, 50, 62, 162, 174, 223)] == [
        *(AROUND, AROUND, RED, RED, AROUND, AROUND)
    ]
    assert [colour(figure, 0, 1, x, 112) for x in (0, 50, 62, 162, 174, 223)] == [
        *(AROUND, AROUND, RED, RED, AROUND, AROUND)
    ]


def test_captions_give_name_and_number() -> None:
    figure = drawn(example("red", 0), example("red", 2), example("red", -1))
    for column, lines in enumerate(
        (["tench", "n01440764"], ["great white shark", "n01484850"], ["no label"])
    ):
        assert captions(figure, 0, column).tobytes() == written(*lines).tobytes()


def test_a_long_caption_is_cut_to_its_cell() -> None:
    png = draw_figure([example("red")] * 2, ["tench, Tinca tinca, a freshwater fish"])
    assert png is not None
    figure = Image.open(io.BytesIO(png))
    cut = written("tench, Tinca tinca, ...")
    assert captions(figure, 0, 0).tobytes() == cut.tobytes()
    between = figure.crop((GAP + CELL, 0, GAP + CELL + GAP, figure.height))
    assert between.getcolors() == [(GAP * figure.height, WHITE)]


def test_every_kind_of_image_is_shown_upright_and_in_colour() -> None:
    halves = Image.new("RGB", (32, 32), "red")
    halves.paste("blue", (0, 0, 16, 32))  # blue on the left, red on the right
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned a quarter clockwise
    figure = drawn(
        Example("rotated", encoded(halves, exif=turned), 0),
        Example("grey", encoded(Image.new("L", (32, 16), 90)), 0),
        Example("cmyk", encoded(Image.new("CMYK", (32, 16), (0, 255, 255, 0))), 0),
        Example("palette", encoded(halves.convert("P"), "PNG"), 0),
        Example("alpha", encoded(halves.convert("RGBA"), "PNG"), 0),
    )
    assert colour(figure, 0, 0, 112, 20) == BLUE
    assert colour(figure, 0, 0, 112, 200) == RED
    assert colour(figure, 0, 1, 112, 112) == (90, 90, 90)
    assert colour(figure, 0, 2, 112, 112) == (255, 0, 0)
    for column in (1, 2):
        assert colour(figure, 0, column, 112, 20) == AROUND
    for column in (0, 1):
        assert colour(figure, 1, column, 20, 112) == (0, 0, 255)
        assert colour(figure, 1, column, 200, 112) == (255, 0, 0)


def test_damaged_images_are_passed_over() -> None:
    good = example("green", 1)
    large = example("green", size=(400, 400)).image
    flat = encoded(Image.new("RGB", (5000, 1), "red"), "PNG")
    damaged = [
        Example("no image", b"nothing", 0),
        Example("empty", b"", 0),
        Example("cut off", large[: len(large) // 2], 0),
        Example("no height is left", flat, 0),
    ]
    assert draw_figure(damaged, NAMES) is None
    assert draw_figure([*damaged, good], NAMES) == draw_figure([good], NAMES)


def test_no_more_than_sixty_examples_are_looked_at() -> None:
    taken = 0

    def many() -> Iterator[Example]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield Example("no image", b"nothing", 0)

    assert draw_figure(many(), NAMES) is None
    assert taken == 60


def test_no_more_examples_are_taken_than_are_shown() -> None:
    examples = iter([example("red")] * 20)
    assert draw_figure(examples, NAMES) is not None
    assert len(list(examples)) == 11


def test_equal_examples_give_equal_bytes() -> None:
    examples = [example("red"), example("blue", 1)]
    assert draw_figure(examples, NAMES) == draw_figure(iter(examples), NAMES)
