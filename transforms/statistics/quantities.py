"""What is counted of images: one row a statistic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of images that has a histogram.

    Attributes:
        parts: In how many parts of its unit it is counted.
        title: What it is, in words.
        unit: Its unit, in words.
        values: Gives it, in parts, from images' widths, heights and bytes.
        shaped: Whether it needs width and height, which not every header gives.
    """

    parts: int
    title: str
    unit: str
    values: Callable[[Numbers, Numbers, Numbers], Numbers]
    shaped: bool = True


QUANTITIES: Final = {
    "width": Quantity(1, "Width", "pixels", lambda width, *_: width),
    "height": Quantity(1, "Height", "pixels", lambda _, height, __: height),
    "aspect": Quantity(
        *(1 << 16, "Aspect ratio", "times as wide as high"),
        lambda width, height, _: (width << 16) // height,
    ),
    "megapixels": Quantity(
        *(1_000_000, "Area", "megapixels"), lambda width, height, _: width * height
    ),
    "image_kib": Quantity(
        *(1 << 10, "Encoded size", "KiB"), lambda _, __, size: size, shaped=False
    ),
    "bits_per_pixel": Quantity(
        *(1 << 16, "Encoded size by area", "bits for each pixel"),
        lambda width, height, size: (size << 19) // (width * height),
    ),
}

# What is counted by name, with its title.
COUNTED: Final = {
    "encodings": "File format",
    "modes": "Colour mode",
    "subsamplings": "Chroma subsampling",
    "qualities": "JPEG quality",
    "orientations": "EXIF orientation",
    "progressive": "Scans of JPEGs",
    "warnings": "Warnings",
    "repaired": "Repaired",
}

# Extreme images: by which quantity, and whether the lowest (1) or the highest (-1).
EXTREMES: Final = {
    "smallest": ("megapixels", 1),
    "largest": ("megapixels", -1),
    "most_compressed": ("bits_per_pixel", 1),
    "least_compressed": ("bits_per_pixel", -1),
}
