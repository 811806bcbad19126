"""How the images of one archive are read, whatever its form."""

from collections.abc import Sequence
from typing import Protocol

from transforms import storage
from transforms.archives.containers import Archive, Place
from transforms.storage import RangeReader


class MemberSource(Protocol):
    """Reads the images of one archive; may be shared by threads.

    Attributes:
        ahead: How many places are worth announcing at a time.
    """

    @property
    def ahead(self) -> int: ...  # noqa: D102

    def prefetch(self, places: Sequence[Place]) -> None:
        """Announces images of this archive that are going to be read soon."""
        ...

    def read(self, place: Place) -> bytes:
        """Returns an image's bytes.

        Raises:
            ArchiveError: They are damaged.
            StorageError: They can't be read, or have changed.
        """
        ...

    def close(self) -> None:
        """Releases the archive."""
        ...


def open_stored(archive: Archive) -> "StoredMembers":
    """Opens an archive whose file has its images as they are.

    Raises:
        StorageError: It can't be read, or has changed.
    """
    return StoredMembers(storage.open_reader(archive.file))


class StoredMembers:
    """Images that lie as they are in what a reader gives."""

    def __init__(self, reader: RangeReader) -> None:
        """Takes the reader, and closes it in the end.

        Args:
            reader: Reads the archive's file, or what that is decoded to.
        """
        self._reader = reader

    @property
    def ahead(self) -> int:
        """How many places are worth announcing at a time."""
        return self._reader.ahead

    def prefetch(self, places: Sequence[Place]) -> None:
        """Announces images that are going to be read soon."""
        self._reader.prefetch([(place.offset, place.size) for place in places])

    def read(self, place: Place) -> bytes:
        """Returns an image's bytes.

        Raises:
            ArchiveError: The reader decodes the file, which is damaged.
            StorageError: They can't be read.
        """
        return self._reader.read(place.offset, place.size)

    def close(self) -> None:
        """Releases the archive."""
        self._reader.close()
