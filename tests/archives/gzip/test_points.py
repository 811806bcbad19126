"""Decompressing from a seek point on, at every bit of a byte."""

import gzip
import random
import zlib

import pytest

from tests.archives.gzip.test_inflate import DATA, Memory
from transforms.archives.gzip.points import SeekPoint, find_points, inflate_from
from transforms.errors import ArchiveError, StorageError
from transforms.storage import FileInfo

SPACING = 64 << 10
RANDOM = random.Random(2)
PHOTOS = RANDOM.randbytes(1 << 20)  # stored, most of it, as photographs are
TEXT = b" ".join(b"%x" % RANDOM.randrange(1 << 28) for _ in range(150_000))


def find(packed: bytes) -> list[SeekPoint]:
    file = FileInfo("a.tar.gz", len(packed), "1")
    return find_points(file, Memory(packed), len(packed), SPACING)


@pytest.mark.parametrize("bits", range(8))
def test_a_block_that_begins_at_any_bit(bits: int) -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=DATA[:32768])
    stream = packer.compress(DATA[32768:]) + packer.flush()
    before = (8 - bits) % 8  # bits of the block before, all ones
    shifted = int.from_bytes(stream, "little") << before | (1 << before) - 1
    data = shifted.to_bytes(len(stream) + bool(bits), "little")
    point = SeekPoint(32768, 100, bits, zlib.compress(DATA[:32768]))
    assert b"".join(inflate_from(point, data, 1000)) == DATA[32768:]


@pytest.mark.parametrize(
    ("packed", "data"),
    [
        (gzip.compress(PHOTOS, 6), PHOTOS),
        (gzip.compress(TEXT, 1), TEXT),
        (gzip.compress(TEXT, 9), TEXT),
        (gzip.compress(PHOTOS) + gzip.compress(TEXT), PHOTOS + TEXT),
        (gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(b"x"), TEXT + b"x"),
        (
            b"".join(
                gzip.compress(TEXT[at : at + 9999]) for at in range(0, 99990, 9999)
            ),
            TEXT[:99990],
        ),
    ],
    ids=["stored", "fast", "best", "two members", "empty member", "small members"],
)
def test_every_point_leads_to_what_follows_it(packed: bytes, data: bytes) -> None:
    points = find(packed)
    assert points[0].start == 0
    assert len(points) >= len(data) // (4 * SPACING)
    for point in points:
        rest = packed[point.byte - bool(point.bits) :]
        assert b"".join(inflate_from(point, rest, 50_000)) == data[point.start :]


def test_points_lie_at_many_bits() -> None:
    assert len({point.bits for point in find(gzip.compress(TEXT))}) >= 4


def test_windows_of_photographs_are_small() -> None:
    assert sum(len(point.window) for point in find(gzip.compress(PHOTOS))) < 2000


class Failing(Memory):
    def read(self, offset: int, size: int) -> bytes:
        if offset:
            raise StorageError("The bucket is gone.")
        return super().read(offset, size)


def test_an_error_of_the_storage_is_the_storage_s_error() -> None:
    packed = gzip.compress(RANDOM.randbytes(3 << 20), 1)
    file = FileInfo("a.tar.gz", len(packed), "1")
    with pytest.raises(StorageError, match=r"^The bucket is gone\.$"):
        find_points(file, Failing(packed), len(packed), SPACING)


def test_what_rapidgzip_cannot_read_is_to_be_unpacked() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 1
    with pytest.raises(ArchiveError) as caught:
        find(bytes(packed))
    said = str(caught.value)
    assert "a.tar.gz is a gzip file in which no seek points can be found" in said
    assert said.endswith("Unpack it with gunzip --keep a.tar.gz")
