"""What stands after the end of a tar.

A tar ends with two blocks of zeros, and readers stop there. Zeros up to the end of the
file are padding; anything else means that they, and whoever used the archive before,
miss a part of it: a second tar that was appended, or a hole where a header should be,
as a copy leaves that lost some bytes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from transforms.archives.tar.header import (
    BLOCK,
    RECORD,
    Range,
    TarFormatError,
    checksum_matches,
    decode,
    own_name,
)
from transforms.errors import printable

ReadMany = Callable[[Sequence[Range]], list[bytes]]
NextData = Callable[[int], int]

_USUAL: Final = RECORD + BLOCK  # bytes of zeros: two blocks, and what fills a record
_FIRST: Final = 64 << 10  # bytes read at first: most of what follows an end is short
_PIECE: Final = 8 << 20  # bytes of a request
_PIECES: Final = 8  # requests at a time
_OTHER: Final = re.compile(rb"[^\0]")


@dataclass(frozen=True, slots=True)
class TarEnd:
    """How a tar ends. As it comes, with blocks that mark its end and little padding.

    Attributes:
        unmarked: 1 where no end-of-archive block stands after the last member, else 0.
        zeros: Number of zero bytes at its end where that is more than blocks and
            padding take, else 0.
    """

    unmarked: int = 0
    zeros: int = 0


USUAL_END: Final = TarEnd()


def check_end(
    read_many: ReadMany,
    next_data: NextData,
    tar: Range,
    mark: int,
    known: bytes,
    member: str,
) -> TarEnd:
    """Returns how a tar ends, having seen that nothing but zeros follows its end.

    Args:
        read_many: Returns exactly the bytes of each range.
        next_data: Returns an offset at or after the given one, before which there are
            only zeros; the file's system knows of holes without reading them.
        tar: Offset and size of the tar.
        mark: Where its end-of-archive block begins; its own end where there is none.
        known: The bytes from there on that are read already.
        member: The last member, for messages.

    Raises:
        TarFormatError: Something follows the end.
    """
    start, size = tar
    end = start + size
    if mark == end:
        return TarEnd(unmarked=1)
    place = _first_other(mark, known)
    if place is None:
        place = _find_other(read_many, next_data, mark + len(known), end)
    if place is not None:
        reason = _describe(read_many, tar, mark, place)
        raise TarFormatError(place, reason, member)
    zeros = end - mark
    return TarEnd(zeros=zeros if zeros > _USUAL else 0)


def _find_other(
    read_many: ReadMany, next_data: NextData, position: int, end: int
) -> int | None:
    """Returns where the first byte lies that is not zero."""
    size, count = _FIRST, 1
    while position < end:
        position = next_data(position)
        ranges = list(_pieces(position, end, size, count))
        for (offset, _), piece in zip(ranges, read_many(ranges), strict=True):
            place = _first_other(offset, piece)
            if place is not None:
                return place
        position += size * count
        size, count = _PIECE, _PIECES
    return None


def _pieces(position: int, end: int, size: int, count: int) -> Iterator[Range]:
    for start in range(position, min(end, position + size * count), size):
        yield start, min(size, end - start)


def _first_other(offset: int, piece: bytes) -> int | None:
    if piece == bytes(len(piece)):  # a hundred times as fast as the search
        return None
    found = _OTHER.search(piece)
    return offset + found.start() if found else None


def _describe(read_many: ReadMany, tar: Range, mark: int, place: int) -> str:
    """Returns what the bytes after a tar's end look like."""
    start, size = tar
    zeros = place - mark
    block = start + (place - start) // BLOCK * BLOCK
    (data,) = read_many([(block, min(BLOCK, start + size - block))])
    is_header = len(data) == BLOCK and checksum_matches(data)
    # Where writers would have ended the tar before it.
    at_record = (place - start) % RECORD == 0
    if is_header and (at_record or zeros <= 2 * BLOCK):
        name = printable(decode(own_name(data)))
        return (
            f"a second tar begins after its end, with {name}, and readers of tars stop "
            "before it. tar --concatenate makes one of both"
        )
    if zeros > (_USUAL if at_record else 2 * BLOCK):
        return (
            f"after {zeros:,} zero bytes, where a member or the end of the tar should "
            "be, there are others again. It looks like a hole: these bytes were lost "
            "when the file was downloaded or copied"
        )
    return f"other bytes follow its end: {data[place - block :][:16]!r}"
