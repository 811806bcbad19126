"""Seek points that are kept, and made again where they do not fit."""

import gzip
import hashlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.archives.gzip.test_points import PHOTOS
from transforms import storage
from transforms.archives.containers import Archive
from transforms.archives.gzip.saved import open_points, points_path
from transforms.errors import ArchiveError, StorageError

MADE_AGAIN = "are not used, but made again"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    path = tmp_path / "photos.tar.gz"
    path.write_bytes(gzip.compress(PHOTOS, 1))
    file = storage.file_info(str(path))
    return Archive("train", file, "tar.gz", index_dir=str(tmp_path / "index"))


def test_points_are_kept(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = open_points(archive)
    assert [record.message for record in caplog.records] == [
        f"{archive.file.uri} ({archive.file.size:,} bytes) is decompressed once to "
        "find where its images lie."
    ]
    caplog.clear()
    read = open_points(archive)
    assert not caplog.records
    assert (read.piece, read.length, read.end) == (made.piece, made.length, made.end)
    assert read.rows.equals(made.rows)
    assert read.rows.num_rows == 2
    names = sorted(os.listdir(archive.index_dir))
    name = storage.base_name(points_path(archive))
    assert names == [name, f"{name}.sha256"]
    assert name.startswith("photos.tar.gz-")


def test_one_process_reads_them_once(archive: Archive) -> None:
    open_points(archive)
    assert open_points(archive) is open_points(archive)


@pytest.mark.parametrize("place", [4, 900, -30])
def test_damaged_points(
    archive: Archive, caplog: pytest.LogCaptureFixture, place: int
) -> None:
    made = open_points(archive)
    path = Path(points_path(archive))
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert open_points(archive).rows.equals(made.rows)
    assert f"{path} {MADE_AGAIN}: their checksum is wrong" in caplog.text


def test_points_without_a_checksum(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    made = open_points(archive)
    Path(f"{points_path(archive)}.sha256").unlink()
    assert open_points(archive).rows.equals(made.rows)
    assert MADE_AGAIN in caplog.text


def test_points_of_the_file_as_it_was(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    open_points(archive)
    path = Path(archive.file.uri)
    path.write_bytes(gzip.compress(PHOTOS[:700_000], 1))
    now = Archive(
        "train", storage.file_info(str(path)), "tar.gz", index_dir=archive.index_dir
    )
    assert open_points(now).length == 700_000
    assert f"{MADE_AGAIN}: the archive has changed since" in caplog.text


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 0, "they were written by another version"),
        ("length", 10 << 20, "they do not list every piece"),
        ("piece", 0, "they do not list every piece"),
        ("end", 10 << 20, "they list points that can't be"),
        ("end", 9, "they list points that can't be"),
    ],
)
def test_forged_points(
    archive: Archive,
    caplog: pytest.LogCaptureFixture,
    key: str,
    value: int,
    said: str,
) -> None:
    made = open_points(archive)
    table = pq.read_table(points_path(archive))
    footer = json.loads(table.schema.metadata[b"gzip_points"]) | {key: value}
    forge(archive, table, footer)
    assert open_points(archive).rows.equals(made.rows)
    assert f"{MADE_AGAIN}: {said}" in caplog.text


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("start", [0, 600 << 10]),
        ("start", [-1, 0]),
        ("byte", [900, 800]),
        ("byte", [10, 2 << 20]),
        ("byte", [-5, 10]),
        ("bits", [0, 8]),
        ("bits", [-1, 0]),
    ],
)
def test_forged_rows(
    archive: Archive,
    caplog: pytest.LogCaptureFixture,
    column: str,
    values: list[int],
) -> None:
    made = open_points(archive)
    table = pq.read_table(points_path(archive))
    footer = json.loads(table.schema.metadata[b"gzip_points"])
    at = table.column_names.index(column)
    forged = table.set_column(at, column, pa.array(values, pa.int64()))
    forge(archive, forged, footer)
    assert open_points(archive).rows.equals(made.rows)
    assert f"{MADE_AGAIN}: they list points that can't be" in caplog.text


def forge(archive: Archive, table: pa.Table, footer: dict[str, object]) -> None:
    """Replaces an archive's points, with a checksum that fits."""
    path = points_path(archive)
    told = table.replace_schema_metadata({"gzip_points": json.dumps(footer)})
    pq.write_table(told, path)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    Path(f"{path}.sha256").write_text(digest)


def test_a_damaged_archive_leaves_no_points(archive: Archive) -> None:
    data = bytearray(Path(archive.file.uri).read_bytes())
    data[-5] ^= 1
    Path(archive.file.uri).write_bytes(data)
    damaged = Archive(
        "train",
        storage.file_info(archive.file.uri),
        "tar.gz",
        index_dir=archive.index_dir,
    )
    with pytest.raises(ArchiveError, match="incorrect data check"):
        open_points(damaged)
    assert not storage.exists(points_path(damaged))


def test_points_that_cannot_be_saved(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "index").write_text("a file")
    with pytest.raises(StorageError, match="make the directory"):
        open_points(archive)


BOMB = """
import resource, sys, zlib
from transforms import storage
from transforms.archives.gzip.reader import GzipReader
from transforms.archives.gzip.saved import make_points

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

zeros, count = bytes(1 << 20), 512
packer = zlib.compressobj(1, zlib.DEFLATED, 31)
with open(sys.argv[1], "wb") as file:
    for _ in range(count):
        file.write(packer.compress(zeros))
    file.write(packer.flush())
file = storage.file_info(sys.argv[1])
before = peak()
points = make_points(file, storage.open_reader(file))
reader = GzipReader(file, points)
assert reader.size == count << 20
assert reader.read(reader.size - 5000, 5000) == bytes(5000)
print(peak() - before)
"""


def test_half_a_gigabyte_of_zeros_takes_little_memory(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BOMB, str(tmp_path / "bomb.tar.gz")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ended.stdout) < 192 << 20
