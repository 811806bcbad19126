"""A long tar, walked along many chains of headers at once.

A header says where the next one is, and nothing else does: a flat tar is one chain, and
each read waits for the one before it. Over a network that takes 30 ms a member. So
chains begin all over the tar, each at the first block that looks like a header. Whether
it is one, or lies in an image or in a tar that is a member itself, no block says of
itself. What counts is the chain from the tar's beginning: where it comes to a place at
which another chain had a member begin, it goes on as that one did, for what follows
depends on the place alone. All that it does not come to is dropped. So the members, and
the faults, are those of one chain.
"""

from collections.abc import Sequence
from typing import Final

from transforms.archives.tar.end import ReadMany
from transforms.archives.tar.header import (
    BLOCK,
    Range,
    TarFormatError,
    checksum_matches,
    marked_blocks,
    padded,
)
from transforms.archives.tar.members import TarMember, Walked, walk_members

_JOINTS: Final = 16  # members of a chain that others may join at
_WINDOW: Final = 1 << 20  # bytes read from a header on, where members are small
_SMALLEST_PIECE: Final = 64 << 10  # bytes of a request that looks for a header
_PIECES: Final = 4  # for each chain, in which a header is looked for


def find_headers(
    read_many: ReadMany, tar: Range, count: int, member_size: int
) -> list[int]:
    """Returns where headers seem to lie, spread over a tar.

    Headers of before ustar have no mark and are not found.

    Args:
        read_many: Returns exactly the bytes of each range.
        tar: Offset and size of the tar.
        count: Of places to look at, evenly spread; at some there may be none.
        member_size: Mean length of the first members, in bytes.
    """
    start, size = tar
    end = start + size
    piece = min(max(2 * padded(member_size), _SMALLEST_PIECE), _WINDOW)
    places = [start + size * i // count // BLOCK * BLOCK for i in range(1, count)]
    found = []
    for _ in range(_PIECES):
        ranges = [(place, min(piece, end - place)) for place in places if place < end]
        if not ranges:
            break
        places = []
        for (place, _), data in zip(ranges, read_many(ranges), strict=True):
            header = _first_header(data)
            if header is None:
                places.append(place + piece)
            else:
                found.append(place + header)
    return sorted(found)


def _first_header(data: bytes) -> int | None:
    for block in marked_blocks(data):
        at = int(block) * BLOCK
        if checksum_matches(data[at : at + BLOCK]):
            return at
    return None


def walk_chains(
    read_many: ReadMany, tar: Range, starts: Sequence[int], read_on: int
) -> Walked:
    """Returns what one chain from a tar's beginning finds, along many.

    Args:
        read_many: Returns exactly the bytes of each range.
        tar: Offset and size of the tar.
        starts: Where other chains begin, whatever lies there.
        read_on: Bytes: members that are smaller are read along with the headers.

    Raises:
        TarFormatError: That chain comes to a fault.
    """
    start, size = tar
    joints: dict[int, tuple[_Chain, int]] = {}
    chains = [_Chain(each, start + size, joints) for each in (start, *starts)]
    tip, first = chains[0], 0
    members: list[TarMember] = []
    while True:
        while tip.joined is not None:
            members += tip.members[first:]
            tip, first = tip.joined
        if tip.wanted is None:
            break
        walking = [chain for chain in chains if chain.wanted is not None]
        ranges = [chain.next_range(read_on) for chain in walking]
        pieces = read_many(ranges)
        for chain, (offset, _), piece in zip(walking, ranges, pieces, strict=True):
            chain.walk_through(offset, piece, joints)
    members += tip.members[first:]
    if tip.fault is not None:
        last = members[-1].name if members else ""
        raise TarFormatError(tip.fault.offset, tip.fault.reason, last)
    assert tip.walked is not None
    return tip.walked._replace(members=members)


class _Chain:
    """One chain of headers.

    Attributes:
        members: What it found so far.
        wanted: What it reads next; None if it has come to an end.
        joined: The chain that goes on from there, and how many members that had found
            before that place.
        walked: How the tar ends, if it came there.
        fault: What is wrong, if it came to that.
    """

    __slots__ = (
        *("_end", "_start", "_walk"),
        *("fault", "joined", "members", "walked", "wanted"),
    )

    def __init__(
        self, start: int, end: int, joints: dict[int, tuple["_Chain", int]]
    ) -> None:
        self.members: list[TarMember] = []
        self.wanted: Range | None = None
        self.joined: tuple[_Chain, int] | None = None
        self.walked: Walked | None = None
        self.fault: TarFormatError | None = None
        self._start = start
        self._end = end
        self._walk = walk_members(start, end, self.members)
        self._advance(None, joints)

    def next_range(self, read_on: int) -> Range:
        """Returns what to read: a header, or with it what follows, if that is small."""
        assert self.wanted is not None
        offset, size = self.wanted
        if self.members and self.members[-1].size < read_on:
            size = max(size, min(_WINDOW, self._end - offset))
        return offset, size

    def walk_through(
        self, offset: int, piece: bytes, joints: dict[int, tuple["_Chain", int]]
    ) -> None:
        """Goes on as far as a piece of the file reaches."""
        while self.wanted is not None:
            at, size = self.wanted[0] - offset, self.wanted[1]
            if at + size > len(piece):
                return
            self._advance(piece[at : at + size], joints)

    def _advance(
        self, data: bytes | None, joints: dict[int, tuple["_Chain", int]]
    ) -> None:
        wanted = None
        try:
            wanted = next(self._walk) if data is None else self._walk.send(data)
        except StopIteration as stop:
            self.walked = stop.value
        except TarFormatError as error:
            self.fault = error
        else:
            if wanted[0] == self._next_member():
                self._join(wanted[0], joints)
        self.wanted = None if self.joined else wanted

    def _next_member(self) -> int:
        """Returns where the next member begins, its extended headers with it."""
        if not self.members:
            return self._start
        last = self.members[-1]
        return last.offset + padded(last.size)

    def _join(self, place: int, joints: dict[int, tuple["_Chain", int]]) -> None:
        self.joined = joints.get(place)
        if self.joined is None and len(self.members) < _JOINTS:
            joints[place] = (self, len(self.members))
