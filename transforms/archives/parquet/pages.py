"""The pages of a column of a Parquet file, found by their headers alone.

A column of a row group is a chunk of the file: perhaps a page with a dictionary, then
pages with values, each after a header of its own. A header says how long its page is,
so that a walk from header to header reads none of the values. Each step needs the one
before it; many chunks are walked at once. This module does no I/O of its own.

Format: ``parquet.thrift`` and ``Encodings.md`` of the Apache Parquet project.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Final, NamedTuple, TypeVar

from transforms.archives.parquet.thrift import (
    Fields,
    Incomplete,
    number,
    read_struct,
    struct,
)

Range = tuple[int, int]  # offset and size, in bytes
ReadMany = Callable[[Sequence[Range]], Sequence[bytes]]

T = TypeVar("T")
# Yields the ranges it needs, is sent their bytes, and returns what it found.
Walk = Generator[Range, bytes, T]

PLAIN_BYTES: Final = "UNCOMPRESSED"

_USUAL_HEADER: Final = 256  # bytes; with statistics of long values it is longer
_LONGEST_HEADER: Final = 1 << 20

_DAMAGED: Final = "a page's header is damaged"

# Of ``PageType``.
_DATA: Final = 0
_INDEX: Final = 1
_DICTIONARY: Final = 2
_DATA_V2: Final = 3

# Of ``Encoding``.
_PLAIN: Final = 0
_LEVELS: Final = 3
_INDICES: Final = frozenset((2, 8))  # PLAIN_DICTIONARY and RLE_DICTIONARY
_ENCODINGS: Final = {
    2: "PLAIN_DICTIONARY",
    4: "BIT_PACKED",
    5: "DELTA_BINARY_PACKED",
    6: "DELTA_LENGTH_BYTE_ARRAY",
    7: "DELTA_BYTE_ARRAY",
    8: "RLE_DICTIONARY",
    9: "BYTE_STREAM_SPLIT",
}


class ParquetFormatError(Exception):
    """A column does not hold what the format requires.

    Attributes:
        offset: Where in the file the fault was found.
        reason: What is wrong there.
    """

    def __init__(self, offset: int, reason: str) -> None:
        """Keeps what the caller needs for a message that names the file."""
        super().__init__(offset, reason)
        self.offset = offset
        self.reason = reason


class NullValueError(Exception):
    """A row has no value where one is needed.

    Attributes:
        row: Its number in the file, from 0.
        column: The column's path.
    """

    def __init__(self, row: int, column: str) -> None:
        """Keeps what the caller needs for a message that names the file."""
        super().__init__(row, column)
        self.row = row
        self.column = column


class UnsupportedParquetError(ParquetFormatError):
    """A column is sound, as far as can be seen, and written in a way not read here."""


class Chunk(NamedTuple):
    """The part of a file that a column of one row group takes.

    Attributes:
        column: The column's path.
        offset: Where it begins in the file.
        size: Its length in bytes, headers included.
        values: How many values it has, nulls included.
        codec: How its pages are compressed, by Parquet's name.
        deepest: The definition level of a value that is there; lower ones are nulls.
    """

    column: str
    offset: int
    size: int
    values: int
    codec: str
    deepest: int


class Page(NamedTuple):
    """One page; a tuple, because a data set has a hundred thousand.

    Attributes:
        version: 1 or 2, which differ in where levels are; 0 for a dictionary.
        offset: Where its bytes begin in the file, after its header.
        stored: Their number in the file.
        lead: How many of them are levels that come before what is compressed.
        whole: The number of bytes that those after the lead decompress to.
        codec: How these are compressed.
        crc: The CRC-32 of the stored bytes; None where the header has none.
        values: How many values it has, nulls included.
        indexed: Whether they are indices of the dictionary.
    """

    version: int
    offset: int
    stored: int
    lead: int
    whole: int
    codec: str
    crc: int | None
    values: int
    indexed: bool


def run_walks(read_many: ReadMany, walks: Sequence[Walk[T]]) -> list[T]:
    """Returns what each of some walks found; they read a range each at a time.

    Raises:
        ParquetFormatError: As the walks do.
    """
    found: dict[int, T] = {}
    waiting = []
    for place, walk in enumerate(walks):
        try:
            waiting.append((place, walk, next(walk)))
        except StopIteration as stop:
            found[place] = stop.value
    while waiting:
        read = read_many([wanted for _, _, wanted in waiting])
        going = []
        for (place, walk, _), data in zip(waiting, read, strict=True):
            try:
                going.append((place, walk, walk.send(data)))
            except StopIteration as stop:
                found[place] = stop.value
        waiting = going
    return [found[place] for place in range(len(walks))]


def walk_pages(chunk: Chunk) -> Walk[list[Page]]:
    """Finds the pages of a chunk, in order; those of an index are left out.

    Raises:
        ParquetFormatError: A header is damaged, or the pages do not add up to the
            chunk.
        UnsupportedParquetError: They are encoded in a way that is not read here.
    """
    pages: list[Page] = []
    at, end = chunk.offset, chunk.offset + chunk.size
    while at < end:
        fields, length = yield from _read_header(at, end)
        try:
            stored = number(fields, 3)
            page = _page(fields, at + length, chunk)
        except _UnsupportedError as error:
            raise UnsupportedParquetError(at, f"{chunk.column} has {error}") from None
        except ValueError as error:
            raise ParquetFormatError(at, f"{_DAMAGED}: {error}") from None
        if at + length + stored > end:
            raise ParquetFormatError(
                at, f"a page of {stored:,} bytes is longer than its column"
            )
        if page is not None:
            if pages and not page.version:
                raise ParquetFormatError(at, "a dictionary comes after other pages")
            pages.append(page)
        at += length + stored
    values = sum(page.values for page in pages if page.version)
    if values != chunk.values:
        raise ParquetFormatError(
            chunk.offset,
            f"the pages of a column have {values:,} values, expected {chunk.values:,}",
        )
    return pages


def _read_header(at: int, end: int) -> Walk[tuple[Fields, int]]:
    size = _USUAL_HEADER
    while True:
        data = yield at, min(size, end - at)
        try:
            return read_struct(data)
        except Incomplete:
            if at + size >= end or size >= _LONGEST_HEADER:
                raise ParquetFormatError(at, "a page's header is cut off") from None
        except ValueError as error:
            raise ParquetFormatError(at, f"{_DAMAGED}: {error}") from None
        size *= 8


class _UnsupportedError(ValueError):
    """A header says what is not read here."""


def _page(fields: Fields, offset: int, chunk: Chunk) -> Page | None:
    """Returns the page that a header describes; None for one of an index."""
    kind = number(fields, 1)
    whole, stored = number(fields, 2), number(fields, 3)
    crc = fields.get(4)
    if crc is not None and not isinstance(crc, int):
        raise ValueError("its checksum is no number")
    if crc is not None:
        crc &= 0xFFFFFFFF  # Thrift's numbers are signed
    version, codec, lead = 1, chunk.codec, 0
    if kind == _INDEX:
        return None
    if kind == _DATA:
        header = struct(fields, 5)
        encoding = number(header, 2)
        if chunk.deepest and number(header, 3) != _LEVELS:
            raise _UnsupportedError("levels encoded as BIT_PACKED")
    elif kind == _DICTIONARY:
        version = 0
        header = struct(fields, 7)
        encoding = number(header, 2)
        encoding = _PLAIN if encoding in _INDICES else encoding  # its old name
    elif kind == _DATA_V2:
        version = 2
        header = struct(fields, 8)
        encoding = number(header, 4)
        lead = number(header, 5)
        if number(header, 6):
            raise ValueError("it has repetition levels, and its column none")
        if header.get(7, True) is False:
            codec = PLAIN_BYTES
    else:
        raise ValueError(f"its page is of the unknown type {kind}")
    if encoding != _PLAIN and encoding not in _INDICES:
        name = _ENCODINGS.get(encoding, f"number {encoding}")
        raise _UnsupportedError(f"values encoded as {name}")
    if lead > min(stored, whole) or (codec == PLAIN_BYTES and stored != whole):
        raise ValueError(
            f"it has {stored:,} bytes, {lead:,} of them levels, for {whole:,}"
        )
    values, indexed = number(header, 1), encoding in _INDICES
    return Page(
        version, offset, stored, lead, whole - lead, codec, crc, values, indexed
    )
