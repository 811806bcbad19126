"""Sums over decoded pixels, for the mean and standard deviation of each channel.

A JPEG is decoded at an eighth of its width and height, where a pixel is the mean of
eight by eight: that takes an eighth of the time. Means stay within 0.001 of those of a
full decode, on a scale from 0 to 1; standard deviations are some 6 % too low, for what
varies within the eight by eight is lost (measured on 200 photos of ILSVRC2012). The
sums are whole numbers, so the order in which images are added makes no difference.
"""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from transforms.images import jpeg, pillow, png

Channels = tuple[int, int, int]

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP")


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
    try:
        rows = _small_rgb(data).reshape(-1, 3)
    except pillow.ERRORS:
        return None
    return Pixels(1, len(rows), _sums(rows), _sums(np.square(rows, dtype=np.uint16)))


def _small_rgb(data: bytes) -> npt.NDArray[np.uint8]:
    if data.startswith(jpeg.START):
        frame = jpeg.read_frame(data, jpeg.read_segments(data))
        # Lossless JPEGs can't be scaled: TurboJPEG 3 writes all of their pixels into
        # the room for an eighth, and goes on behind it.
        if frame is None or not frame.decodable:
            raise ValueError("it is a JPEG of a kind that can't be scaled")
    try:
        small: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, "RGB", min_height=1, min_width=1, strict=False
        )
        return small
    except ValueError:  # no JPEG, or one that TurboJPEG refuses
        if data.startswith(png.SIGNATURE):
            data = png.only_pixels(data, png.read_chunks(data))
        data = jpeg.hide_segments(data, jpeg.EXIF)  # see transforms.codecs
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.mode.startswith("I"):  # 16 bits: the high byte
                high = (np.asarray(image) >> 8).astype(np.uint8)
                return np.repeat(high, 3)
            # By way of RGBA, without which Pillow warns of palettes with transparency.
            plain = image.convert("RGBA") if image.mode == "P" else image
            return np.asarray(plain.convert("RGB"))


def _sums(rows: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Channels:
    red, green, blue = rows.sum(axis=0, dtype=np.int64).tolist()
    return red, green, blue


def _add_channels(parts: Iterable[Channels]) -> Channels:
    red, green, blue = map(sum, zip(*parts, strict=True))
    return red, green, blue
