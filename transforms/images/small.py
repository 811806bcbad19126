"""Decodes images as pictures in RGB, for people to look at and for sums of pixels.

A damaged image has no pixels; the reason is not reported.
"""

import io
import struct
import zlib
from contextlib import suppress
from typing import Final

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from transforms.images import jpeg, png
from transforms.images.resizing import Pixels

# What Pillow raises for bytes that are no image. Its decoders don't bound it, and a
# warning is raised where the user has asked for that. Not in it: MemoryError, which may
# be the machine's fault.
PILLOW_ERRORS: Final = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError),
    *(LookupError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, Warning),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)

_ENCODINGS: Final = ("jpeg", "png", "webp", "bmp")


def decode_small(
    data: bytes,
    encodings: tuple[str, ...] = _ENCODINGS,
    shown_at: int | None = None,
) -> Pixels | None:
    """Returns an image's pixels in RGB, without transparency.

    Args:
        data: An encoded image, or any bytes.
        encodings: What it may be, in the words of ``Header.encoding``.
        shown_at: If it is to be shown, at how many pixels a side: a JPEG has at least
            these. It is upright then, and Pillow decides what is damaged. Else a JPEG
            has an eighth of its pixels a side, and grey where some are missing; a JPEG
            that TurboJPEG refuses has all of its pixels.

    Returns:
        Rows of pixels; None where it can't be decoded.

    Raises:
        MemoryError: It is too large for the machine.
    """
    try:
        if shown_at is not None:
            return _decode_upright(data, encodings, shown_at)
        if data.startswith(jpeg.START):
            _require_scalable(data)
            with suppress(ValueError):
                small: Pixels = simplejpeg.decode_jpeg(
                    data, "RGB", min_height=1, min_width=1, strict=False
                )
                return small
        return _decode_whole(data, encodings)
    except PILLOW_ERRORS:
        return None


def _require_scalable(data: bytes) -> None:
    """Refuses lossless JPEGs, which can't be scaled.

    TurboJPEG 3 writes all of their pixels into the buffer for an eighth, and past its
    end.
    """
    frame = jpeg.read_frame(data, jpeg.read_segments(data))
    if frame is None or not frame.decodable:
        raise ValueError("it is a JPEG of a kind that can't be scaled")


def _decode_upright(data: bytes, encodings: tuple[str, ...], side: int) -> Pixels:
    with Image.open(io.BytesIO(data), formats=encodings) as image:
        image.draft(None, (side, side))
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _decode_whole(data: bytes, encodings: tuple[str, ...]) -> Pixels:
    if data.startswith(png.SIGNATURE):
        data = png.only_pixels(data, png.read_chunks(data))
    data = jpeg.hide_segments(data, jpeg.EXIF)  # see transforms.images.codecs
    with Image.open(io.BytesIO(data), formats=encodings) as image:
        if image.mode.startswith("I"):  # 16 bits: the high byte
            high = (np.asarray(image) >> 8).astype(np.uint8)
            return np.repeat(high[..., None], 3, axis=2)
        # By way of RGBA, without which Pillow warns of palettes with transparency.
        plain = image.convert("RGBA") if image.mode == "P" else image
        return np.asarray(plain.convert("RGB"))
