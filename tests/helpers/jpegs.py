"""JPEGs put together from segments, for tests."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image

NOISE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
PROFILE = bytes(16) + b"RGB " + bytes(range(256)) * 600  # takes three segments
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + b"more"
PHOTOSHOP = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"


def tiff(orientation: int, order: str = "<") -> bytes:
    """Returns EXIF of two entries, the second of them an orientation."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return mark + struct.pack(
        order + "IHHHI4sHHIHHI",
        *(8, 2, 0x010F, 2, 4, b"abc\0", 0x0112, 3, 1, orientation, 0, 0),
    )


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def save(**options: Any) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(NOISE).save(encoded, "JPEG", **options)
    return encoded.getvalue()


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """Puts segments after the JFIF header."""
    return data[:20] + b"".join(segments) + data[20:]


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.tobytes()


BASE = save()
NOISE_PIXELS = pixels(BASE)
EXIF = segment(0xE1, b"Exif\0\0" + tiff(6))
XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET)
EXTENDED = segment(0xE1, EXTENSION)
ICC = b"".join(
    segment(0xE2, b"ICC_PROFILE\0" + bytes((n + 1, 3)) + PROFILE[n * 65519 :][:65519])
    for n in range(3)
)
IPTC = segment(0xED, PHOTOSHOP)
OTHER_APP13 = segment(0xED, b"Adobe_CM\0")
FLASHPIX = segment(0xE2, b"FPXR\0\0")
SEVERAL = segment(  # a table of one picture
    0xE2,
    b"MPF\0II*\0"
    + struct.pack("<IHHHIIHHIII", 8, 2, 0xB001, 4, 1, 1, 0xB002, 7, 16, 38, 0)
    + bytes(16),
)
THUMBNAIL = segment(0xE0, b"JFXX\0\x13\x01\x01abc")
ADOBE = segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
COMMENT = segment(0xFE, b"ICC_PROFILE\0 in a comment")
LADEN = with_segments(
    BASE,
    *(THUMBNAIL, EXIF, XMP, EXTENDED, ICC, SEVERAL, IPTC, OTHER_APP13, FLASHPIX),
    *(ADOBE, COMMENT),
)
