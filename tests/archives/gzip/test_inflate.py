"""Gzip files front to back, against Python's gzip; what is damaged, refused."""

import gzip
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import storage
from transforms.archives.gzip.inflate import Inflation
from transforms.errors import ArchiveError
from transforms.storage import FileInfo

RANDOM = random.Random(1)
DATA = b"".join(
    RANDOM.randbytes(3_000) + b"much the same " * RANDOM.randrange(90)
    for _ in range(60)
)
PACKED = gzip.compress(DATA, mtime=0)


class Memory:
    """A file in memory, as storage reads one."""

    ahead = 1

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        assert offset + size <= len(self._data)
        return self._data[offset : offset + size]

    def read_many(self, ranges: object) -> list[bytes]:
        raise NotImplementedError

    def prefetch(self, ranges: object) -> None:
        pass

    def next_data(self, offset: int) -> int:
        return offset

    def close(self) -> None:
        pass


def inflate(packed: bytes, size: int = 4096) -> tuple[bytes, int]:
    """Returns the decompressed bytes, and where the last member ends."""
    file = FileInfo("a.tar.gz", len(packed), "1")
    inflation = Inflation(file, Memory(packed))
    blocks = list(inflation.blocks(size))
    assert all(len(block) == size for block in blocks[:-1])
    return b"".join(blocks), inflation.end


def refusal(packed: bytes) -> str:
    with pytest.raises(ArchiveError) as caught:
        inflate(packed)
    return str(caught.value)


@pytest.mark.parametrize("size", [512, 4096, 1 << 20])
def test_one_member(size: int) -> None:
    assert inflate(PACKED, size) == (DATA, len(PACKED))


def test_several_members_are_one_after_another() -> None:
    packed = PACKED + gzip.compress(b"") + gzip.compress(b"more", 1) + PACKED
    assert inflate(packed) == (DATA + b"more" + DATA, len(packed))


def test_a_header_with_every_field() -> None:
    flags = 2 | 4 | 8 | 16
    header = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    header += b"\x03\x00abc" + b"name\0" + b"comment\0"
    header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")
    packed = header + PACKED[10:]
    assert inflate(packed) == (DATA, len(packed))


def test_nothing_in_a_member() -> None:
    assert inflate(gzip.compress(b"")) == (b"", len(gzip.compress(b"")))


@pytest.mark.parametrize("zeros", [1, 7, 512, 70_000])
def test_zeros_are_padding(zeros: int) -> None:
    assert inflate(PACKED + bytes(zeros)) == (DATA, len(PACKED))


@pytest.mark.parametrize("zeros", [0, 3, 512, 70_000])
@pytest.mark.parametrize("garbage", [b"x", b"garbage!" * 9, PACKED])
def test_other_bytes_after_the_last_member(zeros: int, garbage: bytes) -> None:
    if not zeros and garbage == PACKED:
        return  # a second member
    at = len(PACKED) + zeros
    assert refusal(PACKED + bytes(zeros) + garbage) == (
        f"a.tar.gz has bytes at {at:,} that belong to no gzip member: the last one "
        f"ends at byte {len(PACKED):,}. They may be what is left of another one. Get "
        "the file again; if they are nothing, cut them off with truncate "
        f"--size={len(PACKED)} FILE."
    )


def test_no_gzip_file() -> None:
    said = "a.tar.gz does not begin with a gzip member. Check which file it is."
    assert refusal(b"\0" * 600) == said
    assert refusal(b"PK\x03\x04" * 9) == said
    assert refusal(b"") == "a.tar.gz is empty, and no gzip file."


@pytest.mark.parametrize("members", [1, 2])
def test_cut_off_anywhere(members: int) -> None:
    start = len(PACKED) * (members - 1)
    packed = PACKED * members
    cuts = {*range(start + 1, start + 30), *range(len(packed) - 20, len(packed))}
    for cut in cuts | set(range(start + 1, len(packed), 4999)):
        assert refusal(packed[:cut]) == (
            "a.tar.gz is cut off: its last gzip member, which begins at byte "
            f"{start:,}, does not end at byte {cut:,}. Get the file again, whole."
        )


@pytest.mark.parametrize(
    ("place", "reason"),
    [(-1, "incorrect length check"), (-5, "incorrect data check")],
)
def test_a_trailer_that_does_not_fit(place: int, reason: str) -> None:
    packed = bytearray(PACKED)
    packed[place] ^= 1
    said = refusal(PACKED + packed)
    assert said.startswith("a.tar.gz is damaged within the ")
    assert said.endswith(
        f": {reason}, in the gzip member that begins at byte {len(PACKED):,}. Get the "
        "file again."
    )


# A flag of the header may be flipped without harm: that is not data.
@given(st.integers(10 * 8, len(PACKED) * 8 - 1))
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_is_found(bit: int) -> None:
    packed = bytearray(PACKED)
    packed[bit // 8] ^= 1 << bit % 8
    try:
        expected = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        assert refusal(bytes(packed)).startswith("a.tar.gz ")
    else:
        assert inflate(bytes(packed))[0] == expected == DATA


def test_a_bomb_is_held_in_small_pieces() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = bytes(1 << 20)
    packed = b"".join(packer.compress(megabyte) for _ in range(16)) + packer.flush()
    inflation = Inflation(FileInfo("a.gz", len(packed), "1"), Memory(packed))
    given_out: Iterator[bytes] = inflation.blocks(4096)
    assert len(next(given_out)) == 4096
    assert inflation.held <= 2 * 4096
    assert sum(map(len, given_out)) == (16 << 20) - 4096
    assert inflation.end == len(packed)


def test_a_file_read_in_several_requests(tmp_path: Path) -> None:
    data = RANDOM.randbytes(5 << 20) + bytes(9 << 20)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(data, 1) + gzip.compress(data[: 4 << 20], 1))
    file = storage.file_info(str(path))
    reader = storage.open_reader(file)
    blocks: Callable[[int], Iterator[bytes]] = Inflation(file, reader).blocks
    assert b"".join(blocks(1 << 20)) == data + data[: 4 << 20]
    reader.close()
