"""The chunks of a PNG: found, read and cut out, without decoding.

A PNG is a signature and a row of chunks, each a length, a type, a body and a checksum.
Source: the PNG specification, third edition, chapters 5 and 11.
"""

import struct
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from transforms.jpeg import Kind, Metadata

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_XMP: Final = b"XML:com.adobe.xmp\0"
_PIXELS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_MOST_PROFILE: Final = 1 << 24  # bytes; real ones take less than a hundredth

# A chunk's type, its first byte, the first of its body, and the first behind it.
Chunk = tuple[bytes, int, int, int]


@dataclass(frozen=True, slots=True)
class Header:
    """What a PNG's header says.

    Attributes:
        width: In pixels.
        height: In pixels.
    """

    width: int
    height: int


def read_header(data: bytes) -> Header | None:
    """Returns what a PNG's first chunk says; None where that is no header."""
    if len(data) < 24 or data[12:16] != b"IHDR":
        return None
    return Header(*struct.unpack_from(">II", data, 16))


def read_chunks(data: bytes) -> list[Chunk]:
    """Returns the whole chunks of a PNG, up to the one that ends it.

    Args:
        data: Bytes that begin with ``SIGNATURE``.
    """
    chunks = []
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        chunks.append((kind, at, at + 8, end))
        at = end
        if kind == b"IEND":
            break
    return chunks


def cut_metadata(
    data: bytes, chunks: Iterable[Chunk], kinds: Collection[Kind]
) -> bytes:
    """Returns a PNG without metadata of some kinds; everything else stays."""
    kept = len(SIGNATURE)
    pieces = [data[:kept]]
    for kind, start, body, end in chunks:
        if (
            (kind == b"eXIf" and "exif" in kinds)
            or (kind == b"iCCP" and "icc" in kinds)
            or (kind == b"iTXt" and "xmp" in kinds and data.startswith(_XMP, body))
        ):
            pieces.append(data[kept:start])
            kept = end
    return b"".join([*pieces, data[kept:]])


def only_pixels(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Returns a PNG with the chunks alone that decide its pixels.

    What follows its last whole chunk stays, so that what is cut off remains so.
    """
    pieces = [SIGNATURE]
    last = len(SIGNATURE)
    for kind, start, _, last in chunks:
        if kind in _PIXELS:
            pieces.append(data[start:last])
    return b"".join([*pieces, data[last:]])


def read_metadata(data: bytes, chunks: Iterable[Chunk]) -> Metadata:
    """Returns a PNG's metadata, without an XMP packet that is compressed."""
    exif = xmp = icc = b""
    for kind, _, body, end in chunks:
        content = data[body : end - 4]  # a checksum ends it
        if kind == b"eXIf":
            exif = content
        elif kind == b"iTXt" and content.startswith(_XMP + b"\0"):  # not compressed
            # Behind the keyword: two bytes of compression, two texts, the packet.
            xmp = content[len(_XMP) + 2 :].split(b"\0", 2)[-1]
        elif kind == b"iCCP":
            icc = _inflate(content.partition(b"\0")[2][1:])
    return Metadata(exif, xmp, icc)


def _inflate(data: bytes) -> bytes:
    """Returns a compressed profile, or nothing where it is damaged or very long."""
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(data, _MOST_PROFILE)
    except zlib.error:
        return b""
    return profile if stream.eof else b""
