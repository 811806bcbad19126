"""The segments of a JPEG: found and read, without decoding.

A JPEG is a row of segments, each a marker and mostly a length and a body, up to the
first scan; after it come coded pixels, in which a marker can't occur by chance.
Nearly everything besides pixels comes before the first scan. So mostly that part alone
is walked, as libjpeg walks it: bytes between segments are skipped.

Sources: ITU-T T.81 annex B for markers, Adobe's TN 5116 for APP14.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

START: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"

# What segments begin with.
EXIF: Final = b"Exif\0\0"
XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
ICC: Final = b"ICC_PROFILE\0"
PHOTOSHOP: Final = b"Photoshop 3.0\0"
_ADOBE: Final = b"Adobe"

_APP14: Final = 0xEE
APPLICATIONS: Final = range(0xE0, 0xF0)
COMMENT: Final = 0xFE
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
# What ends coded pixels: a marker, but no restart and none of those that mean nothing.
_NEXT_MARKER: Final = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")

# A segment's marker, its first byte, the first of its body, and the first after it.
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


def read_segments(data: bytes) -> list[Segment]:
    """Returns the segments of a JPEG up to its first scan's header, that included.

    The list ends earlier where the data do, where the end is marked, or after
    ``MOST_SEGMENTS``; the end of a segment that is cut off lies after the data. Each
    byte is looked at once.

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
    """Returns what a JPEG's first frame header says; None where there is none.

    One that its length cuts short is none: decoders refuse it, and what follows it is
    another segment's, or is cut with one.
    """
    for marker, _, body, end in segments:
        if marker in FRAMES:
            if body + 6 > min(end, len(data)):
                return None
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

    A decoder reads no second scan if the first one holds the whole picture. Else all
    markers are counted, also those that follow the picture.
    """
    if not segments or segments[-1][0] != SCAN or segments[-1][3] > len(data):
        return 0
    start = segments[-1][1]
    one = is_one_scan(data, segments, frame)
    return 1 if one else data.count(b"\xff\xda", start)


def is_one_scan(data: bytes, segments: Sequence[Segment], frame: Frame) -> bool:
    """Returns whether a decoder takes a JPEG's first scan for all of its picture."""
    _, _, body, end = segments[-1]
    whole = end > body and data[body : body + 1] == bytes([frame.components])
    return whole and not frame.progressive


def is_adobe(data: bytes, segments: Iterable[Segment]) -> bool:
    """Returns whether Adobe's marker is there, which says that CMYK is inverted."""
    return any(
        marker == _APP14 and data.startswith(_ADOBE, body)
        for marker, _, body, _ in segments
    )


def read_picture(data: bytes, segments: Iterable[Segment]) -> tuple[list[Segment], int]:
    """Returns all segments of a JPEG's first picture, and where it ends.

    It ends at the marker that says so, at the beginning of another picture, or where
    data are missing. Segments may stand between scans, and after the last one.

    Args:
        data: A JPEG.
        segments: Those up to its first scan.

    Raises:
        ValueError: It has segments without end.
    """
    found = list(segments)
    if not found or found[-1][0] != SCAN:
        return found, len(data)
    end = found[-1][3]
    while match := _NEXT_MARKER.search(data, end):
        start = match.start()
        marker, body = data[start + 1], start + 4
        if marker in (START[1], END[1]):
            return found, start
        end = max(body, start + 2 + int.from_bytes(data[start + 2 : body], "big"))
        if end > len(data):
            return found, start
        found.append((marker, start, body, end))
        if len(found) > MOST_SEGMENTS:
            raise ValueError(f"it has more than {MOST_SEGMENTS:,} segments")
    return found, len(data)


def read_coded(data: bytes) -> list[bytes]:
    """Returns what decides a JPEG's pixels: tables, headers, and what scans hold.

    Two JPEGs of which this is equal have the same pixels.
    """
    found, picture_end = read_picture(data, read_segments(data))
    coded = []
    for position, (marker, start, _, end) in enumerate(found, 1):
        if marker not in APPLICATIONS and marker != COMMENT:
            coded.append(data[start:end])
        if marker == SCAN:
            last = position == len(found)
            coded.append(data[end : picture_end if last else found[position][1]])
    return coded


def hide_segments(data: bytes, *names: bytes) -> bytes:
    """Returns a JPEG that hides segments of some names from decoders.

    Their names are overwritten and the segments stay: the length of one may be wrong,
    and decoders differ in how they look for the next marker.

    Args:
        data: A JPEG; other bytes are returned as they are, but for the names.
        names: What the segments begin with, such as ``EXIF``.
    """
    for name in names:
        data = data.replace(name, name.swapcase())
    return data
