"""How the images of one archive are read, whatever its form."""

from collections.abc import Sequence
from typing import Protocol

from transforms import storage
from transforms.archives.containers import Archive, Place


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


class StoredMembers:
    """Images that lie in the archive's file as they are."""

    def __init__(self, archive: Archive) -> None:
        """Opens the archive, or raises StorageError."""
        self._reader = storage.open_reader(archive.file)

    @property
    def ahead(self) -> int:
        """How many places are worth announcing at a time."""
        return self._reader.ahead

    def prefetch(self, places: Sequence[Place]) -> None:
        """Announces images that are going to be read soon."""
        self._reader.prefetch([(place.offset, place.size) for place in places])

    def read(self, place: Place) -> bytes:
        """Returns an image's bytes, or raises StorageError."""
        return self._reader.read(place.offset, place.size)

    def close(self) -> None:
        """Releases the archive."""
        self._reader.close()
