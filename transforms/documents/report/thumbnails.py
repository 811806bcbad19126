"""Draws thumbnails: small JPEGs of whatever an image is, for people to look at.

JPEGs and PNGs go the way of the policy ``resize``, with its bounds; what a dataset may
hold besides, and what is rejected as of the wrong kind, is left to Pillow. So is all of
it on a machine that cannot resize, and thumbnails have other bytes there.
"""

import io
from typing import Final

import numpy as np
from PIL import Image

from transforms.images import (
    Header,
    ImagePolicy,
    RejectedImage,
    can_resize,
    decode_small,
    read_header,
    to_pillow,
    treat_image,
    turn_image,
)

_QUALITY: Final = 75
_OWN_ENCODINGS: Final = ("jpeg", "png")
_OTHER_ENCODINGS: Final = ("webp", "bmp")  # a GIF may outgrow what its header says
_MOST_PIXELS: Final = 50_000_000  # of what Pillow decodes, most of it whole
_BOUNDS: Final = ImagePolicy()


def draw_thumbnail(data: bytes, side: int = 160) -> bytes | None:
    """Returns an image as a small RGB JPEG, upright as EXIF asks for.

    Args:
        data: An encoded image, or any bytes.
        side: Pixels of the thumbnail's longer side; smaller images keep their size.

    Returns:
        None where the image cannot be decoded; nothing is raised, whatever the bytes.
    """
    if len(data) > _BOUNDS.max_bytes:
        return None
    header = read_header(data)
    own = () if can_resize() else _OWN_ENCODINGS
    if header.encoding in (*_OTHER_ENCODINGS, *own):
        pixels = (header.width or 0) * (header.height or 0)
        if not 0 < pixels <= _MOST_PIXELS:
            return None
        return _draw_with_pillow(data, side, header)
    policy = ImagePolicy(
        policy="resize",
        longest_side=side,
        quality=_QUALITY,
        orientation="apply",
        colour="rgb",
        exif="strip",
        xmp="strip",
        icc="strip",
    )
    try:
        return treat_image(data, policy).data
    except RejectedImage:
        return None


def _draw_with_pillow(data: bytes, side: int, header: Header) -> bytes | None:
    # A JPEG is decoded at a scale, and is upright then.
    scale = side if header.encoding == "jpeg" else None
    try:
        pixels = decode_small(data, (header.encoding,), shown_at=scale)
        if pixels is None:
            return None
        small = Image.fromarray(pixels)
        small.thumbnail((side, side))
    except MemoryError:
        return None
    encoded = io.BytesIO()
    orientation = 1 if scale else header.orientation
    upright = to_pillow(turn_image(np.asarray(small), orientation))
    upright.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()
