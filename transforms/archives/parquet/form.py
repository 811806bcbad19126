"""Images in Parquet files: where each lies, and how it is read.

The files are those of ``ILSVRC/imagenet-1k`` on the Hugging Face hub: a column
``image`` of structs, with an image's file in ``bytes`` and its name in ``path``. A row
group has a hundred images or more, and a shard needs one of each, at random. So images
are not decoded by row groups: the headers of pages, and the lengths before the values
in them, say where every image lies, and its own bytes are read, or the part of a page
that decompresses to them.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from transforms.archives.parquet.footer import Footer, read_footer, read_paths
from transforms.archives.parquet.pages import (
    Page,
    ParquetFormatError,
    Range,
    UnsupportedParquetError,
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
    choose,
    is_hopped,
    locate_values,
)
from transforms.errors import ArchiveError
from transforms.storage import FileInfo, RangeReader

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


class _Task(NamedTuple):
    """A page whose values are to be located, with the chunk and row it begins at."""

    page: Page
    group: int
    row: int


def list_images(reader: RangeReader, file: FileInfo) -> list[Image]:
    """Returns the images of a file, in its order.

    Raises:
        ArchiveError: It is damaged, has other columns than the hub's, or is written in
            a way that is not read here.
        StorageError: It can't be read.
    """
    footer = read_footer(reader, file)
    paths = read_paths(reader, file, footer)
    try:
        spots = _locate(reader, footer)
    except UnsupportedParquetError as error:
        raise ArchiveError(
            f"{file.uri} is written in a way that is not read here: {error.reason} "
            f"(at byte {error.offset:,}). Write it again, as datasets or pyarrow do "
            "by default."
        ) from None
    except ParquetFormatError as error:
        raise _damaged(file, error) from None
    return list(map(Image, paths, spots))


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
    try:
        return unpack(parse_detail(spot.detail), data, spot.size)
    except DamagedBytesError as error:
        raise _damaged(file, ParquetFormatError(spot.offset, str(error))) from None


def _damaged(file: FileInfo, error: ParquetFormatError) -> ArchiveError:
    return ArchiveError(
        f"{file.uri} is damaged at byte {error.offset:,}: {error.reason}. Get the file "
        "again and rerun."
    )


def _locate(reader: RangeReader, footer: Footer) -> list[Spot]:
    """Returns where the images of all rows lie, in order."""
    chunks = footer.images
    rows = accumulate((chunk.values for chunk in chunks), initial=0)
    groups = run_walks(reader.read_many, [walk_pages(chunk) for chunk in chunks])
    tasks = []
    for group, (pages, row) in enumerate(zip(groups, rows, strict=False)):
        for page in pages:
            tasks.append(_Task(page, group, row))
            row += page.values if page.version else 0
    spots: list[Spot] = []
    dictionary: Sequence[Spot] = ()
    group = -1
    for batch in _batches(tasks):
        walks = [
            locate_values(page, chunks[group].deepest, row)
            for page, group, row in batch
        ]
        for task, values in zip(batch, run_walks(reader.read_many, walks), strict=True):
            if task.group != group:
                group, dictionary = task.group, ()
            if task.page.version:
                spots += choose(dictionary, task.page, values)
            else:
                dictionary = values.spots
    return spots


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
