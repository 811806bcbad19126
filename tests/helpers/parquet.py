"""Parquet files of images, and parts of them put together by hand, for tests."""

import io
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.archives.parquet.listing import list_images, read_image
from transforms.archives.parquet.pages import Range
from transforms.archives.parquet.thrift import read_struct
from transforms.storage import FileInfo

Struct = dict[
    int, Any
]  # a Thrift struct: bool, int, bytes, a list of one kind, or struct


def image_table(
    images: Sequence[bytes | None],
    paths: Sequence[str | None] | None = None,
    nullable: bool = True,
) -> pa.Table:
    """Returns a table with the hub's columns."""
    names = [f"{row}.JPEG" for row in range(len(images))] if paths is None else paths
    fields = [
        pa.field("bytes", pa.binary(), nullable),
        pa.field("path", pa.string(), nullable),
    ]
    column = pa.StructArray.from_arrays(
        [pa.array(images, pa.binary()), pa.array(names, pa.string())], fields=fields
    )
    schema = pa.schema(
        [pa.field("image", column.type, nullable), pa.field("label", pa.int64())]
    )
    return pa.table([column, pa.array(range(len(images)))], schema=schema)


def write_images(path: Path, images: Sequence[bytes | None], **options: Any) -> Path:
    """Writes a file of images, as ``datasets`` does now but for the options given."""
    defaults = {"compression": "none", "use_dictionary": False}
    pq.write_table(image_table(images), path, **{**defaults, **options})
    return path


def change_footer(path: Path, change: Callable[[Struct], None]) -> None:
    """Writes a file's footer again with something changed in it."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer, _ = read_struct(data[start:-8])
    change(footer)
    written = thrift(footer)
    end = len(written).to_bytes(4, "little") + b"PAR1"
    path.write_bytes(data[:start] + written + end)


def thrift(struct: Struct) -> bytes:
    """Writes a struct in Thrift's compact protocol, the other way round as read."""
    return b"".join(
        [
            *(_field(number, value) for number, value in struct.items()),
            b"\0",
        ]
    )


def _field(number: int, value: Any) -> bytes:
    kind, body = _typed(value)
    # With the number in full, which every reader has to take too.
    return bytes([kind]) + varint(number << 1) + body


def _typed(value: Any) -> tuple[int, bytes]:
    if isinstance(value, bool):
        return (1 if value else 2), b""
    if isinstance(value, int):
        return 6, varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if isinstance(value, bytes):
        return 8, varint(len(value)) + value
    if isinstance(value, list):
        kinds = {_typed(each)[0] for each in value} or {6}
        bodies = b"".join(_typed(each)[1] for each in value)
        return 9, bytes([0xF0 | kinds.pop()]) + varint(len(value)) + bodies
    return 12, thrift(value)


def varint(number: int) -> bytes:
    """Returns a number in groups of seven bits, the lowest first."""
    groups = [number >> shift & 0x7F for shift in range(0, 70, 7)]
    while len(groups) > 1 and not groups[-1]:
        groups.pop()
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def values(*images: bytes) -> bytes:
    """Returns the bytes of plain values."""
    return b"".join(len(image).to_bytes(4, "little") + image for image in images)


class InMemory:
    """Reads a file's bytes, and sees to it that nothing beside them is asked for."""

    ahead, at_once, read_on = 16, 1, 0

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.file = FileInfo("file", len(data), "")

    def read(self, offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(self._data)
        return self._data[offset : offset + size]

    def read_many(self, ranges: Sequence[Range]) -> list[bytes]:
        return [self.read(offset, size) for offset, size in ranges]

    def prefetch(self, ranges: Sequence[Range]) -> None:
        pass

    def next_data(self, offset: int) -> int:
        return offset

    def close(self) -> None:
        pass


def check_parquet(data: bytes, footers: Collection[bytes]) -> list[tuple[str, bytes]]:
    """Lists and reads a file of images and asserts that pyarrow finds the same in it.

    Args:
        data: The file.
        footers: Those that pyarrow may be given: others can end the process.

    Raises:
        ArchiveError: The file is refused, which it may be.
    """
    reader = InMemory(data)
    images = list_images(reader, reader.file)
    found = [
        (image.path, read_image(reader, reader.file, image.spot)) for image in images
    ]
    assert all(
        len(read) == image.spot.size
        for image, (_, read) in zip(images, found, strict=True)
    )
    if footer_of(data) in footers:
        with suppress(pa.ArrowException, OSError):
            table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
            column = table["image"].combine_chunks()
            paths = column.field("path").cast(pa.binary()).to_pylist()
            assert column.field("bytes").to_pylist() == [read for _, read in found]
            assert [path.decode("utf-8", "backslashreplace") for path in paths] == [
                path for path, _ in found
            ]
    return found


def footer_of(data: bytes) -> bytes:
    """Returns the last bytes of a file, from its footer on."""
    length = int.from_bytes(data[-8:-4], "little")
    return data[-8 - length :]
