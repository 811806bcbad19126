"""How an image's bytes are had from a page that is compressed or has a checksum.

Where neither is so, an image lies in the file as it is. Else a place's detail says how:

    CODEC STORED LEAD WHOLE CRC SKIP

Of ``STORED`` bytes from the place's offset, which have the CRC-32 ``CRC`` (hexadecimal;
``-`` for none), the first ``LEAD`` are set aside. The others are decompressed to
``WHOLE`` bytes, and the image begins after ``SKIP`` of these. ``CODEC`` is Parquet's
name, or ``SNAPPY_BLOCKS`` for a part of what Snappy made, which stands for itself.

Snappy compresses a block of 64 KiB at a time and never looks back beyond its beginning.
So of a page of 100 photos, 11 MB long, three blocks are read for an image. What is
compressed need not be so: the blocks of a page are checked before they are relied on.

Format: Snappy's ``format_description.txt``; RFC 1952 and RFC 8878.
"""

import zlib
from typing import Final, NamedTuple

import pyarrow as pa

from transforms.archives.parquet.pages import PLAIN_BYTES, Page

SNAPPY: Final = "SNAPPY"
_BLOCKS: Final = "SNAPPY_BLOCKS"
_GZIP: Final = "GZIP"
_ZSTD: Final = "ZSTD"
CODECS: Final = (PLAIN_BYTES, SNAPPY, _GZIP, _ZSTD)

_BLOCK: Final = 1 << 16  # bytes, before they are compressed
_GZIP_OR_ZLIB: Final = 47  # told by their first bytes, with the largest window


class DamagedBytesError(Exception):
    """Bytes are not those that were written. The message says why, in a clause."""


class Stored(NamedTuple):
    """The fields of a detail, in its order; sizes in bytes."""

    codec: str
    stored: int
    lead: int
    whole: int
    crc: int | None
    skip: int

    @property
    def detail(self) -> str:
        """Returns the text of them."""
        crc = "-" if self.crc is None else f"{self.crc:08x}"
        return f"{self.codec} {self.stored} {self.lead} {self.whole} {crc} {self.skip}"


class Spot(NamedTuple):
    """Where an image lies: offset in the file, its own size, and detail."""

    offset: int
    size: int
    detail: str


def parse_detail(detail: str) -> Stored:
    """Returns the fields of a detail.

    Raises:
        ValueError: It is malformed.
    """
    codec, stored, lead, whole, crc, skip = detail.split(" ")
    return Stored(
        codec,
        int(stored),
        int(lead),
        int(whole),
        None if crc == "-" else int(crc, 16),
        int(skip),
    )


def unpack(stored: Stored, data: bytes, size: int) -> bytes:
    """Returns an image's bytes from those that were read for it.

    Args:
        stored: How they are stored.
        data: ``stored.stored`` bytes.
        size: The image's length in bytes.

    Raises:
        DamagedBytesError: They have another checksum, or do not decompress to what
            they should.
    """
    check(stored.crc, data)
    body = decompress(stored.codec, memoryview(data)[stored.lead :], stored.whole)
    return bytes(body[stored.skip : stored.skip + size])


def check(crc: int | None, data: bytes) -> None:
    """Raises DamagedBytesError where bytes do not have the checksum they should."""
    if crc is not None and zlib.crc32(data) != crc:
        raise DamagedBytesError(
            f"a page's checksum is {zlib.crc32(data):08x}, expected {crc:08x}"
        )


def decompress(codec: str, data: memoryview, whole: int) -> memoryview:
    """Returns decompressed bytes, exactly ``whole`` of them.

    Raises:
        DamagedBytesError: They are not so many, or damaged.
    """
    if codec == PLAIN_BYTES:
        return data
    if codec == _BLOCKS:
        data = memoryview(_preamble(whole) + data)
        codec = SNAPPY
    if codec == _GZIP:
        return memoryview(_gunzip(data, whole))
    # pyarrow's Snappy does not say that it made fewer bytes than it was asked for.
    if codec == SNAPPY and _preamble(whole) != bytes(data[: len(_preamble(whole))]):
        raise DamagedBytesError(f"a page does not decompress to {whole:,} bytes")
    try:
        made = pa.Codec(codec.lower()).decompress(data, whole)
    except (pa.ArrowException, OSError) as error:
        raise DamagedBytesError(f"a page cannot be decompressed: {error}") from None
    return memoryview(made).cast("B")  # pyarrow's own has signed bytes


def find_spots(page: Page, values: list[tuple[int, int]], data: bytes) -> list[Spot]:
    """Returns where images lie, by where they are in a page.

    Args:
        page: The page.
        values: Offset and size of each, in the page's decompressed bytes.
        data: The page's stored bytes; may be empty where they are not compressed.
    """
    stored, crc = page.stored, page.crc
    if page.codec == PLAIN_BYTES and crc is None:
        start = page.offset + page.lead
        return [Spot(start + skip, size, "") for skip, size in values]
    if page.codec == SNAPPY and crc is None and values:
        blocks = snappy_blocks(memoryview(data)[page.lead :])
        if blocks:
            start = page.offset + page.lead
            return [_in_blocks(start, blocks, page.whole, *value) for value in values]
    return [
        Spot(
            page.offset,
            size,
            Stored(page.codec, stored, page.lead, page.whole, crc, skip).detail,
        )
        for skip, size in values
    ]


def _in_blocks(start: int, blocks: list[int], whole: int, skip: int, size: int) -> Spot:
    """Returns the spot of an image of which only its blocks are read."""
    first = skip // _BLOCK
    last = (skip + max(size, 1) - 1) // _BLOCK
    if first + 1 >= len(blocks):  # an empty value at the very end
        first = last = len(blocks) - 2
    length = min((last + 1) * _BLOCK, whole) - first * _BLOCK
    stored = blocks[last + 1] - blocks[first]
    how = Stored(_BLOCKS, stored, 0, length, None, skip - first * _BLOCK)
    return Spot(start + blocks[first], size, how.detail)


def snappy_blocks(data: memoryview) -> list[int]:
    """Returns where each block of 64 KiB begins in what Snappy made, and the end.

    Returns:
        Offsets of elements; nothing where a block does not stand for itself.
    """
    at = 0
    while data[at] & 0x80:  # the preamble has been read by who decompressed it
        at += 1
    at += 1
    blocks = [at]
    made = begin = 0
    while at < len(data):
        if made - begin >= _BLOCK:
            if made - begin > _BLOCK:
                return []
            blocks.append(at)
            begin = made
        tag = data[at]
        kind, length = tag & 3, tag >> 2
        if kind == 0:
            at += 1
            if length >= 60:
                more = length - 59
                length = int.from_bytes(data[at : at + more], "little")
                at += more
            at += length + 1
            made += length + 1
            continue
        if kind == 1:
            length = (length & 7) + 3
            back = (tag >> 5) << 8 | data[at + 1]
            at += 2
        else:
            wide = 2 if kind == 2 else 4
            back = int.from_bytes(data[at + 1 : at + 1 + wide], "little")
            at += 1 + wide
        if back > made - begin:
            return []
        made += length + 1
    if made - begin > _BLOCK:
        return []
    return [*blocks, at]


def _preamble(whole: int) -> bytes:
    """Returns the length that Snappy's bytes begin with, a varint."""
    made = bytearray()
    while whole >= 0x80:
        made.append(whole & 0x7F | 0x80)
        whole >>= 7
    return bytes((*made, whole))


def _gunzip(data: memoryview, whole: int) -> bytes:
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        made = decoder.decompress(data, whole + 1)
    except zlib.error as error:
        raise DamagedBytesError(f"a page cannot be decompressed: {error}") from None
    if len(made) != whole or not decoder.eof or decoder.unused_data:
        raise DamagedBytesError(f"a page does not decompress to {whole:,} bytes")
    return made
