"""Sums over decoded pixels, for the mean and standard deviation of each channel.

A JPEG is decoded at an eighth of its width and height, where a pixel is the mean of
eight by eight: that takes an eighth of the time. Means stay within 0.001 of those of a
full decode, on a scale from 0 to 1; standard deviations are some 6 % too low, for what
varies within the eight by eight is lost (measured on 200 photos of ILSVRC2012). The
sums are whole numbers, so the order in which images are added makes no difference.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.images import decode_small

Channels = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Pixels:
    """Sums over the pixels of images.

    Attributes:
        images: Number of images decoded.
        count: Number of pixels.
        totals: Sum of red, of green and of blue, each from 0 to 255.
        squares: Sum of their squares.
    """

    images: int
    count: int
    totals: Channels
    squares: Channels

    def mean(self) -> list[float]:
        """Returns the mean of each channel, from 0 to 1."""
        return [total / (255 * self.count) for total in self.totals]

    def standard_deviation(self) -> list[float]:
        """Returns the standard deviation of each channel's pixels, from 0 to 1."""
        return [
            math.sqrt(self.count * square - total * total) / (255 * self.count)
            for total, square in zip(self.totals, self.squares, strict=True)
        ]

    def document(self) -> dict[str, Any]:
        """Returns the numbers for JSON."""
        return {
            "images": self.images,
            "count": self.count,
            "mean": self.mean(),
            "standard_deviation": self.standard_deviation(),
        }


def add_pixels(parts: Iterable[Pixels | None]) -> Pixels | None:
    """Returns the sums over the pixels of all parts; None where no part has any."""
    some = [part for part in parts if part is not None]
    if not some:
        return None
    return Pixels(
        sum(part.images for part in some),
        sum(part.count for part in some),
        _add_channels(part.totals for part in some),
        _add_channels(part.squares for part in some),
    )


def sample_pixels(data: bytes) -> Pixels | None:
    """Returns the sums over an image's pixels as RGB, from a decode at an eighth.

    What is no JPEG, and the rare one that TurboJPEG refuses, is decoded whole.

    Returns:
        None where it can't be decoded, and for lossless JPEGs.
    """
    small = decode_small(data)
    if small is None:
        return None
    rows = small.reshape(-1, 3)
    return Pixels(1, len(rows), _sums(rows), _sums(np.square(rows, dtype=np.uint16)))


def _sums(rows: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Channels:
    red, green, blue = rows.sum(axis=0, dtype=np.int64).tolist()
    return red, green, blue


def _add_channels(parts: Iterable[Channels]) -> Channels:
    red, green, blue = map(sum, zip(*parts, strict=True))
    return red, green, blue
