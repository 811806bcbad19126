"""What follows the end of a tar: padding, a second tar, a hole, other bytes."""

import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archives.tar.test_walk import END_OF_ARCHIVE, FIRST, blocks, fault, header
from tests.helpers.archives import tar
from tests.helpers.oracles import walk_whole
from transforms import storage
from transforms.archives.tar.end import TarEnd
from transforms.archives.tar.header import BLOCK, RECORD, Range, TarFormatError
from transforms.archives.tar.members import TarMember
from transforms.archives.tar.walk import TarWalk, walk_tars

MEMBER = TarMember("first", 512, 3, "file")
MARKED = FIRST + END_OF_ARCHIVE


# --- Zeros ----------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [1, 20])
def test_what_gnu_tar_and_python_pad_with_is_not_worth_a_remark(blocking: int) -> None:
    for members in range(45):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for number in range(members):
                archive.addfile(tarfile.TarInfo(f"{number}"))
        data = buffer.getvalue()
        if blocking == 1:
            data = data.rstrip(b"\0") + bytes(-len(data.rstrip(b"\0")) % BLOCK + 1024)
        assert walk_whole(data).end == TarEnd()


@pytest.mark.parametrize("zeros", [RECORD + BLOCK + 1, 100_000, 20_000_000])
def test_more_zeros_than_padding_are_counted(zeros: int) -> None:
    assert walk_whole(FIRST + bytes(zeros)) == TarWalk([MEMBER], TarEnd(zeros=zeros))
    assert walk_whole(FIRST + bytes(RECORD + BLOCK)).end == TarEnd()


def test_a_hole_of_a_disk_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tar"
    path.write_bytes(FIRST)
    size = len(FIRST) + (200 << 30)
    os.truncate(path, size)
    with path.open("rb") as file:
        if os.lseek(file.fileno(), 1 << 20, os.SEEK_HOLE) != 1 << 20:
            pytest.skip("this file system does not tell of holes")
    reader = storage.open_reader(storage.file_info(str(path)))
    read = []

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        read.extend(ranges)
        return reader.read_many(ranges)

    (found,) = walk_tars(read_many, [(0, size)], reader.next_data)
    assert found == TarWalk([MEMBER], TarEnd(zeros=200 << 30))
    assert sum(length for _, length in read) < 1 << 20
    # A byte at its far end is found.
    with path.open("r+b") as file:
        file.seek(size - 1)
        file.write(b"x")
    reader = storage.open_reader(storage.file_info(str(path)))
    with pytest.raises(TarFormatError) as caught:
        walk_tars(reader.read_many, [(0, size)], reader.next_data)
    assert caught.value.offset == size - 1
    assert caught.value.reason.startswith(f"after {(200 << 30) - 1:,} zero bytes, ")


def test_an_end_near_the_end_of_its_file_takes_no_request_of_its_own() -> None:
    data = header(b"first", 50_000) + blocks(bytes(50_000)) + bytes(RECORD)
    rounds = []

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        rounds.append(list(ranges))
        return [data[offset : offset + size] for offset, size in ranges]

    walk_tars(read_many, [(0, len(data))])
    mark = len(data) - RECORD
    assert rounds == [[(0, BLOCK)], [(mark, RECORD)]]


def test_gigabytes_after_an_end_are_asked_for_many_requests_at_once() -> None:
    size = 1 << 30
    rounds = []

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        rounds.append(len(ranges))
        return [(FIRST + bytes(length))[offset:][:length] for offset, length in ranges]

    (found,) = walk_tars(read_many, [(0, size)])
    assert found.end == TarEnd(zeros=size - len(FIRST))
    # Two headers, 64 KiB, and 64 MiB at a time.
    assert rounds == [1, 1, 1] + [8] * 16


# --- Other bytes ----------------------------------------------------------------------

SECOND_TAR = (
    "a second tar begins after its end, with b, and readers of tars stop before it. "
    "tar --concatenate makes one of both"
)


def hole(zeros: int) -> str:
    return (
        f"after {zeros:,} zero bytes, where a member or the end of the tar should be, "
        "there are others again. It looks like a hole: these bytes were lost when the "
        "file was downloaded or copied"
    )


A, B = tar([("a", b"1")]), tar([("b", b"2")])


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        pytest.param(A + B, 10_240, SECOND_TAR, id="cat"),
        pytest.param(MARKED + B, 2048, SECOND_TAR, id="cat-without-padding"),
        pytest.param(
            FIRST + bytes(BLOCK) + B, 1536, SECOND_TAR, id="cat-with-a-lone-zero-block"
        ),
        pytest.param(
            A + bytes(1 << 20) + B, 10_240 + (1 << 20), hole(1_057_792), id="far-off"
        ),
        pytest.param(
            A + bytes(10 * RECORD) + B,
            11 * RECORD,
            SECOND_TAR,
            id="cat-of-long-records",
        ),
        pytest.param(
            FIRST + bytes(64 << 10) + b"\xff" * 4000, 66_560, hole(65_536), id="hole"
        ),
        pytest.param(
            FIRST + bytes((64 << 10) + 77) + b"\xff",
            66_637,
            hole(65_613),
            id="odd-hole",
        ),
        pytest.param(
            FIRST + bytes(4096) + header(b"b", 0),
            5120,
            hole(4096),
            id="hole-to-a-header",
        ),
        pytest.param(
            FIRST + bytes(39 * RECORD - 1024) + b"\xff" * 512,
            39 * RECORD,
            hole(39 * RECORD - 1024),
            id="hole-to-where-a-record-ends",
        ),
        pytest.param(
            A + b"signature\n",
            10_240,
            "other bytes follow its end: b'signature\\n'",
            id="appended",
        ),
        pytest.param(
            MARKED + b"\xff" * 4000,
            2048,
            "other bytes follow its end: " + repr(b"\xff" * 16),
            id="appended-without-padding",
        ),
        pytest.param(
            FIRST + bytes(511) + b"\0\1",
            1536,
            r"other bytes follow its end: b'\x01'",
            id="one-byte",
        ),
    ],
)
@pytest.mark.parametrize("start", [0, 1000])
def test_what_follows_an_end_is_named_with_its_place(
    data: bytes, offset: int, reason: str, start: int
) -> None:
    (last,) = [member for member in (b"a", b"first") if data.startswith(member + b"\0")]

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        return [
            (bytes(start) + data)[offset : offset + size] for offset, size in ranges
        ]

    with pytest.raises(TarFormatError) as caught:
        walk_tars(read_many, [(start, len(data))])
    error = caught.value
    assert (error.reason, error.offset, error.member) == (
        reason,
        start + offset,
        last.decode(),
    )


def test_a_byte_wherever_after_the_end_is_found() -> None:
    for place in [*range(len(FIRST) + BLOCK, 12_000, 97), 80_000, 9_000_000, 9_999_999]:
        data = bytearray(FIRST + bytes(10_000_000))
        data[place] = 1
        assert fault(bytes(data)).offset == place


@settings(deadline=None, max_examples=100)
@given(
    names=st.lists(st.sampled_from("abc"), min_size=2, max_size=12),
    size=st.sampled_from([0, 600, 5000]),
    hole=st.tuples(st.integers(0, 60_000), st.sampled_from([512, 4096, 20_000])),
)
def test_a_hole_is_refused_or_lets_every_header_stand(
    names: list[str], size: int, hole: tuple[int, int]
) -> None:
    archive = tar((name, b"\xff" * size) for name in names)
    whole = walk_whole(archive).members
    start, length = hole
    damaged = bytearray(archive)
    damaged[start : start + length] = bytes(len(damaged[start : start + length]))
    try:
        found = walk_whole(bytes(damaged))
    except TarFormatError:
        return
    # It covered bodies alone, or all to the end, as a stopped download leaves it.
    assert found.members == whole[: len(found.members)]
    if len(found.members) < len(whole):
        mark = whole[len(found.members)].offset - BLOCK
        assert not any(damaged[mark:])
