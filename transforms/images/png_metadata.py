"""The metadata of a PNG: read and cut out, without decoding.

Cutting leaves what a decoder needs, what says how pixels are shown, and the kinds of
metadata that stay, and nothing else.

Sources: the PNG specification, third edition, chapter 11; Adobe's XMP specification
part 3 section 1.1.5; for raw profiles, which ImageMagick puts into texts, the tables
of Exiftool and the writer in ImageMagick's ``coders/png.c``.
"""

import struct
import zlib
from collections.abc import Collection, Iterable
from typing import Final

from transforms.images import jpeg, png
from transforms.images.metadata import (
    KINDS,
    Kind,
    Metadata,
    decide_orientation,
    with_xmp_orientation,
)

_XMP: Final = b"XML:com.adobe.xmp"
# What says how pixels are shown and holds no words; an animation's frames as well.
_LOOKS: Final = frozenset(
    {
        *(b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT"),
        *(b"bKGD", b"hIST", b"sPLT", b"pHYs", b"acTL", b"fcTL", b"fdAT"),
    }
)
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MOST_PROFILE: Final = 1 << 24  # bytes; real ones take less than a hundredth
_MOST_TEXT: Final = 1 << 22  # bytes
_LONGEST_KEYWORD: Final = 79

# With which kinds a text is cut, by its keyword in small letters. All others go with
# EXIF. Photoshop's may hold copies of EXIF and of XMP, and APP1 is either.
_RAW: Final = b"raw profile type "
_APP1: Final = _RAW + b"app1"
_CUT_WITH: Final[dict[bytes, frozenset[Kind]]] = {
    _XMP.lower(): frozenset({"xmp"}),
    _RAW + b"xmp": frozenset({"xmp"}),
    _APP1: frozenset({"exif", "xmp"}),
    _RAW + b"8bim": frozenset({"exif", "xmp"}),
    _RAW + b"icc": frozenset({"icc"}),
    _RAW + b"icm": frozenset({"icc"}),
}
_WITH_EXIF: Final[frozenset[Kind]] = frozenset({"exif"})
# What a chunk of some type, or a text of some keyword, holds; the best place first.
_PLACES: Final[dict[bytes, Kind]] = {
    b"eXIf": "exif",
    _RAW + b"exif": "exif",
    _XMP.lower(): "xmp",
    _RAW + b"xmp": "xmp",
    b"iCCP": "icc",
    _RAW + b"icc": "icc",
    _RAW + b"icm": "icc",
    _APP1: "exif",  # or XMP
}
_EXIF_PLACES: Final = tuple(place for place, kind in _PLACES.items() if kind == "exif")
_XMP_PLACES: Final = tuple(place for place, kind in _PLACES.items() if kind == "xmp")


def cut_metadata(
    data: bytes, chunks: Iterable[png.Chunk], kinds: Collection[Kind]
) -> bytes:
    """Returns a PNG without metadata of some kinds; its pixels stay as they are.

    docs/images.md says what is cut with which kind. Where EXIF is cut and XMP stays,
    XMP is made to ask for the orientation that EXIF asked for, if it asks for one.
    What follows the last whole chunk stays unless that chunk ends the PNG.

    Args:
        data: A PNG.
        chunks: Its chunks.
        kinds: What to cut.
    """
    chunks = list(chunks)
    orientation = None
    if "exif" in kinds and "xmp" not in kinds:
        orientation = decide_orientation(Metadata(read_exif(data, chunks)))
    pieces = [png.SIGNATURE]
    end = len(png.SIGNATURE)
    for chunk in chunks:
        _, start, _, end = chunk
        if _kinds_of(data, chunk).isdisjoint(kinds):
            turned = orientation and _turned_xmp(data, chunk, orientation)
            pieces.append(turned or data[start:end])
    ended = bool(chunks) and chunks[-1][0] == b"IEND"
    if not ended or not ("exif" in kinds or "xmp" in kinds):
        pieces.append(data[end:])
    return b"".join(pieces)


def _kinds_of(data: bytes, chunk: png.Chunk) -> frozenset[Kind]:
    """Returns the kinds of metadata that a chunk is cut with."""
    kind = chunk[0]
    if kind in _TEXTS:
        return _CUT_WITH.get(_place(data, chunk), _WITH_EXIF)
    if kind == b"iCCP":
        return frozenset({"icc"})
    needed = kind[:1].isupper()  # a decoder has to know it
    return frozenset() if needed or kind in png.PIXELS or kind in _LOOKS else _WITH_EXIF


def _turned_xmp(data: bytes, chunk: png.Chunk, orientation: int) -> bytes:
    """Returns an XMP chunk with another orientation; nothing where it has none."""
    kind, _, body, end = chunk
    if _place(data, chunk) not in _XMP_PLACES:
        return b""
    xmp = _profile(kind, data[body : end - 4])
    turned = with_xmp_orientation(xmp, orientation)
    return b"" if turned == xmp else _chunk(b"iTXt", _XMP + bytes(5) + turned)


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def read_metadata(data: bytes, chunks: Iterable[png.Chunk]) -> Metadata:
    """Returns a PNG's metadata, out of chunks of their own or out of raw profiles.

    Of several of the same name the first counts. One that is damaged counts as none,
    and so does one that has more than 16 MiB, or comes out of more than 4 MiB of text.
    """
    contents: dict[bytes, tuple[bytes, bytes]] = {}
    lost: set[Kind] = set()
    for chunk in chunks:
        place = _place(data, chunk)
        if place in contents:  # so that not thousands are inflated
            lost.add(_PLACES[place])
        elif place in _PLACES:
            kind, _, body, end = chunk
            contents[place] = kind, data[body : end - 4]  # a checksum ends it
    found: dict[Kind, bytes] = {}
    for place, of in _PLACES.items():
        if place in contents:
            profile = _profile(*contents[place])
            in_fact: Kind = "xmp" if profile.startswith(jpeg.XMP) else of
            found.setdefault(in_fact, profile)
            lost |= set() if profile else {in_fact}
    exif, xmp, icc = (found.get(kind, b"") for kind in KINDS)
    exif, xmp = exif.removeprefix(jpeg.EXIF), xmp.removeprefix(jpeg.XMP)
    return Metadata(exif, xmp, icc, frozenset(lost))


def read_exif(data: bytes, chunks: Iterable[png.Chunk]) -> bytes:
    """Returns a PNG's EXIF as ``read_metadata`` does, and looks for nothing else."""
    places = (chunk for chunk in chunks if _place(data, chunk) in _EXIF_PLACES)
    return read_metadata(data, places).exif


def _place(data: bytes, chunk: png.Chunk) -> bytes:
    """Returns a chunk's type, or of a text the keyword, whose case does not matter."""
    kind, _, body, end = chunk
    if kind not in _TEXTS:
        return kind
    keyword = data[body : min(end - 4, body + _LONGEST_KEYWORD)]
    return keyword.partition(b"\0")[0].lower()


def _profile(kind: bytes, body: bytes) -> bytes:
    """Returns what a chunk holds; nothing where it is damaged or very long."""
    if kind == b"eXIf":
        return body
    keyword, _, rest = body.partition(b"\0")
    if kind == b"iCCP":
        return _inflate(rest[1:], _MOST_PROFILE)
    if kind == b"zTXt":
        text = _inflate(rest[1:], _MOST_TEXT)
    elif kind == b"iTXt":
        # After the keyword: two bytes of compression, two texts, the one in question.
        *_, text = rest[2:].split(b"\0", 2)
        text = _inflate(text, _MOST_TEXT) if rest[:1] == b"\1" else text
    else:
        text = rest
    return _from_hex(text) if keyword.lower().startswith(_RAW) else text


def _from_hex(text: bytes) -> bytes:
    """Returns a raw profile: a name and a length, a line each, and hexadecimal digits.

    The first line is empty. The length is not looked at, as in Pillow.
    """
    try:
        return bytes.fromhex(text.split(b"\n", 3)[-1].decode("ascii"))
    except ValueError:
        return b""


def _inflate(data: bytes, most: int) -> bytes:
    """Returns what was compressed, or nothing where it is damaged or very long."""
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(data, most)
    except zlib.error:
        return b""
    return profile if stream.eof else b""
