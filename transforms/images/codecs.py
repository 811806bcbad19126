"""Decodes and encodes images, with TurboJPEG and Pillow.

TurboJPEG releases the GIL. ``docs/performance.md`` says which library does what, and
why.

TurboJPEG decodes, and stops at libjpeg's first warning. Then Pillow decodes: it ignores
warnings, but distinguishes an image that ends too early from one that is damaged. Both
use libjpeg-turbo, so the pixels are the same. Pillow decides about every image: what it
refuses to load is rejected.

Where pixels are wanted, Pillow is given only the parts that decide them. It is never
given EXIF: its warnings about EXIF cannot be silenced for one thread alone, and it
copies as many bytes as an entry claims to hold, which may be gigabytes.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile, PngInfo

from transforms.images import jpeg, jpeg_metadata, png
from transforms.images.metadata import Metadata
from transforms.images.policy import ImagePolicy, RejectedImage
from transforms.images.resizing import Pixels
from transforms.images.small import PILLOW_ERRORS

_MISSING_END: Final = "missing_end"

# libjpeg's warnings by a part of their text, and the code that counts them.
_WARNINGS: Final = {
    "extraneous bytes before marker": "extraneous_bytes",
    "premature end of data segment": "missing_data",
    "bad Huffman code": "bad_code",
    "bad arithmetic code": "bad_code",
    "instead of RST": "lost_restart",
    "Inconsistent progression": "inconsistent_scans",
    "Invalid SOS parameters": "inconsistent_scans",
    "unknown JFIF revision": "unknown_header",
    "Unknown Adobe color transform": "unknown_header",
    "Premature end of JPEG file": _MISSING_END,
}
WARNINGS: Final = (
    *dict.fromkeys(_WARNINGS.values()),
    "metadata_dropped",  # ours: the new encoding cannot hold it
)

# TurboJPEG encodes with a fast DCT below quality 96, and with the exact one from there.
# What the fast one loses shows above quality 90.
_FAST_UP_TO: Final = 90
_EXACT_FROM: Final = 96

# Pillow inflates up to a megabyte of each such chunk of a PNG.
_INFLATED: Final = frozenset({b"iCCP", b"zTXt", b"iTXt"})
_MOST_INFLATED: Final = 500

MOST_PIXELS_A_SIDE: Final = {"jpeg": 65_500, "webp": 16_383, "png": (1 << 31) - 1}


def decode_jpeg(
    data: bytes, segments: list[jpeg.Segment], frame: jpeg.Frame, scale: int = 1
) -> tuple[Pixels, tuple[str, ...]]:
    """Returns a JPEG's pixels, grey or RGB, and libjpeg's warnings.

    CMYK and YCCK become RGB as in TFDS (see ``transforms.images``).

    Args:
        data: A JPEG.
        segments: Its segments.
        frame: Its frame.
        scale: 1, 2, 4 or 8: how many pixels become one along each side, rounded up.

    Raises:
        RejectedImage: It ends too early, or can't be decoded.
    """
    space = _space(frame)
    pixels, warnings = _decode(data, frame, space, scale)
    if space == "CMYK":
        inverted = jpeg.is_adobe(data, segments)
        light = (pixels if inverted else 255 - pixels).astype(np.uint16)
        pixels = (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)
    return pixels, warnings


def check_jpeg(data: bytes, frame: jpeg.Frame) -> tuple[str, ...]:
    """Returns libjpeg's warnings of a JPEG that Pillow loads in its default settings.

    Args:
        data: A JPEG.
        frame: Its frame.

    Raises:
        RejectedImage: Pillow refuses to load it.
    """
    complaint = ""
    try:
        _decode_strictly(data, frame, _space(frame), 8)
    except ValueError as error:
        complaint = str(error)
    with _pillow_errors():
        image = JpegImageFile(io.BytesIO(jpeg.hide_segments(data, jpeg.EXIF)))
        if complaint:
            image.load()
    return _warnings_in(complaint)


def check_png(data: bytes, chunks: Sequence[png.Chunk]) -> tuple[str, ...]:
    """Returns the warnings of a PNG that Pillow loads in its default settings.

    A PNG of indices without a palette is rejected too: no other decoder loads it.

    Args:
        data: A PNG.
        chunks: Its chunks.

    Raises:
        RejectedImage: Pillow refuses to load it.
    """
    if sum(kind in _INFLATED for kind, *_ in chunks) > _MOST_INFLATED:
        raise RejectedImage(
            "undecodable",
            f"it can't be decoded: it has more than {_MOST_INFLATED:,} compressed "
            "texts and profiles",
        )
    with _pillow_errors():
        image = PngImageFile(io.BytesIO(png.without_odd_animation(data, chunks)))
        image.load()
        _require_palette(image)
    return missing_end(png.is_ended(chunks))


def missing_end(ended: bool) -> tuple[str, ...]:
    """Returns the warning of an image that has no end."""
    return () if ended else (_MISSING_END,)


def decode_png(data: bytes, chunks: list[png.Chunk], header: png.Header) -> Pixels:
    """Returns a PNG's pixels, of sixteen bits the high ones.

    Pixels of the one grey or colour that ``tRNS`` names are transparent. Pillow applies
    this to colours and to grey of one and eight bits only. Of sixteen bits of a colour
    it keeps the eight high ones, so these are compared.

    Args:
        data: A PNG.
        chunks: Its chunks.
        header: Its header.

    Raises:
        RejectedImage: It ends too early, or can't be decoded.
    """
    bare = png.only_pixels(data, chunks)
    with _pillow_errors():
        image = PngImageFile(io.BytesIO(bare))
        _load(image, (header.width, header.height))
        pixels = _to_eight_bits(image, header.bits)
    return pixels.reshape(header.height, header.width, -1)


def _to_eight_bits(image: Image.Image, bits: int) -> Pixels:
    _require_palette(image)
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        grey = (values >> 8).astype(np.uint8)
        return grey if transparent is None else _with_key(grey, values == transparent)
    if image.mode == "L" and bits in (2, 4) and transparent is not None:
        # Pillow spreads the values over eight bits, and leaves out this one.
        grey = np.asarray(image)
        return _with_key(grey, grey == transparent * (255 // ((1 << bits) - 1)))
    if isinstance(transparent, int) and image.palette is not None:
        # Pillow fails where the palette lacks the index.
        if transparent >= len(image.palette.palette) // 3:
            del image.info["transparency"]
    elif isinstance(transparent, bytes):
        image.info["transparency"] = transparent[:256]  # or where there are more
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    mode += "A" if image.has_transparency_data else ""
    return np.asarray(image.convert(mode))


def _with_key(grey: Pixels, transparent: npt.NDArray[np.bool_]) -> Pixels:
    """Returns grey and transparency."""
    return np.stack([grey, np.where(transparent, 0, 255).astype(np.uint8)], axis=-1)


def _require_palette(image: Image.Image) -> None:
    if image.mode == "P" and image.palette is None:
        raise ValueError("it has no palette")


def convert_colours(pixels: Pixels, policy: ImagePolicy) -> Pixels:
    """Returns pixels in the colours that the policy and its encoding allow.

    JPEG drops transparency, so that pixels show which it hid; WebP has no grey.
    """
    channels = pixels.shape[2]
    if policy.colour == "rgb":
        return to_rgb(pixels)
    if policy.encoding == "jpeg" and channels in (2, 4):
        return pixels[..., :-1]
    return pixels


def to_rgb(pixels: Pixels) -> Pixels:
    """Returns pixels as RGB, without transparency."""
    return pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., :1].repeat(3, axis=2)


def to_pillow(pixels: Pixels) -> Image.Image:
    """Returns an image of Pillow's with these pixels."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def encode_image(pixels: Pixels, policy: ImagePolicy, metadata: Metadata) -> bytes:
    """Returns an encoded image.

    Args:
        pixels: In colours as ``convert_colours`` leaves them.
        policy: Says how it is encoded.
        metadata: What to put in, as much as ``fit_metadata`` leaves for the encoding.

    Raises:
        OSError: A progressive or optimised JPEG would take two bytes a pixel.
    """
    if policy.encoding == "jpeg":
        data = _encode_jpeg(pixels, policy)
        return jpeg_metadata.insert_metadata(data, metadata)
    image = to_pillow(pixels)
    encoded = io.BytesIO()
    options = {"exif": metadata.exif, "icc_profile": metadata.icc or None}
    if policy.encoding == "webp":
        quality = policy.quality
        image.save(encoded, "WEBP", quality=quality, xmp=metadata.xmp, **options)
    else:
        texts = PngInfo()
        if metadata.xmp:
            texts.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode())
        image.save(encoded, "PNG", optimize=policy.optimize, pnginfo=texts, **options)
    return encoded.getvalue()


def _encode_jpeg(pixels: Pixels, policy: ImagePolicy) -> bytes:
    too_fast = _FAST_UP_TO < policy.quality < _EXACT_FROM
    if too_fast or policy.progressive or policy.optimize:
        return _encode_jpeg_with_pillow(pixels, policy)
    grey = pixels.shape[2] == 1
    encoded: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels),
        policy.quality,
        "GRAY" if grey else "RGB",
        "Gray" if grey else policy.subsampling.replace(":", ""),
    )
    return encoded


def _encode_jpeg_with_pillow(pixels: Pixels, policy: ImagePolicy) -> bytes:
    encoded = io.BytesIO()
    to_pillow(pixels).save(
        encoded,
        "JPEG",
        # Where it has to hold the whole file, Pillow allots two bytes a pixel for given
        # tables. For a quality it allots fewer, which a detailed image may overrun.
        qtables=_quantization(policy.quality),
        subsampling=policy.subsampling,
        progressive=policy.progressive,
        optimize=policy.optimize,
    )
    return encoded.getvalue()


@cache
def _quantization(quality: int) -> list[list[int]]:
    """Returns the tables that a quality stands for: for light, and for colours."""
    encoded = io.BytesIO()
    Image.new("RGB", (1, 1)).save(encoded, "JPEG", quality=quality)
    tables = JpegImageFile(io.BytesIO(encoded.getvalue())).quantization
    return [tables[0], tables[1]]


def _space(frame: jpeg.Frame) -> str:
    """Returns the colours to decode to."""
    return {1: "GRAY", 3: "RGB"}.get(frame.components, "CMYK")


def _decode(
    data: bytes, frame: jpeg.Frame, space: str, scale: int
) -> tuple[Pixels, tuple[str, ...]]:
    try:
        return _decode_strictly(data, frame, space, scale), ()
    except ValueError as error:
        complaint = str(error)
    bare = jpeg.hide_segments(data, jpeg.EXIF, jpeg.ICC, jpeg.PHOTOSHOP)
    size = frame.width, frame.height
    with _pillow_errors():
        image = JpegImageFile(io.BytesIO(bare))
        _load(image, size, scale)
        pixels = np.asarray(image)
    if space == "GRAY":
        pixels = pixels[..., None]
    elif space == "CMYK":
        pixels = 255 - pixels  # Pillow always inverts
    return pixels, _warnings_in(complaint)


def _warnings_in(complaint: str) -> tuple[str, ...]:
    return tuple(code for words, code in _WARNINGS.items() if words in complaint)


def _decode_strictly(data: bytes, frame: jpeg.Frame, space: str, scale: int) -> Pixels:
    """Returns the pixels; raises ValueError for libjpeg's warnings too."""
    least = (0, 0)
    if scale > 1:
        least = math.ceil(frame.height / scale), math.ceil(frame.width / scale)
    pixels: Pixels = simplejpeg.decode_jpeg(
        data,
        space,
        fastdct=space == "CMYK",  # as TensorFlow
        min_height=least[0],
        min_width=least[1],
    )
    return pixels


def _load(image: ImageFile, size: tuple[int, int], scale: int = 1) -> None:
    if image.size != size:
        raise ValueError("it has headers of different sizes")
    image.draft(None, (max(1, size[0] // scale), max(1, size[1] // scale)))
    image.load()


@contextmanager
def _pillow_errors() -> Iterator[None]:
    """Rejects an image in place of what Pillow raises.

    Call Pillow's classes directly: ``Image.open`` warns about large images.
    """
    try:
        yield
    except PILLOW_ERRORS as error:
        reason = "truncated" if "truncated" in str(error) else "undecodable"
        raise RejectedImage(reason, f"it can't be decoded: {error}") from error
