"""Parquet files of images as a form of archive: one archive for each file.

A file is one container, without a name, for its row groups are no classes: a shuffled
dataset has images of all classes in each. The names say which class an image is of.
"""

from collections.abc import Sequence
from contextlib import closing
from typing import Final

from transforms import storage
from transforms.archives.containers import (
    Archive,
    Container,
    MemberTable,
    Place,
    Skipped,
    member_table,
)
from transforms.archives.names import image_name
from transforms.archives.parquet.listing import (
    Image,
    first_paths,
    list_images,
    read_image,
    read_range,
)
from transforms.archives.parquet.stored import Spot

_MAGIC: Final = b"PAR1"


def is_parquet(start: bytes) -> bool:
    """Returns whether a file that begins so is a Parquet file."""
    return start.startswith(_MAGIC)


def sample_parquet(archive: Archive) -> list[str]:
    """Returns the paths of the images of a file's first row group.

    Raises:
        ArchiveError: It is damaged, or has other columns than the hub's.
        StorageError: It can't be read.
    """
    with closing(storage.open_reader(archive.file)) as reader:
        return first_paths(reader, archive.file)


def find_in_parquet(archive: Archive) -> tuple[Container, ...]:
    """Returns the file as the one container that it is."""
    return (Container("", 0, archive.file.size, 0, 1),)


def walk_in_parquet(
    archive: Archive, containers: tuple[Container, ...]
) -> list[MemberTable]:
    """Returns the images of a file.

    Raises:
        ArchiveError: It is damaged, has other columns than the hub's, or is written in
            a way that is not read here.
        StorageError: It can't be read.
    """
    (whole,) = containers
    with closing(storage.open_reader(archive.file)) as reader:
        return [_make_table(archive, whole, list_images(reader, archive.file))]


class ParquetMembers:
    """Images in the pages of a Parquet file."""

    def __init__(self, archive: Archive) -> None:
        """Opens the file, or raises StorageError."""
        self._file = archive.file
        self._reader = storage.open_reader(archive.file)

    @property
    def ahead(self) -> int:
        """How many places are worth announcing at a time."""
        return self._reader.ahead

    def prefetch(self, places: Sequence[Place]) -> None:
        """Announces images that are going to be read soon."""
        self._reader.prefetch([read_range(_spot(place)) for place in places])

    def read(self, place: Place) -> bytes:
        """Returns an image's bytes.

        Raises:
            ArchiveError: They are damaged.
            StorageError: They can't be read.
        """
        return read_image(self._reader, self._file, _spot(place))

    def close(self) -> None:
        """Releases the file."""
        self._reader.close()


def _spot(place: Place) -> Spot:
    return Spot(place.offset, place.size, place.detail)


def _make_table(
    archive: Archive, container: Container, images: Sequence[Image]
) -> MemberTable:
    names = [image_name(image.path) for image in images]
    rows = [
        (*name, "", image.spot.offset, image.spot.size, image.spot.detail)
        for name, image in zip(names, images, strict=True)
        if name is not None
    ]
    skipped = Skipped(leftovers=names.count(None))
    return MemberTable(archive, container, member_table(rows), skipped)
