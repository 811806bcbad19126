"""Tars in gzip files: of class tars, of folders, or flat, as ``tar.form`` has them.

Offsets count in what the file decompresses to, so everything that is known of tars
holds for these. What the file begins with is decompressed to see what it is; listing
it decompresses it once as a whole, for its seek points.
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Final

from transforms import storage
from transforms.archives.containers import Archive, Container, MemberTable
from transforms.archives.gzip.inflate import MAGIC, Inflation
from transforms.archives.gzip.reader import GzipReader
from transforms.archives.gzip.saved import open_points
from transforms.archives.names import is_image
from transforms.archives.sources import StoredMembers
from transforms.archives.tar.files import read_file_of_tar
from transforms.archives.tar.form import find_containers_in, walk_containers_in
from transforms.archives.tar.header import (
    BLOCK,
    checksum_matches,
    marked_blocks,
    name_of,
)

_SAMPLED: Final = 8  # names
_SAMPLED_BYTES: Final = 1 << 20  # decompressed at a time
# Decompressed in all: Kaggle's has a gigabyte of annotations before its images.
_MOST_SAMPLED: Final = 4 << 30


def is_gzip(start: bytes) -> bool:
    """Returns whether a file that begins so is a gzip file."""
    return start.startswith(MAGIC)


def sample_gzip(archive: Archive) -> list[str]:
    """Returns the paths of the first images of a tar, or of the first tars in it.

    There is none in a gzip file that holds no tar.

    Raises:
        ArchiveError: It is damaged before them.
        StorageError: It can't be read.
    """
    with closing(storage.open_reader(archive.file)) as reader:
        return list(islice(_first_images(Inflation(archive.file, reader)), _SAMPLED))


def _first_images(inflation: Inflation) -> Iterator[str]:
    pieces = _MOST_SAMPLED // _SAMPLED_BYTES
    for data in islice(inflation.blocks(_SAMPLED_BYTES), pieces):
        for number in marked_blocks(data):
            header = data[number * BLOCK : (number + 1) * BLOCK]
            if checksum_matches(header):
                name = name_of(header)
                if not name.endswith("/") and is_image(name):
                    yield name


def find_in_gzip(archive: Archive) -> tuple[Container, ...]:
    """Returns the inner tars of a tar of tars, or the tar itself.

    Raises:
        ArchiveError: The file or the tar is damaged.
        StorageError: It can't be read, or its seek points not be saved.
    """
    with closing(_open_reader(archive)) as reader:
        return find_containers_in(archive, reader, reader.size)


def walk_in_gzip(
    archive: Archive, containers: tuple[Container, ...]
) -> list[MemberTable]:
    """Returns the members of inner tars, or of each folder of a tar.

    Inner tars are walked one after another: what is decompressed for the end of one
    is the beginning of the next.

    Raises:
        ArchiveError: The file or a tar is damaged.
        StorageError: It can't be read, or its seek points not be saved.
    """
    with closing(_open_reader(archive)) as reader:
        return [
            table
            for container in containers
            for table in walk_containers_in(archive, reader, (container,))
        ]


def file_in_gzip(archive: Archive, path: str) -> bytes | None:
    """Returns a file of a tar in a gzip file; None where there is none of the path.

    The seek points that this takes are saved, and serve for listing its images too.

    Raises:
        ArchiveError: The file or the tar is damaged.
        StorageError: It can't be read, or its seek points not be saved.
    """
    with closing(_open_reader(archive)) as reader:
        return read_file_of_tar(archive, reader, reader.size, path)


def open_gzip(archive: Archive) -> StoredMembers:
    """Opens a tar in a gzip file for its images to be read.

    Raises:
        ArchiveError: It is damaged, where its seek points have to be made again.
        StorageError: It can't be read, or has changed.
    """
    return StoredMembers(_open_reader(archive))


def _open_reader(archive: Archive) -> GzipReader:
    return GzipReader(archive.file, open_points(archive))
