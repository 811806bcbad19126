"""Where each image of a Parquet file lies, and how its bytes are read.

The files are those of ``ILSVRC/imagenet-1k`` on the Hugging Face hub: a column
``image`` of structs, with an image's file in ``bytes`` and its name in ``path``. A row
group has a hundred images or more, and a shard needs one of each, at random. So images
are not decoded by row groups: the headers of pages, and the lengths before the values
in them, say where every image lies, and its own bytes are read, or the part of a page
that decompresses to them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeVar

from transforms.archives.parquet.footer import PATH, read_footer
from transforms.archives.parquet.pages import (
    Chunk,
    NullValueError,
    Page,
    ParquetFormatError,
    Range,
    UnsupportedParquetError,
    Walk,
    run_walks,
    walk_pages,
)
from transforms.archives.parquet.stored import (
    DamagedBytesError,
    Spot,
    parse_detail,
    unpack,
)
from transforms.archives.parquet.values import (
    PageValues,
    choose,
    is_hopped,
    locate_values,
    read_values,
)
from transforms.errors import ArchiveError
from transforms.storage import FileInfo, RangeReader

T = TypeVar("T")

_BYTES_AT_ONCE: Final = 32 << 20  # of pages that are read whole
_PAGES_AT_ONCE: Final = 512


class Image(NamedTuple):
    """One row.

    Attributes:
        path: As the file has it.
        spot: Where its bytes lie.
    """

    path: str
    spot: Spot


def first_paths(reader: RangeReader, file: FileInfo) -> list[str]:
    """Returns the paths of the images of the first row group.

    Raises:
        ArchiveError: As ``list_images``.
        StorageError: It can't be read.
    """
    footer = read_footer(reader, file)
    with _faults_named(file):
        return _read_paths(reader, footer.paths[:1])


def list_images(reader: RangeReader, file: FileInfo) -> list[Image]:
    """Returns the images of a file, in its order.

    Raises:
        ArchiveError: It is damaged, has other columns than the hub's, or is written in
            a way that is not read here.
        StorageError: It can't be read.
    """
    footer = read_footer(reader, file)
    with _faults_named(file):
        paths = _read_paths(reader, footer.paths)
        spots = _read_column(reader, footer.images, locate_values)
    return [Image(*row) for row in zip(paths, spots, strict=True)]


def read_range(spot: Spot) -> Range:
    """Returns the offset and size of what is read for an image."""
    if not spot.detail:
        return spot.offset, spot.size
    return spot.offset, parse_detail(spot.detail).stored


def read_image(reader: RangeReader, file: FileInfo, spot: Spot) -> bytes:
    """Returns an image's bytes.

    Raises:
        ArchiveError: They are damaged.
        StorageError: They can't be read.
    """
    data = reader.read(*read_range(spot))
    if not spot.detail:
        return data
    with _faults_named(file):
        try:
            return unpack(parse_detail(spot.detail), data, spot.size)
        except DamagedBytesError as error:
            raise ParquetFormatError(spot.offset, str(error)) from None


@contextmanager
def _faults_named(file: FileInfo) -> Iterator[None]:
    """Raises what is wrong with a column as an error that names the file."""
    try:
        yield
    except NullValueError as error:
        raise ArchiveError(
            f"{file.uri} has nothing in {error.column} of row {error.row:,}. Every "
            "image needs its bytes and its name, as in ILSVRC/imagenet-1k on the "
            "Hugging Face hub. Give files that have them."
        ) from None
    except UnsupportedParquetError as error:
        raise ArchiveError(
            f"{file.uri} is written in a way that is not read here: {error.reason} "
            f"(at byte {error.offset:,}). Write it again, as datasets or pyarrow do "
            "by default."
        ) from None
    except ParquetFormatError as error:
        raise ArchiveError(
            f"{file.uri} is damaged at byte {error.offset:,}: {error.reason}. Get the "
            "file again and rerun."
        ) from None


def _read_paths(reader: RangeReader, chunks: Sequence[Chunk]) -> list[str]:
    paths = _read_column(reader, chunks, read_values)
    if b"" in paths:
        raise NullValueError(paths.index(b""), PATH)
    return [path.decode("utf-8", "backslashreplace") for path in paths]


class _Task(NamedTuple):
    """A page that is to be read, the chunk it is of, and the row that it begins at."""

    chunk: Chunk
    page: Page
    row: int


def _read_column(
    reader: RangeReader,
    chunks: Sequence[Chunk],
    read: Callable[[Chunk, Page, int], Walk[PageValues[T]]],
) -> list[T]:
    """Returns what is read of a column's values, of all rows in order."""
    found = run_walks(reader.read_many, [walk_pages(chunk) for chunk in chunks])
    tasks = []
    row = 0
    for chunk, pages in zip(chunks, found, strict=True):
        for page in pages:
            tasks.append(_Task(chunk, page, row))
            row += page.values if page.version else 0
    values: list[T] = []
    dictionary: list[T] = []
    current: Chunk | None = None
    for batch in _batches(tasks):
        walks = [read(*task) for task in batch]
        for task, part in zip(batch, run_walks(reader.read_many, walks), strict=True):
            if task.chunk is not current:
                current, dictionary = task.chunk, []
            if task.page.version:
                values += choose(dictionary, task.page, part)
            else:
                dictionary = part.values
    return values


def _batches(tasks: Sequence[_Task]) -> Iterator[list[_Task]]:
    """Yields pages in order, so many that their bytes fit memory."""
    batch: list[_Task] = []
    held = 0
    for task in tasks:
        size = 0 if is_hopped(task.page) else task.page.stored
        if batch and (held + size > _BYTES_AT_ONCE or len(batch) == _PAGES_AT_ONCE):
            yield batch
            batch, held = [], 0
        batch.append(task)
        held += size
    if batch:
        yield batch
