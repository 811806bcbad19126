"""How an image's bytes are read where they lie: by its archive, offset and size."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from transforms import storage
from transforms.storage import FileInfo, RangeReader

Place = tuple[int, int, int]  # the archive's position; offset and size in bytes


class MemberReader:
    """Reads members of several archives, which are open."""

    def __init__(self, readers: Sequence[RangeReader]) -> None:
        """Keeps the archives' readers, in the order that places count in."""
        self._readers = readers

    def read(self, place: Place) -> bytes:
        """Returns a member's bytes, or raises StorageError."""
        archive, offset, size = place
        return self._readers[archive].read(offset, size)

    def read_all(self, places: Sequence[Place]) -> Iterator[bytes]:
        """Yields members' bytes in order, with the next few announced to the storage.

        Raises:
            StorageError: A member can't be read.
        """
        batch = max(reader.ahead for reader in self._readers)
        self._announce(places[:batch])
        for row, place in enumerate(places):
            if row % batch == 0:  # while one batch is read, the next one is got
                self._announce(places[row + batch : row + 2 * batch])
            yield self.read(place)

    def _announce(self, places: Sequence[Place]) -> None:
        for number, reader in enumerate(self._readers):
            reader.prefetch(
                [
                    (offset, size)
                    for archive, offset, size in places
                    if archive == number
                ]
            )


@contextmanager
def open_members(archives: Iterable[FileInfo]) -> Iterator[MemberReader]:
    """Opens archives for their members to be read, and closes them after.

    Args:
        archives: The files, in the order that places count in.

    Raises:
        StorageError: One can't be opened, or has changed.
    """
    with ExitStack() as stack:
        readers = []
        for archive in archives:
            readers.append(storage.open_reader(archive))
            stack.callback(readers[-1].close)
        yield MemberReader(readers)
