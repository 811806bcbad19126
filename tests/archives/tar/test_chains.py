"""Many chains of headers: whatever they begin at, they find what one chain finds."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archives.tar.test_walk import (
    END_OF_ARCHIVE,
    EXTENDED,
    MEMBERS,
    POSIX_MAGIC,
    V7_MAGIC,
    blocks,
    extended,
    header,
    pack,
)
from tests.helpers.oracles import members_of_tarfile
from transforms.archives.tar.chains import find_headers, walk_chains
from transforms.archives.tar.header import BLOCK, Range, TarFormatError
from transforms.archives.tar.members import TarMember, Walked
from transforms.archives.tar.walk import TarWalk, walk_tars


class Tar:
    """Bytes that note which ranges of them are read."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self.data = data
        self.start = start
        self.rounds: list[list[Range]] = []

    @property
    def place(self) -> Range:
        return self.start, len(self.data) - self.start

    def read_many(self, ranges: Sequence[Range]) -> list[bytes]:
        self.rounds.append(list(ranges))
        for offset, size in ranges:
            assert self.start <= offset <= offset + size <= len(self.data)
        return [self.data[offset : offset + size] for offset, size in ranges]


def one_by_one(tar: Tar) -> Walked | tuple[int, str, str]:
    return outcome(tar, [], 0)


def outcome(
    tar: Tar, starts: Sequence[int], read_on: int
) -> Walked | tuple[int, str, str]:
    try:
        return walk_chains(tar.read_many, tar.place, starts, read_on)
    except TarFormatError as error:
        return error.offset, error.reason, error.member


PIECES = st.lists(MEMBERS | EXTENDED, max_size=8).map(b"".join)
# A tar as a member, so that headers lie where there is none.
WITHIN = PIECES.map(lambda tar: header(b"tar", len(tar)) + tar)


LARGE = header(b"large", 20 * BLOCK) + bytes(20 * BLOCK)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(PIECES | WITHIN, max_size=4).map(b"".join),
    st.sampled_from([b"", END_OF_ARCHIVE, bytes(20 * BLOCK), b"x"]),
    st.sampled_from([0, 1, BLOCK]),
    st.lists(st.integers(0, 60), max_size=6),
    st.sampled_from([0, 10, 1 << 20]),
)
def test_chains_that_begin_anywhere_find_what_one_finds(
    members: bytes, end: bytes, before: int, starts: list[int], read_on: int
) -> None:
    # The last member is large, or all would be read along with the first header.
    tar = Tar(b"\xff" * before + members + LARGE + end, before)
    size = len(tar.data) - before
    wanted = one_by_one(tar)
    places = [before + start * BLOCK for start in starts if start * BLOCK <= size]
    found = outcome(tar, places, read_on)
    if isinstance(found, Walked):  # what is known of the end depends on what was read
        assert isinstance(wanted, Walked)
        assert found.members == wanted.members
        assert found.mark == wanted.mark
        assert tar.data[found.mark :].startswith(found.known)
    else:
        assert found == wanted


def test_a_chain_is_joined_where_it_had_a_member_begin() -> None:
    tar = Tar(pack([(f"{number}", b"x" * 600) for number in range(30)]))
    third, fourth = 3 * BLOCK * 2, 3 * BLOCK * 3
    walked = walk_chains(tar.read_many, tar.place, [third, third + BLOCK], 0)
    assert walked.members == members_of_tarfile(tar.data)
    # The first chain, one from the third member, and one that is a fault at once.
    assert tar.rounds[:2] == [
        [(0, BLOCK), (third, BLOCK), (third + BLOCK, BLOCK)],
        [(3 * BLOCK, BLOCK), (fourth, BLOCK)],
    ]
    # The first one has joined the other and reads no more.
    assert [len(ranges) for ranges in tar.rounds[2:]] == [1] * (len(tar.rounds) - 2)


def test_a_chain_that_begins_within_a_members_headers_is_joined_after_that() -> None:
    long = extended(b"K", b"target\0") + extended(b"L", b"n" * 150)
    member = long + header(b"short", 5) + blocks(b"bytes")
    tar = Tar(member * 3 + LARGE + END_OF_ARCHIVE)
    walked = walk_chains(tar.read_many, tar.place, [len(member) + 2 * BLOCK], 0)
    assert walked.members == [
        *(
            TarMember("n" * 150, len(member) * number - BLOCK, 5, "file")
            for number in (1, 2, 3)
        ),
        TarMember("large", len(member) * 3 + BLOCK, 20 * BLOCK, "file"),
    ]


def test_headers_in_a_member_that_is_a_tar_are_no_members() -> None:
    inner = pack([(f"inner {number}", b"x" * 600) for number in range(30)])
    tar = Tar(pack([("first", b"1"), ("in.tar", inner), ("last", b"2")]))
    starts = find_headers(tar.read_many, tar.place, 4, 600)
    assert all(BLOCK * 3 < start < BLOCK * 3 + len(inner) for start in starts)
    assert len(starts) == 3
    walked = walk_chains(tar.read_many, tar.place, starts, 0)
    assert [member.name for member in walked.members] == ["first", "in.tar", "last"]


def test_a_fault_is_that_of_one_chain_with_the_member_before_it() -> None:
    members = [header(b"%d" % number, 600) + bytes(1024) for number in range(6)]
    members[3] = b"x" + members[3][1:]
    tar = Tar(b"".join(members) + END_OF_ARCHIVE)
    fault = 9 * BLOCK
    expected = (fault, "the header's checksum is wrong", "2")
    assert outcome(tar, [], 0) == expected
    # A chain that begins there has no member before it; another is after it.
    assert outcome(tar, [fault, fault + 3 * BLOCK], 0) == expected


def test_headers_are_found_by_their_sums_a_piece_at_a_time() -> None:
    size = 200_000
    body = bytearray(blocks(b"\xff" * size))
    mark = 300 * BLOCK + 257  # of no header, in the first piece that is searched
    body[mark : mark + 5] = b"ustar"
    member = header(b"a", size) + bytes(body)
    tar = Tar(b"\xff" + member * 3, 1)
    found = find_headers(tar.read_many, tar.place, 4, 1000)
    assert found == [1 + len(member), 1 + 2 * len(member)]
    piece = 64 << 10
    first, second, third = (1 + len(member) * 3 * i // 4 for i in (1, 2, 3))
    assert tar.rounds == [
        [(first, piece), (second, piece), (third, piece)],
        [(second + piece, piece), (third + piece, piece)],
        [(third + 2 * piece, len(tar.data) - third - 2 * piece)],
    ]


@pytest.mark.parametrize(("magic", "found"), [(POSIX_MAGIC, 3), (V7_MAGIC, 0)])
def test_headers_from_before_ustar_are_not_found(magic: bytes, found: int) -> None:
    tar = Tar(header(b"a", 600, magic=magic) * 40)
    assert len(find_headers(tar.read_many, tar.place, 4, 600)) == found


def test_small_members_are_read_along_with_headers_and_large_ones_are_not() -> None:
    large = 3 << 20
    sizes = [600] * 3 + [large] * 3 + [9000] * 3
    tar = Tar(pack([(f"{n}", bytes(size)) for n, size in enumerate(sizes)]))
    walked = walk_chains(tar.read_many, tar.place, [], 10_000)
    assert walked.members == members_of_tarfile(tar.data)
    at = [member.offset - BLOCK for member in walked.members]
    window = 1 << 20
    assert tar.rounds == [
        [(0, BLOCK)],  # of which nothing is known yet
        [(at[1], window)],  # the next two, and the first large one's header
        [(at[4], BLOCK)],
        [(at[5], BLOCK)],
        [(at[6], BLOCK)],
        [(at[7], len(tar.data) - at[7])],  # up to the end
    ]


LONG = [(f"{number:05d}", b"x" * 300) for number in range(5000)]


def test_a_long_tar_is_walked_from_many_places_at_once() -> None:
    tar = Tar(pack(LONG))
    found = walk_tars(tar.read_many, [tar.place], at_once=20)
    assert found == walk_tars(tar.read_many, [tar.place, tar.place])[:1]
    assert [member.name for member in found[0].members] == [name for name, _ in LONG]
    parallel = Tar(tar.data)
    walk_tars(parallel.read_many, [tar.place], at_once=20)
    # 16 members, the search, and as many rounds as the longest part has members.
    assert [len(ranges) for ranges in parallel.rounds[:18]] == [1] * 16 + [19, 20]
    assert len(parallel.rounds) <= 16 + 1 + 5000 // 20 + 5


@pytest.mark.parametrize(
    ("members", "at_once"), [(LONG[:4000], 20), (LONG, 1), ([], 20), (LONG[:3], 20)]
)
def test_a_short_tar_or_one_that_is_decoded_is_walked_from_its_beginning(
    members: list[tuple[str, bytes]], at_once: int
) -> None:
    tar = Tar(pack(members))
    (found,) = walk_tars(tar.read_many, [tar.place], at_once=at_once)
    assert [member.name for member in found.members] == [name for name, _ in members]
    assert max(map(len, tar.rounds)) == 1


def test_a_few_members_before_a_hole_are_no_long_tar() -> None:
    data = pack([("a", b"")]) + bytes(5000 * BLOCK)
    tar = Tar(data)
    (found,) = walk_tars(tar.read_many, [tar.place], at_once=20)
    assert found == TarWalk([TarMember("a", BLOCK, 0, "file")], found.end)
    assert found.end.zeros == len(data) - BLOCK
    assert max(map(len, tar.rounds)) == 1
