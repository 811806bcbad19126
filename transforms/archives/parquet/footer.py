"""What the footer of a Parquet file says: its columns, and where their chunks lie."""

import io
from bisect import bisect_right
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.archives.parquet.pages import Chunk, Range
from transforms.archives.parquet.stored import CODECS
from transforms.errors import ArchiveError, printable
from transforms.storage import FileInfo, RangeReader

BYTES: Final = "image.bytes"
PATH: Final = "image.path"

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"
_TAIL: Final = 64 << 10  # bytes that pyarrow reads first

# What pyarrow raises for bytes that are not what they should be.
_DAMAGE: Final = (pa.ArrowException, UnicodeDecodeError, OSError)


class Footer(NamedTuple):
    """What the footer says.

    Attributes:
        metadata: The footer itself, a ``pyarrow.parquet.FileMetaData``.
        images: Where the images' bytes lie, a chunk for each row group.
        paths: Where their paths lie, offset and size for each row group.
    """

    metadata: Any
    images: list[Chunk]
    paths: list[Range]


def read_footer(reader: RangeReader, file: FileInfo) -> Footer:
    """Returns what a file's footer says.

    Raises:
        ArchiveError: It is damaged, or the file has other columns than the hub's.
        StorageError: The file can't be read.
    """
    size = min(_TAIL, file.size)
    tail = reader.read(file.size - size, size)
    if tail[-4:] == _ENCRYPTED:
        raise ArchiveError(
            f"{file.uri} is an encrypted Parquet file. Decrypt it and rerun."
        )
    if tail[-4:] != _MAGIC:
        raise ArchiveError(
            f"{file.uri} does not end as a Parquet file does, with {_MAGIC.decode()}. "
            "It is cut off or of another kind; get it whole and rerun."
        )
    known = {(file.size - size, size): tail}
    try:
        metadata = pq.read_metadata(_File(reader, file, known))
        columns = {
            metadata.schema.column(number).path: number
            for number in range(metadata.num_columns)
        }
        _require_columns(metadata.schema, columns, file)
        groups = range(metadata.num_row_groups)
        images = [_chunk(metadata, group, columns[BYTES], file) for group in groups]
        paths = [
            _range_of(metadata.row_group(group).column(columns[PATH]), file)
            for group in groups
        ]
    except _DAMAGE as error:
        raise _damaged(file, "its footer", error) from error
    return Footer(metadata, images, paths)


def read_paths(reader: RangeReader, file: FileInfo, footer: Footer) -> list[str]:
    """Returns the images' paths, of all rows in order.

    Raises:
        ArchiveError: They are damaged, or one is missing.
        StorageError: The file can't be read.
    """
    try:
        read = reader.read_many(footer.paths)
        known = dict(zip(footer.paths, read, strict=True))
        parquet = pq.ParquetFile(
            _File(reader, file, known),
            metadata=footer.metadata,
            page_checksum_verification=True,
        )
        table = parquet.read(columns=[PATH], use_threads=False)
        paths = [
            path
            for chunk in table["image"].chunks
            for path in chunk.flatten()[0].to_pylist()
        ]
    except _DAMAGE as error:
        raise _damaged(file, f"its column {PATH}", error) from error
    for row, path in enumerate(paths):
        if not path:
            raise ArchiveError(
                f"{file.uri}: row {row:,} has no {PATH}. The names of images select "
                "them and order them; get files that have names, as those of "
                "ILSVRC/imagenet-1k on the Hugging Face hub do."
            )
    return paths


def _damaged(file: FileInfo, what: str, error: Exception) -> ArchiveError:
    """Returns the error to raise; raises a failure of the system itself as it is."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    return ArchiveError(
        f"{file.uri}: {what} is damaged ({printable(error)}). Get the file again and "
        "rerun."
    )


def _require_columns(schema: Any, columns: dict[str, int], file: FileInfo) -> None:
    """Raises ArchiveError where the hub's columns are not there, or of other types."""
    for path in (BYTES, PATH):
        column = schema.column(columns[path]) if path in columns else None
        if (
            column is None
            or column.physical_type != "BYTE_ARRAY"
            or column.max_repetition_level
        ):
            found = ", ".join(
                f"{printable(name)}: {schema.column(number).physical_type}"
                for name, number in columns.items()
            )
            raise ArchiveError(
                f"{file.uri} has the columns [{found}], expected among them {BYTES} "
                f"and {PATH}, both BYTE_ARRAY, as in ILSVRC/imagenet-1k on the Hugging "
                "Face hub. Give files that have them."
            )


def _chunk(metadata: Any, group: int, number: int, file: FileInfo) -> Chunk:
    row_group = metadata.row_group(group)
    column = row_group.column(number)
    if column.file_path:
        raise ArchiveError(
            f"{file.uri} has its images in another file, "
            f"{printable(column.file_path)}. Write it again as one file."
        )
    if column.compression not in CODECS:
        raise ArchiveError(
            f"{file.uri} has images compressed with {column.compression}, expected one "
            f"of {', '.join(CODECS)}. Write it again with compression='none'."
        )
    offset, size = _range_of(column, file)
    if column.num_values != row_group.num_rows:
        raise ArchiveError(
            f"{file.uri}: row group {group} has {row_group.num_rows:,} rows, and its "
            f"column {BYTES} {column.num_values:,} values. It is damaged; get it again "
            "and rerun."
        )
    deepest = metadata.schema.column(number).max_definition_level
    return Chunk(offset, size, row_group.num_rows, column.compression, deepest)


def _range_of(column: Any, file: FileInfo) -> Range:
    """Returns where a column's chunk lies."""
    offset, size = column.data_page_offset, column.total_compressed_size
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < offset:
        offset = column.dictionary_page_offset
    if offset < len(_MAGIC) or size < 0 or offset + size > file.size - len(_MAGIC):
        raise ArchiveError(
            f"{file.uri} has {file.size:,} bytes, and a column of {size:,} bytes from "
            f"{offset:,}. It is damaged; get it again and rerun."
        )
    return offset, size


class _File(io.RawIOBase):
    """A file as pyarrow reads it; what was read of it before is not read again."""

    def __init__(
        self, reader: RangeReader, file: FileInfo, known: dict[Range, bytes]
    ) -> None:
        super().__init__()
        self._reader = reader
        self._size = file.size
        self._known = known
        self._starts = sorted(known)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}
        self._at = base[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(self._size - self._at, 0)
        size = left if size is None or size < 0 else min(size, left)
        at, self._at = self._at, self._at + size
        before = bisect_right(self._starts, (at, self._size)) - 1
        if before >= 0:
            start, length = self._starts[before]
            if at + size <= start + length:
                return self._known[start, length][at - start :][:size]
        return self._reader.read(at, size)
