"""Looks at an image, and repairs the few that are not RGB or grey JPEGs.

ILSVRC2012's training archive has 22 CMYK JPEGs and one PNG, all named ``.JPEG``. They
become RGB JPEGs with the very bytes TFDS gives them; every other image passes through
untouched. TFDS knows them by name; here their first bytes tell, so that an archive
packed anew or another dataset is repaired too.

How TFDS converts (``core/utils/image_utils.py``), and what it takes to do the same:

*   CMYK: TensorFlow decodes with libjpeg's fast integer DCT and multiplies each of the
    stored, inverted C, M and Y by K, over 255. TurboJPEG with ``fastdct`` gives those
    values. It refuses some samplings of CMYK; Pillow decodes those, with the accurate
    DCT, which differs from TensorFlow's by less than one level on average, 13 at most.
*   PNG: eight bits a channel, grey made RGB, alpha dropped.
*   Both are saved as Pillow saves at quality 100 with 300 dpi.
"""

import io
import struct
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from transforms.errors import ImageError

Repair = Literal["cmyk", "png"]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8"
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_ADOBE: Final = 0xEE


def needed_repair(data: bytes) -> Repair | None:
    """Returns what an image has to be repaired for, from its first bytes."""
    if data.startswith(_PNG):
        return "png"
    if data.startswith(_JPEG) and jpeg_components(data) == 4:
        return "cmyk"
    return None


def repair_image(data: bytes, repair: Repair) -> bytes:
    """Returns an image as an RGB JPEG.

    Args:
        data: A CMYK or YCCK JPEG, or a PNG.
        repair: What it is.

    Raises:
        ImageError: It can't be decoded.
    """
    try:
        rgb = _cmyk_to_rgb(data) if repair == "cmyk" else _png_to_rgb(data)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow's own words for this name an address in memory.
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "it only begins like one" if unknown else error
        raise ImageError(f"it can't be decoded: {reason}") from error
    encoded = io.BytesIO()
    rgb.save(encoded, "JPEG", quality=100, dpi=(300, 300))
    return encoded.getvalue()


def jpeg_components(data: bytes) -> int:
    """Returns a JPEG's number of colour components, or 0 where it does not say."""
    for marker, at in _segments(data):
        if marker in _START_OF_FRAME:
            return data[at + 7] if at + 7 < len(data) else 0
    return 0


def image_size(data: bytes) -> tuple[int, int] | None:
    """Returns the width and height of a JPEG, PNG or WebP in pixels, as stored.

    They are those of its header; an orientation that EXIF asks for changes nothing.

    Returns:
        None where the header does not say: it is cut off, or of another format.
    """
    width = height = 0
    if data.startswith(_JPEG):
        for marker, at in _segments(data):
            if marker in _START_OF_FRAME and at + 7 <= len(data):
                height, width = struct.unpack_from(">HH", data, at + 3)
    elif data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack_from(">ii", data, 16)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        width, height = _webp_size(data)
    return (width, height) if min(width, height) > 0 else None


def _webp_size(data: bytes) -> tuple[int, int]:
    """Returns a WebP's width and height from its first 30 bytes, or zeros.

    Source: RFC 9649 sections 2.5 to 2.7, and RFC 6386 section 9.1 for ``VP8``.
    """
    match data[12:16]:
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little")
            height = int.from_bytes(data[27:30], "little")
            return width + 1, height + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _segments(data: bytes) -> list[tuple[int, int]]:
    """Returns the markers of a JPEG up to its frame, and where their lengths stand."""
    segments = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        at += 2
        if marker == 0xFF:  # fill bytes may precede a marker
            at -= 1
        elif marker not in _NO_LENGTH:
            segments.append((marker, at))
            if marker in _START_OF_FRAME:
                break
            at += int.from_bytes(data[at : at + 2], "big")
    return segments


def _cmyk_to_rgb(data: bytes) -> Image.Image:
    adobe = any(
        marker == _ADOBE and data[at + 2 : at + 7] == b"Adobe"
        for marker, at in _segments(data)
    )
    stored: npt.NDArray[np.uint8]
    try:
        stored = simplejpeg.decode_jpeg(data, "CMYK", fastdct=True)
    except ValueError:
        with Image.open(io.BytesIO(data)) as image:
            stored = 255 - np.asarray(image)  # Pillow always inverts
    light = (stored if adobe else 255 - stored).astype(np.uint16)
    rgb = light[..., :3] * light[..., 3:] // 255
    return Image.fromarray(rgb.astype(np.uint8))


def _png_to_rgb(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        if image.mode.startswith("I"):  # 16-bit grey: keep the high byte
            high = (np.asarray(image) >> 8).astype(np.uint8)
            return Image.fromarray(high).convert("RGB")
        # By way of RGBA, without which Pillow warns of palettes with transparency.
        return image.convert("RGBA").convert("RGB")
