"""Where the members of tars lie, read from their headers alone.

``tarfile`` reads an archive front to back and keeps an object of 30 attributes for
each member. Here a million members are walked by offset: one 512-byte read each, the
bodies skipped, and nothing but name, offset and size kept. Each read needs the one
before it, so many tars are walked at once, a header of each at a time; of a single
long one, many parts. This module does no I/O of its own; the caller passes functions
that read ranges.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

from transforms.archives.tar.chains import find_headers, walk_chains
from transforms.archives.tar.end import NextData, ReadMany, TarEnd, check_end
from transforms.archives.tar.header import BLOCK, Range, padded
from transforms.archives.tar.members import TarMember, Walked, walk_members

Read = Callable[[int, int], bytes]

_SAMPLED: Final = 16  # first members, whose mean length is taken for that of all
_FEWEST: Final = 4096  # members of a tar for which more chains than one are worth it
_LARGEST_READ: Final = 16 << 30  # bytes of a tar that is read along with its headers


class TarWalk(NamedTuple):
    """What a tar holds.

    Attributes:
        members: In archive order, directories and links included.
        end: How it ends.
    """

    members: list[TarMember]
    end: TarEnd


def _everywhere(offset: int) -> int:
    return offset


def walk_tars(
    read_many: ReadMany,
    tars: Sequence[Range],
    next_data: NextData = _everywhere,
    *,
    at_once: int = 1,
    read_on: int = 0,
) -> list[TarWalk]:
    """Returns what tars hold that lie in ranges of one file.

    Args:
        read_many: Returns exactly the bytes of each range; asked for one header of
            every tar at a time.
        tars: Offset and size of each tar.
        next_data: Returns an offset at or after the given one, before which there are
            only zeros.
        at_once: Places of a single tar that are worth reading at a time.
        read_on: Bytes that take no longer to get than a request.

    Raises:
        TarFormatError: A header is corrupt, a member or the end-of-archive block is
            cut off, a kind of member is met that can't be read in place, or something
            follows the end.
    """
    if len(tars) == 1:
        ended = [_walk_one(read_many, tars[0], at_once, read_on)]
    else:
        ended = _walk_many(read_many, tars)
    found = []
    for tar, (members, mark, known) in zip(tars, ended, strict=True):
        last = members[-1].name if members else ""
        end = check_end(read_many, next_data, tar, mark, known, last)
        found.append(TarWalk(members, end))
    return found


def first_files(read: Read, tar: Range, count: int) -> list[TarMember]:
    """Returns a tar's first files, links not counted.

    Args:
        read: Returns exactly the bytes of a range.
        tar: Offset and size of the tar.
        count: Most files to look for.

    Raises:
        TarFormatError: A header before them is corrupt.
    """
    files = (member for member in _each_member(read, tar) if member.kind == "file")
    return list(islice(files, count))


def _walk_many(read_many: ReadMany, tars: Sequence[Range]) -> list[Walked]:
    walks = [walk_members(offset, offset + size, []) for offset, size in tars]
    ended = [Walked([], offset + size, b"") for offset, size in tars]
    waiting = [(i, walk, next(walk)) for i, walk in enumerate(walks)]
    while waiting:
        blocks = read_many([wanted for _, _, wanted in waiting])
        advanced = []
        for (i, walk, _), block in zip(waiting, blocks, strict=True):
            try:
                advanced.append((i, walk, walk.send(block)))
            except StopIteration as stop:
                ended[i] = stop.value
        waiting = advanced
    return ended


def _walk_one(read_many: ReadMany, tar: Range, at_once: int, read_on: int) -> Walked:
    """Walks a tar along one chain of headers, or along many if it is long."""
    size = tar[1]
    starts: list[int] = []
    if at_once > 1 and size >= _FEWEST * BLOCK:

        def read(offset: int, length: int) -> bytes:
            return read_many([(offset, length)])[0]

        sampled = list(islice(_each_member(read, tar), _SAMPLED))
        mean = sum(BLOCK + padded(member.size) for member in sampled) // _SAMPLED
        if len(sampled) == _SAMPLED and size >= _FEWEST * mean:
            starts = find_headers(read_many, tar, at_once, mean)
    return walk_chains(read_many, tar, starts, read_on if size <= _LARGEST_READ else 0)


def _each_member(read: Read, tar: Range) -> Iterator[TarMember]:
    """Yields the members of a tar, one request after another."""
    start, size = tar
    members: list[TarMember] = []
    walk = walk_members(start, start + size, members)
    given = 0
    with suppress(StopIteration):
        wanted = next(walk)
        while True:
            wanted = walk.send(read(*wanted))
            yield from members[given:]
            given = len(members)
    yield from members[given:]
