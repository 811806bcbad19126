"""The pages of a dataset that people open: its card and its report."""

from typing import Final

from transforms import storage
from transforms.formats import FORMATS, Layout, Places

REPORT: Final = "report.html"

# Where the card lies, from the directory of the shards.
CARDS: Final[dict[Layout, str]] = {"tfds": "card.html", "hub": "../README.md"}


def page_uris(places: Places, format_name: str) -> list[str]:
    """Returns where the card and the report of a format lie."""
    directory = places.directory(format_name)
    card = CARDS[FORMATS[format_name].layout]
    if card.startswith("../"):
        card_uri = storage.join(places.root(format_name), card.removeprefix("../"))
    else:
        card_uri = storage.join(directory, card)
    return [card_uri, storage.join(directory, REPORT)]


def size_text(size: int) -> str:
    """Returns a number of bytes as TFDS prints it, such as ``254.22 KiB``."""
    for power, unit in ((5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1 << 10 * power:
            return f"{size / (1 << 10 * power):.2f} {unit}"
    return f"{size} bytes"
