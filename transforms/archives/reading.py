"""How images of several archives are read where they lie."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from transforms.archives.containers import Archive, Place
from transforms.archives.forms import FORMS
from transforms.archives.sources import MemberSource


class MemberReader:
    """Reads members of several archives, which are open."""

    def __init__(self, sources: Sequence[MemberSource]) -> None:
        """Keeps what reads each archive, in the order that places count in."""
        self._sources = sources

    def read(self, place: Place) -> bytes:
        """Returns a member's bytes.

        Raises:
            ArchiveError: They are damaged.
            StorageError: They can't be read.
        """
        return self._sources[place.archive].read(place)

    def read_all(self, places: Sequence[Place]) -> Iterator[bytes]:
        """Yields members' bytes in order, with the next few announced to the storage.

        Raises:
            ArchiveError: A member is damaged.
            StorageError: A member can't be read.
        """
        batch = max(source.ahead for source in self._sources)
        self._announce(places[:batch])
        for row, place in enumerate(places):
            if row % batch == 0:  # while one batch is read, the next one is got
                self._announce(places[row + batch : row + 2 * batch])
            yield self.read(place)

    def _announce(self, places: Sequence[Place]) -> None:
        by_archive: dict[int, list[Place]] = {}
        for place in places:
            by_archive.setdefault(place.archive, []).append(place)
        for number, ours in by_archive.items():
            self._sources[number].prefetch(ours)


@contextmanager
def open_members(archives: Iterable[Archive]) -> Iterator[MemberReader]:
    """Opens archives for their members to be read, and closes them after.

    Args:
        archives: The archives, in the order that places count in.

    Raises:
        StorageError: One can't be opened, or has changed.
    """
    with ExitStack() as stack:
        sources = []
        for archive in archives:
            sources.append(FORMS[archive.form].open(archive))
            stack.callback(sources[-1].close)
        yield MemberReader(sources)
