"""The segments of a JPEG: found, read, cut out and put in, without decoding.

A JPEG is a row of segments, each a marker and mostly a length and a body, up to the
first scan; behind it come coded pixels, in which a marker can't occur by chance.
Everything that is not pixels stands before the first scan, and so it alone is walked,
as libjpeg walks it: bytes between segments are passed over.

Source: ITU-T T.81 annex B for markers, EXIF 2.3 section 4.7 for APP1, Adobe's XMP
specification part 3 section 1.1.3, ICC.1 annex B.4, Adobe's TN 5116 for APP14.
"""

import re
import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

START: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"

EXIF: Final = b"Exif\0\0"
XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
ICC: Final = b"ICC_PROFILE\0"
_EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP: Final = b"Photoshop 3.0\0"
_ADOBE: Final = b"Adobe"

_ORIENTATION: Final = 0x0112
_NUMBERS: Final = {3: "H", 4: "I"}  # EXIF's kinds of whole numbers: 16 bits, 32 bits

_APP0: Final = 0xE0
_APP1: Final = 0xE1
_APP2: Final = 0xE2
_APP13: Final = 0xED
_APP14: Final = 0xEE
SCAN: Final = 0xDA
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Baseline, extended and progressive; the two latter with arithmetic coding too.
_DECODABLE_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_ARITHMETIC: Final = frozenset({0xC9, 0xCA})
MOST_SEGMENTS: Final = 1 << 17  # walked; real images have dozens
_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_WITH_LENGTH: Final = frozenset(range(0xC0, 0xFF)) - _NO_LENGTH - {0xD9}
_HEAD: Final = struct.Struct(">BBH").unpack_from
# The end of what may precede a marker that stands for something, and that marker.
_FIND_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]").search

# Kinds of metadata.
Kind = Literal["exif", "xmp", "icc"]

# A segment's marker, its first byte, the first of its body, and the first behind it.
Segment = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame header says.

    Attributes:
        width: In pixels, 0 where it is left open.
        height: In pixels, 0 where it is left open.
        components: Number of colour components.
        bits: Bits of a sample.
        decodable: Whether it is of a kind that decoders in use know.
        progressive: Whether scans refine one another.
        lossless: Whether pixels are coded as differences, without a transform.
        arithmetic: Whether it is coded arithmetically, which takes longer to decode.
    """

    width: int
    height: int
    components: int
    bits: int
    decodable: bool
    progressive: bool
    lossless: bool = False
    arithmetic: bool = False


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is stored beside the pixels; empty where there is none.

    Attributes:
        exif: EXIF, which begins with its byte order.
        xmp: An XMP packet.
        icc: A colour profile.
    """

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""


def read_segments(data: bytes) -> list[Segment]:
    """Returns the segments of a JPEG up to its first scan's header, that included.

    The list ends earlier where the data do, where the end is marked, or after
    ``MOST_SEGMENTS``; if a segment is cut off, it ends behind the data. Whatever the
    bytes, each is looked at once.

    Args:
        data: Bytes that begin with ``START``.
    """
    segments: list[Segment] = []
    end = 2
    size = len(data)
    while len(segments) < MOST_SEGMENTS:
        # Most segments begin where another ends, and this costs a third of the rest.
        if end + 4 <= size:
            first, marker, length = _HEAD(data, end)
            if first == 0xFF and marker in _WITH_LENGTH and length >= 2:
                start, end = end, end + 2 + length
                segments.append((marker, start, start + 4, end))
                if marker == SCAN:
                    return segments
                continue
        found = _FIND_MARKER(data, end)
        if found is None or found.end() + 2 > size:
            return segments
        marker = data[found.end() - 1]
        if marker == 0xD9:
            return segments
        # Fill bytes may precede a marker.
        start = end + len(data[end : found.start()].rstrip(b"\xff"))
        end = found.end()
        body = end + 2
        # The length counts itself.
        end = max(body, end + (data[end] << 8 | data[end + 1]))
        segments.append((marker, start, body, end))
        if marker == SCAN or end > size:
            return segments
    return segments


def read_frame(data: bytes, segments: Iterable[Segment]) -> Frame | None:
    """Returns what a JPEG's first frame header says; None where there is none."""
    for marker, _, body, _ in segments:
        if marker in FRAMES and body + 6 <= len(data):
            bits, height, width, components = struct.unpack_from(">BHHB", data, body)
            return Frame(
                width,
                height,
                components,
                bits,
                marker in _DECODABLE_FRAMES,
                marker in _PROGRESSIVE,
                marker in _LOSSLESS,
                marker in _ARITHMETIC,
            )
    return None


def count_scans(data: bytes, segments: Sequence[Segment], frame: Frame) -> int:
    """Returns the number of a JPEG's scans, or somewhat more; 0 where it has none.

    A decoder takes no second scan if the first one holds all of a picture. Else the
    markers are counted, those in what may follow the picture too.
    """
    if not segments or segments[-1][0] != SCAN or segments[-1][3] > len(data):
        return 0
    _, start, body, end = segments[-1]
    whole = end > body and data[body] == frame.components
    return 1 if whole and not frame.progressive else data.count(b"\xff\xda", start)


def is_adobe(data: bytes, segments: Iterable[Segment]) -> bool:
    """Returns whether Adobe's marker is there, which says that CMYK is inverted."""
    return any(
        marker == _APP14 and data.startswith(_ADOBE, body)
        for marker, _, body, _ in segments
    )


def cut_metadata(
    data: bytes, segments: Iterable[Segment], kinds: Collection[Kind]
) -> bytes:
    """Returns a JPEG without metadata of some kinds; everything else stays.

    The extension of XMP goes with it. Photoshop's segments, which may hold copies of
    EXIF and of XMP, go with either.
    """
    cut: dict[int, tuple[bytes, ...]] = {
        _APP1: ((EXIF[:5],) if "exif" in kinds else ())
        + ((XMP, _EXTENDED_XMP) if "xmp" in kinds else ()),
        _APP2: (ICC,) if "icc" in kinds else (),
        _APP13: (PHOTOSHOP,) if "exif" in kinds or "xmp" in kinds else (),
    }
    view = memoryview(data)
    pieces = []
    kept = 0
    for marker, start, body, end in segments:
        if marker in cut and data.startswith(cut[marker], body, end):
            pieces.append(view[kept:start])
            kept = end
    return b"".join([*pieces, view[kept:]]) if pieces else data


def hide_segments(data: bytes, *names: bytes) -> bytes:
    """Returns a JPEG whose segments of some names are none that a decoder knows.

    They stay where they are: the length of one may be wrong, and what is found behind
    it depends on how the next marker is looked for.

    Args:
        data: A JPEG; other bytes are returned as they are, but for the names.
        names: What the segments begin with, such as ``EXIF``.
    """
    for name in names:
        data = data.replace(name, name.swapcase())
    return data


def read_metadata(data: bytes, segments: Iterable[Segment]) -> Metadata:
    """Returns a JPEG's metadata: of each kind the first, and of XMP no extension.

    A colour profile of which a part is missing counts as none.
    """
    exif = xmp = b""
    parts: dict[int, bytes] = {}
    count = 0
    for marker, _, body, end in segments:
        if marker == _APP1 and not exif and data.startswith(EXIF, body, end):
            exif = data[body + len(EXIF) : end]
        elif marker == _APP1 and not xmp and data.startswith(XMP, body, end):
            xmp = data[body + len(XMP) : end]
        elif marker == _APP2 and data.startswith(ICC, body, end):
            part = data[body + len(ICC) : end]
            if len(part) > 2:  # which part it is, of how many, and the part
                count = part[1]
                parts.setdefault(part[0], part[2:])
    whole = sorted(parts) == list(range(1, count + 1))
    icc = b"".join(parts[number] for number in sorted(parts)) if whole else b""
    return Metadata(exif, xmp, icc)


def insert_metadata(data: bytes, metadata: Metadata) -> bytes:
    """Returns a JPEG with metadata, behind its JFIF header where it has one.

    Args:
        data: A JPEG without any.
        metadata: What to put in.

    Raises:
        ValueError: Something is longer than a JPEG can hold; the message says what.
    """
    part = 0xFFFF - 2 - len(ICC) - 2
    profile = metadata.icc
    parts = [profile[at : at + part] for at in range(0, len(profile), part)]
    if len(parts) > 255:
        raise ValueError(f"its colour profile has {len(profile):,} bytes")
    added = [_segment(_APP1, EXIF + metadata.exif)] if metadata.exif else []
    added += [_segment(_APP1, XMP + metadata.xmp)] if metadata.xmp else []
    added += [
        _segment(_APP2, ICC + bytes((number, len(parts))) + value)
        for number, value in enumerate(parts, 1)
    ]
    at = len(START)
    if data[at + 1] == _APP0:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return b"".join((data[:at], *added, data[at:])) if added else data


def read_orientation(exif: bytes) -> int:
    """Returns the orientation that EXIF asks for, 1 to 8; 1 changes nothing."""
    return _find_orientation(exif)[0]


def without_orientation(exif: bytes) -> bytes:
    """Returns EXIF that asks for no orientation, of the same length."""
    value, low = _find_orientation(exif)
    return exif if value == 1 else exif[:low] + b"\x01" + exif[low + 1 :]


def _find_orientation(exif: bytes) -> tuple[int, int]:
    """Returns the orientation, and where the low byte of its number stands."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1, -1
    (at,) = struct.unpack_from(order + "I", exif, 4)
    if at + 2 > len(exif):
        return 1, -1
    (count,) = struct.unpack_from(order + "H", exif, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", exif, entry)
        if tag == _ORIENTATION and kind in _NUMBERS:
            code = order + _NUMBERS[kind]
            (value,) = struct.unpack_from(code, exif, entry + 8)
            if 1 <= value <= 8:
                high = struct.calcsize(code) - 1 if order == ">" else 0
                return value, entry + 8 + high
    return 1, -1


def _segment(marker: int, body: bytes) -> bytes:
    if len(body) > 0xFFFF - 2:
        raise ValueError(f"its metadata have {len(body):,} bytes")
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
