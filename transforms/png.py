"""The chunks of a PNG: found and read, without decoding.

A PNG is a signature and a row of chunks, each a length, a type, a body and a checksum.
Source: the PNG specification, third edition, chapters 5 and 11.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

PIXELS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
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


def only_pixels(data: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Returns a PNG with the chunks alone that decide its pixels.

    What follows its last whole chunk stays, so that what is cut off remains so.
    """
    pieces = [SIGNATURE]
    last = len(SIGNATURE)
    for kind, start, _, last in chunks:
        if kind in PIXELS:
            pieces.append(data[start:last])
    return b"".join([*pieces, data[last:]])
