"""The saved seek points of a gzip file, kept beside the index of its archive.

What a gzip file decompresses to is cut into pieces of equal length. A Parquet file has
a row for each, and beside it lies its SHA-256:

    column    type     meaning
    crc       int64    CRC-32 of the piece
    start     int64    number of decompressed bytes before the seek point
    byte      int64    see ``points.SeekPoint``
    bits      int64    likewise
    window    binary   likewise; empty for all rows of a point but the first
    blocks    binary   numbers of the piece's blocks of 512 bytes that look like headers
                       of a tar, little-endian unsigned integers of 16 bits
    headers   binary   these blocks, as a zlib stream; empty where there are none

The footer's key ``gzip_points`` holds JSON: ``format``, ``size`` and ``generation`` of
the file, ``piece`` (bytes), ``length`` (decompressed bytes) and ``end`` (of the last
gzip member). The headers are kept so that a tar is walked without decompressing it a
second time.

A piece has 512 KiB, or a 131,072th of a larger file: 1.1 MB for one of 140 GB. The
windows of photographs take 50 bytes each and the headers 250, so the points of 140 GB
take some 50 MB. Data in which much repeats may need 32 KiB for a window; where windows
take more than 192 MiB, every second point is left out until they do not.
"""

import hashlib
import io
import json
import logging
import zlib
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.archives.containers import Archive
from transforms.archives.gzip.inflate import Inflation
from transforms.archives.gzip.points import SeekPoint, find_points
from transforms.archives.tar.header import BLOCK, marked_blocks
from transforms.errors import StorageError
from transforms.storage import FileInfo, RangeReader

POINT_SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, pa.int64()) for name in ("crc", "start", "byte", "bits")),
        *(pa.field(name, pa.binary()) for name in ("window", "blocks", "headers")),
    ]
)

_FORMAT: Final = 1
_KEY: Final = "gzip_points"
_SMALLEST_PIECE: Final = 512 << 10  # bytes
_MOST_PIECES: Final = 1 << 17  # of a file that does not compress
_MOST_WINDOWS: Final = 192 << 20  # bytes
_LOGGER = logging.getLogger(__name__)

# What Parquet or JSON that was tampered with raises, whatever its checksum.
_DAMAGE: Final = (pa.ArrowException, OSError, ValueError, LookupError, TypeError)


@dataclass(frozen=True, slots=True)
class GzipPoints:
    """How the pieces of a gzip file are found.

    Attributes:
        piece: Length in bytes of every piece but the last.
        length: Number of decompressed bytes.
        end: Where the last gzip member ends in the file.
        rows: Rows of ``POINT_SCHEMA``.
    """

    piece: int
    length: int
    end: int
    rows: pa.Table


def points_path(archive: Archive) -> str:
    """Returns where an archive's seek points are kept: beside its index."""
    uri = archive.file.uri
    digest = hashlib.sha256(uri.encode()).hexdigest()[:12]
    name = f"{storage.base_name(uri)}-{digest}.points.parquet"
    return storage.join(archive.index_dir, name)


def open_points(archive: Archive) -> GzipPoints:
    """Returns an archive's seek points: the saved ones, or new ones that it saves.

    Raises:
        ArchiveError: The archive is damaged.
        StorageError: It can't be read, or its points not be saved.
    """
    path = points_path(archive)
    if storage.exists(path):
        try:
            return _read_saved(storage.file_info(path), archive.file)
        except (StorageError, *_DAMAGE) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            _LOGGER.warning(
                "Seek points %s are not used, but made again: %s", path, reason
            )
    _LOGGER.info(
        "%s (%s bytes) is decompressed once to find where its images lie.",
        archive.file.uri,
        f"{archive.file.size:,}",
    )
    with closing(storage.open_reader(archive.file)) as reader:
        points = make_points(archive.file, reader)
    save_points(path, archive.file, points)
    return points


def make_points(
    file: FileInfo,
    reader: RangeReader,
    piece: int | None = None,
    most_windows: int = _MOST_WINDOWS,
) -> GzipPoints:
    """Returns the seek points of a gzip file, all of which it checks.

    Args:
        file: The file.
        reader: Reads its bytes.
        piece: Length of a piece in bytes, a multiple of 512; by the file's size if
            it is None.
        most_windows: Bytes of windows that are kept in all.

    Raises:
        ArchiveError: A member is damaged or cut off, or other bytes follow the last.
        StorageError: The file can't be read.
    """
    if piece is None:
        piece = max(_SMALLEST_PIECE, -(-file.size // _MOST_PIECES))
        piece = -(-piece // BLOCK) * BLOCK
    inflation = Inflation(file, reader)
    checked: list[tuple[int, bytes, bytes]] = []
    length = 0
    for data in inflation.blocks(piece):
        checked.append((zlib.crc32(data), *_headers_of(data)))
        length += len(data)
    found = find_points(file, reader, inflation.end, piece)
    nearest = _nearest(found, np.arange(len(checked)) * piece, most_windows)
    points = [found[number] for number in nearest]
    windows = [
        point.window if first else b""
        for point, first in zip(points, np.diff(nearest, prepend=-1), strict=True)
    ]
    columns = [
        [crc for crc, _, _ in checked],
        [point.start for point in points],
        [point.byte for point in points],
        [point.bits for point in points],
        windows,
        [blocks for _, blocks, _ in checked],
        [headers for _, _, headers in checked],
    ]
    rows = pa.table(columns, schema=POINT_SCHEMA)
    return GzipPoints(piece, length, inflation.end, rows)


def _nearest(
    found: list[SeekPoint], places: npt.NDArray[np.int64], most_windows: int
) -> npt.NDArray[np.int64]:
    """Returns the number of the point before each place, few enough to be kept."""
    starts = [point.start for point in found]
    lengths = np.array([len(point.window) for point in found])
    nearest = np.searchsorted(starts, places, side="right") - 1
    step = 1
    while lengths[np.unique(nearest // step * step)].sum() > most_windows:
        step *= 2
    return nearest // step * step


def _headers_of(data: bytes) -> tuple[bytes, bytes]:
    """Returns the columns ``blocks`` and ``headers`` of a piece.

    A block that only looks like a header does no harm: who walks a tar asks for none
    but headers. A header without the mark is decompressed when it is asked for.
    """
    numbers = marked_blocks(data)
    headers = b"".join(data[at * BLOCK : (at + 1) * BLOCK] for at in numbers)
    packed = zlib.compress(headers) if headers else b""
    return numbers.astype("<u2").tobytes(), packed


def save_points(path: str, file: FileInfo, points: GzipPoints) -> None:
    """Saves seek points, whole or not at all.

    Raises:
        StorageError: They can't be written.
    """
    footer = {
        "format": _FORMAT,
        "size": file.size,
        "generation": file.generation,
        "piece": points.piece,
        "length": points.length,
        "end": points.end,
    }
    buffer = io.BytesIO()
    table = points.rows.replace_schema_metadata({_KEY: json.dumps(footer)})
    pq.write_table(table, buffer, compression="zstd", store_schema=True)
    data = buffer.getvalue()
    storage.make_directory(path.rpartition("/")[0])
    storage.publish_bytes(path, data)
    storage.publish_bytes(f"{path}.sha256", _digest(data))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


@lru_cache(maxsize=4)
def _read_saved(saved: FileInfo, file: FileInfo) -> GzipPoints:
    """Reads saved points once for all of a process's readers.

    Raises:
        ValueError: They are damaged or do not fit the file.
    """
    data = storage.read_bytes(saved.uri)
    if storage.read_bytes(f"{saved.uri}.sha256") != _digest(data):
        raise ValueError("their checksum is wrong")
    table = pq.read_table(io.BytesIO(data), use_threads=False)
    footer = json.loads((table.schema.metadata or {})[_KEY.encode()])
    if footer["format"] != _FORMAT:
        raise ValueError("they were written by another version")
    if (footer["size"], footer["generation"]) != (file.size, file.generation):
        raise ValueError("the archive has changed since")
    table = table.replace_schema_metadata(None)
    piece, length, end = (int(footer[key]) for key in ("piece", "length", "end"))
    points = GzipPoints(piece, length, end, table)
    if piece < BLOCK or table.schema != POINT_SCHEMA or not _is_whole(points):
        raise ValueError("they do not list every piece")
    if end > file.size or not _is_in_order(points):
        raise ValueError("they list points that can't be")
    return points


def _is_whole(points: GzipPoints) -> bool:
    return int(points.rows.num_rows) == -(-points.length // points.piece)


def _is_in_order(points: GzipPoints) -> bool:
    """Returns whether each piece has a point in the file that is not after it."""
    start, byte, bits = (
        points.rows[name].to_numpy() for name in ("start", "byte", "bits")
    )
    places = np.arange(len(start)) * points.piece
    return bool(
        ((start >= 0) & (start <= places) & (bits >= 0) & (bits < 8)).all()
        and (np.diff(start) >= 0).all()
        and (np.diff(byte, prepend=0, append=points.end) >= 0).all()
        and (byte >= (bits > 0)).all()
    )
