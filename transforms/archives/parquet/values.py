"""Where the values of a page lie, for columns of bytes.

A plain value is its length, four bytes little-endian, and its bytes; so a page is a
chain, each length leading to the next. In a page that is not compressed, and whose
values are long, only the lengths are read. Of a column with a dictionary the dictionary
has the values, and pages have their numbers. A page of nullable values begins with
definition levels, which say where nulls are; an image that is null is an error here.

Format: ``Encodings.md`` of the Apache Parquet project.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from transforms.archives.parquet.pages import (
    PLAIN_BYTES,
    Chunk,
    NullValueError,
    Page,
    ParquetFormatError,
    Range,
    UnsupportedParquetError,
    Walk,
)
from transforms.archives.parquet.stored import (
    DamagedBytesError,
    Spot,
    check,
    decompress,
    find_spots,
)

Numbers = NDArray[np.int64]
T = TypeVar("T")

_LENGTH: Final = 4  # bytes, before each value
_LONG: Final = 16 << 10  # bytes of a value on average, from which only lengths are read
_USUAL_LEVELS: Final = 64  # bytes; a page without nulls takes six
_LARGEST_PAGE: Final = 512 << 20  # bytes, that are read or made at once
_MOST_VALUES: Final = 1 << 24  # of a page; runs make many of few bytes
_WIDEST: Final = 32  # bits of an index


class PageValues(NamedTuple, Generic[T]):
    """The values of a page.

    Attributes:
        values: In order; none for indices.
        indices: Their numbers in the dictionary; else empty.
    """

    values: list[T]
    indices: Numbers


def is_hopped(page: Page) -> bool:
    """Returns whether of a page only the lengths of its values are read."""
    return (
        page.codec == PLAIN_BYTES
        and not page.indexed
        and page.whole >= _LONG * page.values
    )


def locate_values(chunk: Chunk, page: Page, row: int) -> Walk[PageValues[Spot]]:
    """Finds where the values of a page lie.

    Args:
        chunk: The chunk that the page is of.
        page: The page.
        row: The row of the file that the page's first value belongs to.

    Raises:
        NullValueError: A row has no value.
        ParquetFormatError: The page is damaged.
        UnsupportedParquetError: It is too large to be read.
    """
    if is_hopped(page):
        ranges = yield from _hop(chunk, page, row)
        return PageValues(find_spots(page, ranges, b""), _NO_NUMBERS)
    content = yield from _read(chunk, page, row)
    spots = find_spots(page, content.ranges, content.data)
    return PageValues(spots, content.indices)


def read_values(chunk: Chunk, page: Page, row: int) -> Walk[PageValues[bytes]]:
    """Reads the values of a page; arguments and errors are ``locate_values``'s."""
    content = yield from _read(chunk, page, row)
    values = [bytes(content.body[at : at + size]) for at, size in content.ranges]
    return PageValues(values, content.indices)


def choose(dictionary: Sequence[T], page: Page, values: PageValues[T]) -> list[T]:
    """Returns the values of a page, with those of the dictionary in place of indices.

    Raises:
        ParquetFormatError: The dictionary has not all of them.
    """
    if not page.indexed:
        return values.values
    if len(values.indices) and int(values.indices.max()) >= len(dictionary):
        raise ParquetFormatError(
            page.offset,
            f"a page has a value numbered {int(values.indices.max()):,}, and the "
            f"dictionary {len(dictionary):,} values",
        )
    return [dictionary[index] for index in values.indices.tolist()]


_NO_NUMBERS: Final[Numbers] = np.zeros(0, np.int64)


class _Content(NamedTuple):
    """A page that was read whole.

    Attributes:
        data: Its stored bytes.
        body: Those after the lead, decompressed.
        ranges: Offset and size of each plain value in the body.
        indices: The numbers of values in the dictionary, where it has these.
    """

    data: bytes
    body: memoryview
    ranges: list[Range]
    indices: Numbers


def _read(chunk: Chunk, page: Page, row: int) -> Walk[_Content]:
    """Reads a page whole."""
    _require_measure(page)
    if max(page.stored, page.whole) > _LARGEST_PAGE:
        raise UnsupportedParquetError(
            page.offset, f"a page has {max(page.stored, page.whole):,} bytes"
        )
    data = yield page.offset, page.stored
    try:
        check(page.crc, data)
        body = memoryview(data)[page.lead :]
        if page.whole:
            body = decompress(page.codec, body, page.whole)
        at = _after_levels(chunk, page, row, data, body)
        if not page.indexed:
            ranges = _chain(body, at, page.values)
            return _Content(data, body, ranges, _NO_NUMBERS)
        if at >= len(body):
            raise ValueError("a page ends before its values do")
        indices = decode_numbers(body[at + 1 :], body[at], page.values)
    except (DamagedBytesError, ValueError) as error:
        raise ParquetFormatError(page.offset, str(error)) from None
    return _Content(data, body, [], indices)


def _hop(chunk: Chunk, page: Page, row: int) -> Walk[list[Range]]:
    """Finds offset and size of each value in a page's bytes by the lengths alone."""
    _require_measure(page)
    first = b""
    if chunk.deepest and page.version:
        size = min(page.lead or _USUAL_LEVELS, page.stored)
        first = yield page.offset, size
        need = page.lead if page.version == 2 else _LENGTH + _little(first)
        if size < need <= page.stored:
            first = yield page.offset, need
    try:
        at = _after_levels(chunk, page, row, first, memoryview(first)[page.lead :])
    except ValueError as error:
        raise ParquetFormatError(page.offset, str(error)) from None
    start = page.offset + page.lead
    ranges = []
    for _ in repeat(None, page.values):
        if at + _LENGTH > page.whole:
            raise ParquetFormatError(start + at, "a page ends before its values do")
        length = _little((yield start + at, _LENGTH))
        at += _LENGTH
        ranges.append((at, length))
        at += length
    if at != page.whole:
        raise ParquetFormatError(
            page.offset, f"the values of a page end at {at:,} of {page.whole:,} bytes"
        )
    return ranges


def _require_measure(page: Page) -> None:
    if page.values > _MOST_VALUES:
        raise UnsupportedParquetError(page.offset, f"a page has {page.values:,} values")


def _after_levels(
    chunk: Chunk, page: Page, row: int, data: bytes, body: memoryview
) -> int:
    """Returns where values begin in the body; raises ValueError for damaged levels."""
    if not chunk.deepest or not page.version:
        return 0
    if page.version == 2:
        levels, at = memoryview(data)[: page.lead], 0
    else:
        at = _LENGTH + _little(body)
        if at > page.whole:
            raise ValueError("the levels of a page are longer than the page")
        levels = body[_LENGTH:at]
    found = decode_numbers(levels, chunk.deepest.bit_length(), page.values)
    nulls = np.flatnonzero(found != chunk.deepest)
    if len(nulls):
        raise NullValueError(row + int(nulls[0]), chunk.column)
    return at


def _chain(body: memoryview, at: int, count: int) -> list[Range]:
    """Returns offset and size of each value in a page's bytes."""
    values = []
    for _ in repeat(None, count):
        after = at + _LENGTH
        length = int.from_bytes(body[at:after], "little")
        values.append((after, length))
        at = after + length
        if at > len(body):
            raise ValueError("a page ends before its values do")
    if at != len(body):
        raise ValueError(f"the values of a page end at {at:,} of {len(body):,} bytes")
    return values


def decode_numbers(data: memoryview, bits: int, count: int) -> Numbers:
    """Returns numbers from runs, each repeated or packed into bits.

    Args:
        data: The runs.
        bits: The width of a number, at most 32.
        count: How many numbers are wanted; the last run may have more.

    Raises:
        ValueError: They end before that, or the width is wrong.
    """
    if bits > _WIDEST:
        raise ValueError(f"the numbers in a page have {bits} bits")
    runs: list[Numbers] = []
    at = found = 0
    while found < count:
        head, at = _varint(data, at)
        wanted = count - found
        if head & 1:
            groups = min(head >> 1, -(-wanted // 8))
            packed = np.frombuffer(data[at : at + groups * bits], np.uint8)
            if len(packed) < groups * bits:
                raise ValueError("the numbers in a page are cut off")
            at += (head >> 1) * bits
            numbers = _unpack(packed, bits, groups * 8)[:wanted]
        else:
            width = -(-bits // 8)
            value = int.from_bytes(data[at : at + width], "little")
            if at + width > len(data) or not head:
                raise ValueError("the numbers in a page are cut off")
            at += width
            numbers = np.full(min(head >> 1, wanted), value, np.int64)
        runs.append(numbers)
        found += len(numbers)
    return np.concatenate(runs) if runs else _NO_NUMBERS


def _unpack(packed: NDArray[np.uint8], bits: int, count: int) -> Numbers:
    """Returns numbers of some bits each, the lowest bit first."""
    if not bits:
        return np.zeros(count, np.int64)
    each = np.unpackbits(packed, bitorder="little").reshape(count, bits)
    weights = 1 << np.arange(bits, dtype=np.int64)
    return np.asarray(each @ weights, np.int64)


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
    raise ValueError("the numbers in a page are cut off")


def _little(data: bytes | memoryview) -> int:
    return int.from_bytes(data[:_LENGTH], "little")
