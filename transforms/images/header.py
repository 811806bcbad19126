"""Reads an image's header, without decoding.

One pass over the markers or chunks before the pixels. It runs on every image of a
dataset and holds the GIL, so it uses slices and table look-ups only. Every sequence of
bytes gives a header: what cannot be read keeps its default. It does not check whether
the image can be decoded.

Sources: ITU-T T.81 Annexes B and K (JPEG), EXIF 2.32 and TIFF 6.0 (orientation), W3C
PNG 11.2, RFC 9649 and RFC 6386 (WebP), GIF89a, and libjpeg's scale of qualities.
"""

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from transforms.images import jpeg, png, png_metadata
from transforms.images.metadata import read_orientation


@dataclass(frozen=True, slots=True)
class Header:
    """What an image's header says.

    Attributes:
        encoding: ``jpeg``, ``png``, ``webp``, ``gif``, ``bmp``, ``tiff`` or
            ``unknown``.
        width: Width in pixels as stored, whatever the orientation; None where unknown.
        height: Height in pixels as stored; None where unknown.
        mode: Pillow's name of its colours: ``1``, ``L``, ``LA``, ``P``, ``RGB``,
            ``RGBA``, ``CMYK``, ``I;16``; besides these ``YCCK``, which Pillow calls
            CMYK, and ``unknown``.
        subsampling: Of a JPEG's colours: ``4:4:4``, ``4:2:2``, ``4:2:0``, ``4:4:0``,
            ``4:1:1`` or ``other``; empty for grey and for other encodings.
        quality: Of a JPEG on libjpeg's scale from 1 to 100. It is exact where the
            luminance table is one of libjpeg's hundred; else it is that of the table
            whose sum is nearest, which quantises about as coarsely. None for
            other encodings and where there is no table.
        progressive: Whether it is a progressive JPEG.
        bits: Bits of each channel, or of a palette's indices; 0 where unknown.
        orientation: EXIF's, from 1 to 8; 1 where there is none.
    """

    encoding: str
    width: int | None = None
    height: int | None = None
    mode: str = "unknown"
    subsampling: str = ""
    quality: int | None = None
    progressive: bool = False
    bits: int = 0
    orientation: int = 1


def read_header(data: bytes) -> Header:
    """Returns an image's header; of bytes that are no image, the defaults."""
    if data.startswith(b"\xff\xd8"):
        return read_jpeg(data, jpeg.read_segments(data))
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _read_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp(data)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        width, height = _little(data[6:8]), _little(data[8:10])
        return Header("gif", width or None, height or None, "P", bits=8)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _read_tiff(data)
    if data.startswith(b"BM"):
        return _read_bmp(data)
    return Header("unknown")


_DQT: Final = 0xDB
_APP1: Final = 0xE1
_APP14: Final = 0xEE
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_JPEG_MODES: Final = {1: "L", 3: "RGB", 4: "CMYK"}
_SUBSAMPLINGS: Final = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
}

# T.81 table K.1 in the order in which a file has it.
_LUMINANCE: Final = (
    *(16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40),
    *(26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51),
    *(56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87),
    *(95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99),
)


def _luminance_table(quality: int) -> bytes:
    """Returns libjpeg's luminance table of a quality, bounded to a byte an entry."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return bytes(min(max((k * scale + 50) // 100, 1), 255) for k in _LUMINANCE)


_QUALITIES: Final = {_luminance_table(quality): quality for quality in range(1, 101)}
_SUMS: Final = sorted(map(sum, _QUALITIES))  # that of quality 100 comes first


def read_jpeg(data: bytes, segments: Iterable[jpeg.Segment]) -> Header:
    """Returns a JPEG's header, from its segments up to the first scan."""
    tables: dict[int, bytes] = {}
    marker_of_frame, frame, adobe, exif = 0, b"", b"", b""
    for marker, _, body, end in segments:
        if marker == _DQT:
            place = body
            while place < min(end, len(data)):
                kind = data[place]
                entries = data[place + 1 : place + (129 if kind >> 4 else 65)]
                tables[kind & 15] = entries
                place += 1 + len(entries)
        elif marker in jpeg.FRAMES:
            if not frame:
                marker_of_frame, frame = marker, data[body:end]
        elif marker == _APP1:
            if not exif and data.startswith(jpeg.EXIF, body, end):
                exif = data[body + len(jpeg.EXIF) : end]
        elif marker == _APP14 and data.startswith(b"Adobe", body, end):
            adobe = data[body:end]
    if len(frame) < 9:
        return Header("jpeg")
    components = frame[5]
    mode = _JPEG_MODES.get(components, "unknown")
    return Header(
        "jpeg",
        (frame[3] << 8 | frame[4]) or None,
        (frame[1] << 8 | frame[2]) or None,
        "YCCK" if components == 4 and adobe[11:12] == b"\x02" else mode,
        _subsampling(frame[7 : 6 + 3 * components : 3]),
        _quality(tables.get(frame[8], b"")),
        marker_of_frame in _PROGRESSIVE,
        frame[0],
        read_orientation(exif) if exif else 1,
    )


def _subsampling(factors: bytes) -> str:
    """Returns the name of a JPEG's sampling factors, one byte a component."""
    if len(factors) < 3:
        return ""
    across, down = factors[0] >> 4, factors[0] & 15
    chroma = factors[1]
    # Both chroma components alike, and the black of CMYK as fine as the first.
    if factors[1:] in (bytes((chroma, chroma)), bytes((chroma, chroma, factors[0]))):
        x, y = chroma >> 4, chroma & 15
        if x and y and across % x == 0 and down % y == 0:
            return _SUBSAMPLINGS.get((across // x, down // y), "other")
    return "other"


def _quality(table: bytes) -> int | None:
    """Returns the quality that a luminance table stands for."""
    if len(table) == 128:  # two bytes an entry: libjpeg's where it is not bounded
        table = bytes(min(_big(table[i : i + 2]), 255) for i in range(0, 128, 2))
    if (exact := _QUALITIES.get(table)) is not None:
        return exact
    if len(table) != 64:
        return None
    coarseness = sum(table)
    above = max(bisect(_SUMS, coarseness), 1)
    nearer = coarseness - _SUMS[above - 1] > _SUMS[above] - coarseness
    return 100 - above if nearer else 101 - above


def _read_png(data: bytes) -> Header:
    width, height = _pixels(_big(data[16:20])), _pixels(_big(data[20:24]))
    if data[12:16] != b"IHDR" or len(data) < 26:
        return Header("png")
    bits, colours = data[24], data[25]
    mode = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}.get(colours, "unknown")
    if colours == 0:
        mode = {1: "1", 16: "I;16"}.get(bits, mode)
    # Unlike everything else here, it may come after the pixels.
    orientation = read_orientation(png_metadata.read_exif(data, png.read_chunks(data)))
    return Header("png", width, height, mode, bits=bits, orientation=orientation)


def _read_webp(data: bytes) -> Header:
    if len(data) < 30:
        return Header("webp")
    width = height = 0
    alpha, orientation = False, 1
    match data[12:16]:
        case b"VP8X":
            width, height = _little(data[24:27]) + 1, _little(data[27:30]) + 1
            alpha = bool(data[20] & 0x10)
            if data[20] & 0x08:
                orientation = read_orientation(_webp_exif(data))
        case b"VP8L":
            packed = _little(data[21:25])
            width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
            alpha = bool(packed >> 28 & 1)
        case b"VP8 ":
            width, height = _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
        case _:
            return Header("webp")
    mode = "RGBA" if alpha else "RGB"
    return Header(
        "webp", width or None, height or None, mode, bits=8, orientation=orientation
    )


def _webp_exif(data: bytes) -> bytes:
    at = 12
    while at + 8 <= len(data):
        size = _little(data[at + 4 : at + 8])
        if data[at : at + 4] == b"EXIF":
            return data[at + 8 : at + 8 + size].removeprefix(jpeg.EXIF)
        at += 8 + size + size % 2
    return b""


def _read_bmp(data: bytes) -> Header:
    if len(data) < 30:
        return Header("bmp")
    if _little(data[14:18]) == 12:  # OS/2's header
        width, height = _little(data[18:20]), _little(data[20:22])
        bits = _little(data[24:26])
    else:
        # A negative height means rows from the top; a negative width means nothing.
        width = int.from_bytes(data[18:22], "little", signed=True)
        height = abs(int.from_bytes(data[22:26], "little", signed=True))
        bits = _little(data[28:30])
    mode = "P" if bits <= 8 else "RGB"
    return Header("bmp", _pixels(width), _pixels(height), mode, bits=min(bits, 8))


def _read_tiff(data: bytes) -> Header:
    tags = _tags(data)
    bits, samples = tags.get(258, 1), tags.get(277, 1)
    match tags.get(262), samples:
        case ((0 | 1), 1):
            mode = {1: "1", 8: "L", 16: "I;16"}.get(bits, "unknown")
        case ((0 | 1), 2):
            mode = "LA"
        case 2, (3 | 4):
            mode = "RGB" if samples == 3 else "RGBA"
        case 3, 1:
            mode = "P"
        case 5, 4:
            mode = "CMYK"
        case 6, 3:
            mode = "RGB"
        case _:
            mode = "unknown"
    return Header(
        "tiff",
        _pixels(tags.get(256, 0)),
        _pixels(tags.get(257, 0)),
        mode,
        bits=bits,
        orientation=read_orientation(data),
    )


def _tags(tiff: bytes) -> dict[int, int]:
    """Returns the whole numbers of a TIFF's first directory, the first of several."""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return {}
    tags = {}
    at = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[at : at + 2], order)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        kind = int.from_bytes(tiff[entry + 2 : entry + 4], order)
        if kind in (3, 4):  # two bytes, or four
            size = 2 if kind == 3 else 4
            place = entry + 8
            if size * int.from_bytes(tiff[entry + 4 : place], order) > 4:
                place = int.from_bytes(tiff[place : place + 4], order)
            tag = int.from_bytes(tiff[entry : entry + 2], order)
            tags[tag] = int.from_bytes(tiff[place : place + size], order)
    return tags


def _pixels(length: int) -> int | None:
    """Returns a width or height that fits 31 bits, as PNG bounds it, or None."""
    return length if 0 < length < 1 << 31 else None


def _big(number: bytes) -> int:
    return int.from_bytes(number, "big")


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")
