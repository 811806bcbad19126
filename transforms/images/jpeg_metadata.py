"""The metadata of a JPEG: read, cut out and put in, without decoding.

Cutting leaves what a decoder needs and the kinds of metadata that stay, and nothing
else; so what a camera hides in segments of its own, or after the picture, goes too.

Sources: EXIF 2.32 section 4.7 for APP1, Adobe's XMP specification part 3 section
1.1.3, ICC.1 annex B.4, Adobe's TN 5116 for APP14, JFIF 1.02 for APP0, CIPA DC-007 for
pictures that follow the first.
"""

import struct
from collections.abc import Collection, Iterable
from typing import Final

from transforms.images import jpeg
from transforms.images.metadata import (
    Kind,
    Metadata,
    decide_orientation,
    with_xmp_orientation,
)

_APP0: Final = 0xE0
_APP1: Final = 0xE1
_APP2: Final = 0xE2
_APP13: Final = 0xED
_APP14: Final = 0xEE

_EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_JFIF: Final = b"JFIF\0"
_OTHER_PICTURES: Final = b"MPF\0"
_ADOBE: Final = b"Adobe"

# With which kinds an application's segment is cut, by its marker and its beginning. All
# others, and comments, are cut with EXIF. Photoshop's may hold copies of EXIF and XMP,
# and so may the pictures that a multi-picture table lists.
_CUT_WITH: Final[tuple[tuple[int, bytes, frozenset[Kind]], ...]] = (
    (_APP0, _JFIF, frozenset()),
    (_APP1, jpeg.XMP, frozenset({"xmp"})),
    (_APP1, _EXTENDED_XMP, frozenset({"xmp"})),
    (_APP2, jpeg.ICC, frozenset({"icc"})),
    (_APP2, _OTHER_PICTURES, frozenset({"exif", "xmp"})),
    (_APP13, jpeg.PHOTOSHOP, frozenset({"exif", "xmp"})),
    (_APP14, _ADOBE, frozenset()),
)
_WITH_EXIF: Final[frozenset[Kind]] = frozenset({"exif"})


def cut_metadata(
    data: bytes, segments: Iterable[jpeg.Segment], kinds: Collection[Kind]
) -> bytes:
    """Returns a JPEG without metadata of some kinds; its pixels stay as they are.

    docs/images.md says what is cut with which kind. Bytes between a segment that is cut
    and the next marker are cut too: a decoder skips them after a segment, but without
    one it would take them for pixels, or the file for no JPEG. Where EXIF or XMP is
    cut, all bytes that belong to no segment and to no coded pixels are cut.

    Where EXIF is cut and XMP stays, XMP is made to ask for the orientation that EXIF
    asked for, if it asks for one at all.

    Args:
        data: A JPEG.
        segments: Those up to its first scan.
        kinds: What to cut.

    Raises:
        ValueError: It has segments without end.
    """
    if not kinds:
        return data
    segments = list(segments)
    found, picture_end = jpeg.read_picture(data, segments)
    private = "exif" in kinds or "xmp" in kinds  # more may be hidden than has a name
    trim = _trimmed if "exif" in kinds else _whole
    pieces = [jpeg.START]
    at = len(jpeg.START)
    kept, keep_gap = True, not private
    for segment in found:
        marker, start, _, end = segment
        if keep_gap:
            pieces.append(data[at:start])
        kept = _kinds_of(data, segment).isdisjoint(kinds)
        if kept:
            pieces.append(trim(data, segment))
        keep_gap = kept and (marker == jpeg.SCAN or not private)
        at = end
    if keep_gap or not found:
        pieces.append(data[at:picture_end])
    if not kept and picture_end == len(data):  # what is cut has ended the pixels
        pieces.append(_ending(data, segments, found[-1][1]))
    elif private:
        pieces.append(_ending(data, segments, picture_end))
    else:
        pieces.append(data[picture_end:])
    cut = b"".join(pieces)
    if "exif" in kinds and "xmp" not in kinds:
        cut = _with_orientation_of(cut, read_metadata(data, segments).exif)
    return data if cut == data else cut


def _ending(data: bytes, segments: list[jpeg.Segment], marker_at: int) -> bytes:
    """Returns the marker to end a picture with, as decoders take its end.

    Where another picture begins, or a segment after the only scan is cut off, the
    picture is complete. One that lacks later scans still lacks them.
    """
    marker = data[marker_at : marker_at + 2]
    frame = jpeg.read_frame(data, segments)
    if marker and frame and jpeg.is_one_scan(data, segments, frame):
        return jpeg.END
    return jpeg.END if marker == jpeg.START else marker


def _kinds_of(data: bytes, segment: jpeg.Segment) -> frozenset[Kind]:
    """Returns the kinds of metadata that a segment is cut with."""
    marker, _, body, end = segment
    if marker not in jpeg.APPLICATIONS:
        return _WITH_EXIF if marker == jpeg.COMMENT else frozenset()
    for other, beginning, kinds in _CUT_WITH:
        if marker == other and data.startswith(beginning, body, end):
            return kinds
    return _WITH_EXIF


def _whole(data: bytes, segment: jpeg.Segment) -> bytes:
    _, start, _, end = segment
    return data[start:end]


def _trimmed(data: bytes, segment: jpeg.Segment) -> bytes:
    """Returns a segment without the thumbnail of JFIF and what may follow Adobe's."""
    marker, _, body, end = segment
    if marker == _APP0 and end - body > 14:
        return _segment(marker, data[body : body + 12] + b"\0\0")
    if marker == _APP14 and end - body > 12:
        return _segment(marker, data[body : body + 12])
    return _whole(data, segment)


def _with_orientation_of(cut: bytes, exif: bytes) -> bytes:
    """Returns a JPEG whose XMP asks for the orientation that EXIF asks for."""
    orientation = decide_orientation(Metadata(exif=exif))
    if orientation is None:
        return cut
    for marker, _, body, end in jpeg.read_segments(cut):
        if marker == _APP1 and cut.startswith(jpeg.XMP, body, end):
            xmp = with_xmp_orientation(cut[body:end], orientation)
            cut = cut[:body] + xmp + cut[end:]
    return cut


def read_metadata(data: bytes, segments: Iterable[jpeg.Segment]) -> Metadata:
    """Returns a JPEG's metadata: of each kind the first, and of XMP no extension.

    A colour profile of which a part is missing counts as none.
    """
    exif = xmp = b""
    lost: set[Kind] = set()
    parts: dict[int, bytes] = {}
    count = 0
    for marker, _, body, end in segments:
        if marker == _APP1 and data.startswith(jpeg.EXIF, body, end):
            lost |= {"exif"} if exif else set()
            exif = exif or data[body + len(jpeg.EXIF) : end]
        elif marker == _APP1 and data.startswith(jpeg.XMP, body, end):
            lost |= {"xmp"} if xmp else set()
            xmp = xmp or data[body + len(jpeg.XMP) : end]
        elif marker == _APP1 and data.startswith(_EXTENDED_XMP, body, end):
            lost.add("xmp")
        elif marker == _APP2 and data.startswith(jpeg.ICC, body, end):
            part = data[body + len(jpeg.ICC) : end]
            if len(part) > 2:  # which part it is, of how many, and the part
                count = part[1]
                parts.setdefault(part[0], part[2:])
    icc = b"".join(parts[number] for number in sorted(parts))
    if sorted(parts) != list(range(1, count + 1)):
        icc = b""
        lost.add("icc")
    return Metadata(exif, xmp, icc, frozenset(lost))


def insert_metadata(data: bytes, metadata: Metadata) -> bytes:
    """Returns a JPEG with metadata, after its JFIF header where it has one.

    Args:
        data: A JPEG without any.
        metadata: What to put in; as much as ``fit_metadata`` leaves for a JPEG.
    """
    part = 0xFFFF - 2 - len(jpeg.ICC) - 2
    profile = metadata.icc
    parts = [profile[at : at + part] for at in range(0, len(profile), part)]
    added = [_segment(_APP1, jpeg.EXIF + metadata.exif)] if metadata.exif else []
    added += [_segment(_APP1, jpeg.XMP + metadata.xmp)] if metadata.xmp else []
    added += [
        _segment(_APP2, jpeg.ICC + bytes((number, len(parts))) + value)
        for number, value in enumerate(parts, 1)
    ]
    at = len(jpeg.START)
    if data[at + 1] == _APP0:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return b"".join((data[:at], *added, data[at:])) if added else data


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
