"""The figure of a dataset: a grid of its first images, each with its class.

The layout is that of ``tfds.show_examples``, three by three. Nothing in the picture
depends on fonts or settings of the machine, so equal examples give equal bytes.
"""

import io
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from transforms.documents.facts import class_text
from transforms.formats import Example
from transforms.images import decode_small

COLUMNS: Final = 3
MOST_IMAGES: Final = 9
_ENCODINGS: Final = ("jpeg", "png", "webp")  # which a dataset may hold
MOST_EXAMPLES: Final = 60  # how far to look for images that decode

# In pixels.
CELL: Final = 224
GAP: Final = 16
CAPTION: Final = 68
FONT_SIZE: Final = 24  # to be read on a phone, at half the size
LINE: Final = 28

_CELL_COLOUR: Final = (242, 242, 242)
_TEXT_COLOUR: Final = (32, 32, 32)


def draw_figure(
    examples: Iterable[Example], shown_classes: Sequence[str]
) -> bytes | None:
    """Returns a PNG of the first nine images that decode, three in a row.

    Args:
        examples: Where to look; no more than 60 are taken.
        shown_classes: What class ``i`` is called, at position ``i``.

    Returns:
        The encoded RGB picture; None where no image decodes.
    """
    decoded = (
        (cell, class_text(example.label, shown_classes))
        for example in islice(examples, MOST_EXAMPLES)
        if (cell := _draw_cell(example.image)) is not None
    )
    shown = list(islice(decoded, MOST_IMAGES))
    if not shown:
        return None
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // COLUMNS)
    size = (GAP + columns * (CELL + GAP), GAP + rows * (CELL + CAPTION))
    figure = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(figure)
    font = ImageFont.load_default(FONT_SIZE)
    for number, (cell, caption) in enumerate(shown):
        row, column = divmod(number, COLUMNS)
        left = GAP + column * (CELL + GAP)
        top = GAP + row * (CELL + CAPTION)
        figure.paste(cell, (left, top))
        for line, text in enumerate(_lines(caption)):
            while draw.textlength(text, font) > CELL:
                text = text.removesuffix("...")[:-1] + "..."
            middle = (left + CELL // 2, top + CELL + LINE // 2 + 4 + line * LINE)
            draw.text(middle, text, _TEXT_COLOUR, font, anchor="mm")
    encoded = io.BytesIO()
    # Half the time of the best compression, for a hundredth more bytes.
    figure.save(encoded, "PNG", compress_level=4)
    return encoded.getvalue()


def _lines(caption: str) -> list[str]:
    """Returns a caption in two lines: what the class is called, and its name."""
    title, bracket, name = caption.rpartition(" (")
    return [title, name.removesuffix(")")] if bracket else [caption]


def _draw_cell(data: bytes) -> Image.Image | None:
    """Returns an image in the middle of a square, upright; None if it is damaged."""
    try:
        pixels = decode_small(data, _ENCODINGS, shown_at=2 * CELL)
        if pixels is None:
            return None
        image, size = Image.fromarray(pixels), (CELL, CELL)
        return ImageOps.pad(image, size, Image.Resampling.LANCZOS, _CELL_COLOUR)
    except (ValueError, MemoryError):  # nothing is left of it, or it is too large
        return None
