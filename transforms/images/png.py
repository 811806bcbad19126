"""The chunks of a PNG: found and read, without decoding.

A PNG is a signature and a row of chunks, each a length, a type, a body and a checksum.
Source: the PNG specification, third edition, chapters 5 and 11.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

PIXELS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
MOST_CHUNKS: Final = 1 << 17  # walked; with 8 KB each they have a gigabyte
_UNKNOWN_CHUNK: Final = b"\0\0\0\0noNe" + struct.pack(">I", zlib.crc32(b"noNe"))
# A chunk's type, its first byte, the first of its body, and the first after it.
Chunk = tuple[bytes, int, int, int]


@dataclass(frozen=True, slots=True)
class Header:
    """What a PNG's header says.

    Attributes:
        width: In pixels.
        height: In pixels.
        bits: Of a sample, or of a palette's index.
    """

    width: int
    height: int
    bits: int


def read_header(data: bytes) -> Header | None:
    """Returns what a PNG's first chunk says; None where that is no header."""
    if len(data) < 25 or data[12:16] != b"IHDR":
        return None
    return Header(*struct.unpack_from(">IIB", data, 16))


def read_chunks(data: bytes) -> list[Chunk]:
    """Returns the whole chunks of a PNG, up to the one that ends it.

    The list ends after ``MOST_CHUNKS``.

    Args:
        data: Bytes that begin with ``SIGNATURE``.
    """
    chunks: list[Chunk] = []
    at = len(SIGNATURE)
    while at + 12 <= len(data) and len(chunks) < MOST_CHUNKS:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        chunks.append((kind, at, at + 8, end))
        at = end
        if kind == b"IEND":
            break
    return chunks


def find_broken(data: bytes, chunks: Iterable[Chunk]) -> bytes | None:
    """Returns the type of the first chunk that decides pixels and has a wrong checksum.

    These are the critical ones, which no reader may skip, and ``tRNS``.
    """
    for kind, start, _, end in chunks:
        decides = kind[:1].isupper() or kind in PIXELS
        if decides and not _is_sound(data, start, end):
            return kind
    return None


def is_ended(chunks: Sequence[Chunk]) -> bool:
    """Returns whether the chunk is there that ends a PNG."""
    return bool(chunks) and chunks[-1][0] == b"IEND"


def only_pixels(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Returns a PNG with the chunks alone that decide its pixels.

    What follows its last whole chunk stays, so that what is cut off remains so. Pixels
    are in consecutive chunks; those after another chunk are not decoded.
    """
    pieces = [SIGNATURE]
    last = len(SIGNATURE)
    previous = b""
    interrupted = False
    for kind, start, _, last in chunks:
        interrupted |= previous == b"IDAT" != kind
        if kind in PIXELS and not (interrupted and kind == b"IDAT"):
            pieces.append(data[start:last])
        previous = kind
    return b"".join([*pieces, data[last:]])


def without_odd_animation(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Returns a PNG without a promise of frames that makes no sense.

    Pillow ignores such a promise with a warning: one of no frames or more than 2^31,
    and a second promise, which makes the first one void. Another chunk takes
    its place, for one between those with pixels ends the image.
    """
    promises = [each for each in chunks if each[0] == b"acTL"]
    if not all(
        end - body >= 12 and _is_sound(data, start, end)
        for _, start, body, end in promises
    ):
        return data  # which Pillow refuses
    if len(promises) == 1:
        body = promises[0][2]
        if 0 < int.from_bytes(data[body : body + 4], "big") <= 1 << 31:
            return data
    pieces = []
    kept = 0
    for _, start, _, end in promises:
        pieces += [data[kept:start], _UNKNOWN_CHUNK]
        kept = end
    return b"".join([*pieces, data[kept:]])


def _is_sound(data: bytes, start: int, end: int) -> bool:
    """Returns whether a chunk's checksum is right."""
    view = memoryview(data)
    checksum = int.from_bytes(view[end - 4 : end], "big")
    return zlib.crc32(view[start + 4 : end - 4]) == checksum
