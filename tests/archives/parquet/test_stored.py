"""Bytes of compressed pages, against pyarrow's codecs."""

import random
import zlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.parquet import varint
from transforms.archives.parquet.stored import (
    DamagedBytesError,
    Stored,
    decompress,
    parse_detail,
    snappy_blocks,
    unpack,
)

BLOCK = 1 << 16
DATA = random.Random(0).randbytes(70_000) + b"words and words, " * 9_000


def compressed(codec: str, data: bytes) -> bytes:
    made: bytes = pa.Codec(codec.lower()).compress(data, asbytes=True)
    return made


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 100_000), st.booleans(), st.integers(0, 9)),
        max_size=6,
    )
)
def test_each_block_of_snappy_stands_for_itself(
    parts: list[tuple[int, bool, int]],
) -> None:
    data = b"".join(
        random.Random(seed).randbytes(length)
        if noise
        else (b"%d of a kind " % seed * (length // 10 + 1))[:length]
        for length, noise, seed in parts
    )
    made = compressed("SNAPPY", data)
    blocks = snappy_blocks(memoryview(made))
    originals = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)] or [b""]
    assert blocks[-1] == len(made)
    assert len(blocks) == len(originals) + 1
    for number, original in enumerate(originals):
        part = made[blocks[number] : blocks[number + 1]]
        stored = Stored("SNAPPY_BLOCKS", len(part), 0, len(original), None, 0)
        assert unpack(stored, part, len(original)) == original


def literal(data: bytes) -> bytes:
    return bytes([61 << 2]) + (len(data) - 1).to_bytes(2, "little") + data


FULL = literal(DATA[:BLOCK])


@pytest.mark.parametrize(
    ("elements", "made"),
    [
        # Copies of 4 bytes from one byte before the block, in the three notations.
        (FULL + literal(b"abc") + b"\x01\x04", BLOCK + 7),
        (FULL + literal(b"abc") + b"\x0e\x04\0", BLOCK + 7),
        (FULL + literal(b"abc") + b"\x0f\x04\0\0\0", BLOCK + 7),
        # A literal over the end of a block, and one at the page's end.
        (literal(b"abc") + FULL + literal(b"abc"), BLOCK + 6),
        (literal(b"abc") + FULL, BLOCK + 3),
    ],
)
def test_blocks_that_look_back_or_have_other_ends_are_none(
    elements: bytes, made: int
) -> None:
    page = varint(made) + elements
    # They are well-formed all the same.
    assert len(decompress("SNAPPY", memoryview(page), made)) == made
    assert snappy_blocks(memoryview(page)) == []


def test_copies_within_a_block_are_well() -> None:
    page = (
        varint(BLOCK + 15) + FULL + literal(b"abc") + b"\x01\x03\x0e\x01\0\x0f\1\0\0\0"
    )
    blocks = snappy_blocks(memoryview(page))
    assert blocks == [3, 3 + len(FULL), len(page)]


@pytest.mark.parametrize("codec", ["SNAPPY", "GZIP", "ZSTD"])
def test_bytes_come_back(codec: str) -> None:
    made = memoryview(b"levels" + compressed(codec, DATA))
    stored = Stored(codec, len(made), 6, len(DATA), zlib.crc32(made), 69_990)
    assert unpack(stored, bytes(made), 30) == DATA[69_990:70_020]
    assert parse_detail(stored.detail) == stored


@pytest.mark.parametrize("codec", ["SNAPPY", "GZIP", "ZSTD"])
@pytest.mark.parametrize("change", [-1, 1, 1000])
def test_bytes_of_another_length_are_damaged(codec: str, change: int) -> None:
    made = memoryview(compressed(codec, DATA))
    with pytest.raises(DamagedBytesError):
        decompress(codec, made, len(DATA) + change)


@pytest.mark.parametrize("codec", ["SNAPPY", "GZIP", "ZSTD"])
def test_bytes_that_are_cut_off_are_damaged(codec: str) -> None:
    made = memoryview(compressed(codec, DATA))
    for cut in (0, 1, len(made) // 2, len(made) - 1):
        with pytest.raises(DamagedBytesError):
            decompress(codec, made[:cut], len(DATA))


def test_another_checksum_is_damage() -> None:
    stored = Stored("UNCOMPRESSED", 4, 0, 4, zlib.crc32(b"good"), 0)
    assert unpack(stored, b"good", 4) == b"good"
    with pytest.raises(DamagedBytesError) as caught:
        unpack(stored, b"gold", 4)
    found, expected = zlib.crc32(b"gold"), zlib.crc32(b"good")
    assert str(caught.value) == (
        f"a page's checksum is {found:08x}, expected {expected:08x}"
    )


def test_a_detail_in_full() -> None:
    stored = Stored("SNAPPY", 12, 3, 40, 0xABC, 7)
    assert stored.detail == "SNAPPY 12 3 40 00000abc 7"
    assert parse_detail("ZSTD 12 3 40 - 7") == Stored("ZSTD", 12, 3, 40, None, 7)
