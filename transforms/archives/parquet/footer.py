"""What the footer of a Parquet file says: its columns, and where their chunks lie.

It is read here and not by pyarrow, which ends the process where some fields of it are
damaged, and takes a file whose list of row groups is lost for one without rows.

Format: ``parquet.thrift`` of the Apache Parquet project, from ``FileMetaData`` down.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from transforms.archives.parquet.pages import Chunk
from transforms.archives.parquet.stored import CODECS
from transforms.archives.parquet.thrift import (
    Fields,
    Incomplete,
    number,
    read_struct,
    structs,
    text,
)
from transforms.errors import ArchiveError, printable
from transforms.storage import FileInfo, RangeReader

BYTES: Final = "image.bytes"
PATH: Final = "image.path"

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"
_END: Final = 8  # bytes: the footer's length, and the magic ones
_SMALLEST: Final = 12  # bytes: it begins with the magic ones, too
_TAIL: Final = 64 << 10  # bytes read at first; a footer of 44 row groups has 17,000
_LONGEST: Final = 256 << 20  # bytes

_BYTE_ARRAY: Final = 6
_TYPES: Final = (
    *("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE"),
    *("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"),
)
_CODECS: Final = (
    *("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"),
)
_REQUIRED, _OPTIONAL, _REPEATED = range(3)


class Footer(NamedTuple):
    """What the footer says.

    Attributes:
        images: Where the images' bytes lie, a chunk for each row group.
        paths: Where their paths lie, likewise.
    """

    images: list[Chunk]
    paths: list[Chunk]


class _Column(NamedTuple):
    """A column of the schema that has values.

    Attributes:
        path: The names that lead to it, joined with dots.
        kind: Its physical type; -1 where there is none.
        deepest: The definition level of a value that is there.
        repeated: Whether a row may have several.
    """

    path: str
    kind: int
    deepest: int
    repeated: bool


def read_footer(reader: RangeReader, file: FileInfo) -> Footer:
    """Returns what a file's footer says.

    Raises:
        ArchiveError: It is damaged, or the file has other columns than the hub's.
        StorageError: The file can't be read.
    """
    data = _read(reader, file)
    try:
        fields, _ = read_struct(data)
        columns = list(_columns(structs(fields, 2)))
        positions = [_find(columns, path, file) for path in (BYTES, PATH)]
        groups = structs(fields, 4)
        images, paths = (
            [_chunk(group, columns[at], at, file) for group in groups]
            for at in positions
        )
        rows, expected = sum(chunk.values for chunk in images), number(fields, 3)
        if rows != expected:
            raise ValueError(f"row groups of {rows:,} rows, expected {expected:,}")
    except (Incomplete, ValueError) as error:
        reason = "it is cut off" if isinstance(error, Incomplete) else str(error)
        raise ArchiveError(
            f"{file.uri} has a damaged footer: {reason}. Get the file again and rerun."
        ) from None
    return Footer(images, paths)


def _read(reader: RangeReader, file: FileInfo) -> bytes:
    """Returns the footer's bytes."""
    size = min(_TAIL, file.size)
    tail = reader.read(file.size - size, size)
    if tail[-4:] == _ENCRYPTED:
        raise ArchiveError(
            f"{file.uri} is an encrypted Parquet file. Decrypt it and rerun."
        )
    if tail[-4:] != _MAGIC or file.size < _SMALLEST:
        raise ArchiveError(
            f"{file.uri} does not end as a Parquet file does, with {_MAGIC.decode()}. "
            "It is cut off or of another kind; get it whole and rerun."
        )
    length = int.from_bytes(tail[-_END:-4], "little")
    if length > min(file.size - _SMALLEST, _LONGEST):
        raise ArchiveError(
            f"{file.uri} has {file.size:,} bytes, and a footer of {length:,}. It is "
            "damaged; get it again and rerun."
        )
    if length + _END > size:
        return reader.read(file.size - _END - length, length)
    return tail[-_END - length : -_END]


def _columns(elements: Sequence[Fields]) -> Iterator[_Column]:
    """Yields the columns of a schema, which is a tree written parents first."""
    # Of each element that is open: how many children it lacks, its path, the levels.
    above: list[tuple[int, str, int, bool]] = []
    for position, element in enumerate(elements):
        children = number(element, 5) if 5 in element else 0
        if not position:  # the root, whose name is nobody's
            above.append((children, "", 0, False))
            continue
        while above and not above[-1][0]:
            above.pop()
        if not above:
            raise ValueError("a schema of several trees")
        left, path, deepest, repeated = above.pop()
        above.append((left - 1, path, deepest, repeated))
        path += ("." if path else "") + text(element, 4)
        repetition = number(element, 3)
        deepest += repetition != _REQUIRED
        repeated |= repetition == _REPEATED
        if children:
            above.append((children, path, deepest, repeated))
        else:
            kind = number(element, 1) if 1 in element else -1
            yield _Column(path, kind, deepest, repeated)


def _find(columns: Sequence[_Column], path: str, file: FileInfo) -> int:
    """Returns a column's position, or raises ArchiveError where there is none."""
    for position, column in enumerate(columns):
        if column.path == path and column.kind == _BYTE_ARRAY and not column.repeated:
            return position
    found = ", ".join(
        f"{printable(column.path)}: {_name(_TYPES, column.kind)}" for column in columns
    )
    raise ArchiveError(
        f"{file.uri} has the columns [{found}], expected among them {BYTES} and "
        f"{PATH}, both BYTE_ARRAY, as in ILSVRC/imagenet-1k on the Hugging Face hub. "
        "Give files that have them."
    )


def _chunk(group: Fields, column: _Column, position: int, file: FileInfo) -> Chunk:
    """Returns where a column lies in a row group."""
    chunks = structs(group, 1)
    rows = number(group, 3)
    if position >= len(chunks):
        raise ValueError(f"a row group of {len(chunks):,} columns")
    chunk = chunks[position]
    if 1 in chunk:
        raise ArchiveError(
            f"{file.uri} has its columns in another file, {printable(text(chunk, 1))}. "
            "Write it again as one file."
        )
    if 3 not in chunk:
        raise ArchiveError(
            f"{file.uri} has the encrypted column {column.path}. Decrypt it and rerun."
        )
    about = chunk[3]
    if not isinstance(about, dict):
        raise ValueError("a column of which nothing is said")
    codec = _name(_CODECS, number(about, 4))
    if codec not in CODECS:
        raise ArchiveError(
            f"{file.uri} has the column {column.path} compressed with {codec}, "
            f"expected one of {', '.join(CODECS)}. Write it again with "
            "compression='none'."
        )
    values, size, offset = number(about, 5), number(about, 7), number(about, 9)
    if number(about, 1) != column.kind or values != rows:
        raise ValueError(
            f"a row group of {rows:,} rows with {values:,} values of {column.path}"
        )
    if 0 < (dictionary := number(about, 11) if 11 in about else 0) < offset:
        offset = dictionary
    if not rows:  # writers give a dictionary of nothing, and no offset
        size = 0
    if size and not len(_MAGIC) <= offset <= file.size - _END - size:
        raise ValueError(
            f"a column of {size:,} bytes from {offset:,} in a file of {file.size:,}"
        )
    return Chunk(column.path, offset, size, rows, codec, column.deepest)


def _name(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else f"number {number}"
