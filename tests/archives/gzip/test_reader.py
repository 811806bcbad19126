"""Random reads of what a gzip file decompresses to; points that do not fit it."""

import gzip
import random
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archives.gzip.test_points import PHOTOS, TEXT
from transforms import storage
from transforms.archives.gzip.reader import GzipReader
from transforms.archives.gzip.saved import GzipPoints, make_points
from transforms.errors import ArchiveError, StorageError
from transforms.storage import FileInfo
from transforms.storage.remote.reading import RemoteReader

PIECE = 64 << 10
DATA = PHOTOS[: 500 << 10] + TEXT[: 500 << 10]
PACKED = gzip.compress(DATA[:400_000], 9) + gzip.compress(DATA[400_000:], 1)

MakeFile = Callable[[bytes], FileInfo]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> MakeFile:
    """Returns a function that writes a file."""

    def make_file(data: bytes) -> FileInfo:
        path = tmp_path_factory.mktemp("gzip") / "a.tar.gz"
        path.write_bytes(data)
        return storage.file_info(str(path))

    return make_file


def points_of(file: FileInfo, piece: int = PIECE, **options: int) -> GzipPoints:
    with closing(storage.open_reader(file)) as reader:
        return make_points(file, reader, piece, **options)


@pytest.fixture(scope="module")
def reader(make: MakeFile) -> GzipReader:
    file = make(PACKED)
    return GzipReader(file, points_of(file))


def test_points_say_what_there_is(make: MakeFile) -> None:
    points = points_of(make(PACKED + bytes(600)))
    assert (points.piece, points.length, points.end) == (PIECE, len(DATA), len(PACKED))
    assert points.rows["crc"].to_pylist() == [
        zlib.crc32(DATA[at : at + PIECE]) for at in range(0, len(DATA), PIECE)
    ]


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_range(reader: GzipReader, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(DATA)))
    size = data.draw(st.integers(0, len(DATA) - offset))
    assert reader.read(offset, size) == DATA[offset : offset + size]


@pytest.mark.parametrize("data", [b"", b"x"])
def test_hardly_any_bytes(make: MakeFile, data: bytes) -> None:
    file = make(gzip.compress(data))
    reader = GzipReader(file, points_of(file))
    assert reader.size == len(data)
    assert reader.read(0, reader.size) == data
    assert reader.read(reader.size, 0) == b""


def test_threads_share_a_reader(reader: GzipReader) -> None:
    draw = random.Random(3)
    ranges = [(draw.randrange(len(DATA) - 9000), 9000) for _ in range(200)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda each: reader.read(*each), ranges))
    assert found == [DATA[offset : offset + size] for offset, size in ranges]


def test_ranges_that_were_announced(reader: GzipReader) -> None:
    ranges = [(900_000, 70_000), (5, 100), (0, 0)]
    reader.prefetch(ranges)
    assert reader.read_many(ranges) == [DATA[900_000:970_000], DATA[5:105], b""]
    assert reader.next_data(1000) == 1000


def test_a_range_after_the_end(reader: GzipReader) -> None:
    with pytest.raises(StorageError) as caught:
        reader.read(len(DATA) - 5, 6)
    assert str(caught.value).endswith(
        f"holds {len(DATA):,} decompressed bytes, but 6 from {len(DATA) - 5:,} were "
        "expected. Remove its saved index and rerun."
    )


def test_headers_need_no_decompressing(make: MakeFile) -> None:
    header = b"name".ljust(257, b"\0") + b"ustar".ljust(255, b"\0")
    data = bytearray(PHOTOS)
    places = [0, PIECE - 512, PIECE, 9 * 512, len(data) - 512]
    for place in places:
        data[place : place + 512] = header
    file = make(gzip.compress(bytes(data)))
    reader = GzipReader(file, points_of(file))
    assert [reader.read(place, 512) for place in places] == [header] * 5
    assert reader.inflated == 0
    assert reader.read(512, 512) == data[512:1024]
    assert reader.inflated > 0


def test_reads_decompress_little(make: MakeFile) -> None:
    file = make(gzip.compress(PHOTOS, 1))
    reader = GzipReader(file, points_of(file))
    assert reader.read(700_000, 1000) == PHOTOS[700_000:701_000]
    assert reader.inflated <= 4 * PIECE


def test_points_of_data_that_changed(make: MakeFile) -> None:
    points = points_of(make(PACKED))
    other = bytearray(PACKED)
    other[200_000] ^= 1
    reader = GzipReader(make(bytes(other)), points)
    with pytest.raises(ArchiveError) as caught:
        reader.read(0, len(DATA))
    assert "no longer decompress to what they did when it was indexed" in str(
        caught.value
    )


def test_a_wrong_window_is_found(make: MakeFile) -> None:
    file = make(gzip.compress(TEXT))
    points = points_of(file)
    windows = points.rows["window"].to_pylist()
    row = next(row for row, window in enumerate(windows) if window)
    windows[row] = zlib.compress(bytes(32768))
    at = points.rows.column_names.index("window")
    rows = points.rows.set_column(at, "window", pa.array(windows, pa.binary()))
    reader = GzipReader(file, replace(points, rows=rows))
    with pytest.raises(ArchiveError, match="its CRC-32 is another one"):
        reader.read(row * PIECE, 10)


def test_too_many_windows_are_thinned(make: MakeFile) -> None:
    file = make(gzip.compress(TEXT))
    before = points_of(file)
    most = sum(map(len, before.rows["window"].to_pylist())) // 3
    after = points_of(file, most_windows=most)
    assert 0 < sum(map(len, after.rows["window"].to_pylist())) <= most
    kept = np.unique(after.rows["start"].to_numpy())
    assert len(kept) < len(np.unique(before.rows["start"].to_numpy()))
    assert GzipReader(file, after).read(0, len(TEXT)) == TEXT


def test_what_is_far_away_is_got_once(
    make: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make(gzip.compress(PHOTOS, 1))
    points = points_of(file)
    data = Path(file.uri).read_bytes()
    fetched: list[tuple[int, int]] = []

    def fetch(offset: int, size: int) -> bytes:
        fetched.append((offset, size))
        return data[offset : offset + size]

    announced: list[Sequence[tuple[int, int]]] = []

    class Far(RemoteReader):
        def prefetch(self, ranges: Sequence[tuple[int, int]]) -> None:
            announced.append(ranges)
            super().prefetch(ranges)

    far = Far(file, fetch)
    monkeypatch.setattr(storage, "open_reader", lambda _: far)
    reader = GzipReader(file, points)
    ranges = [(900_000, 5000), (70_000, 9000), (905_000, 100)]
    reader.prefetch(ranges)
    assert reader.read_many(ranges) == [PHOTOS[o : o + size] for o, size in ranges]
    assert len(fetched) == 2
    assert [sorted(fetched)] == announced
    assert sum(size for _, size in fetched) < 8 * PIECE
