"""Files written past the page cache.

A shard is written once, synced, and not read again by the build. Taking it through the
page cache costs more than the disk does: a page is allotted, filled, and written back
for every 4 KiB, and the archives' pages are pushed out for it. Written directly, the
same shards take from two thirds of the time down to a third (docs/performance.md).
"""

import fcntl
import os
from pathlib import Path
from typing import Final

from transforms.storage.backend import Buffer
from transforms.storage.locks import claim, is_not_offered, require_running

_BLOCK: Final = 4096  # bytes; what direct writes have to be multiples of


def sync(descriptor: int) -> None:
    """Waits until the disk has all of a file, or of a directory's names.

    Some file systems have no such request, and do about a loss of power what they do.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not is_not_offered(error):
            raise


class DirectFile:
    """A new file that is written front to back, by direct writes where that can be.

    That takes a file system that has them, and whole blocks in memory that begins on a
    page. From the first bytes on that are not so, writes are ordinary ones.
    """

    def __init__(self, path: Path) -> None:
        """Creates the file.

        Raises:
            OSError: It can't be created, or is there already.
        """
        require_running(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o666)
        claim(self._descriptor)
        self._direct = self._set_direct(True)

    def write(self, data: Buffer) -> int:
        """Appends bytes; returns their number."""
        with memoryview(data) as view:
            size = len(view)
            done = self._write_blocks(view) if self._direct else 0
            while done < size:
                done += os.write(self._descriptor, view[done:])
        return size

    def sync(self) -> None:
        """Waits until the disk has all that was written."""
        sync(self._descriptor)

    def close(self) -> None:
        """Closes the file, whatever has been written of it."""
        os.close(self._descriptor)

    def _write_blocks(self, view: memoryview) -> int:
        """Writes the whole blocks that there are; returns their size in bytes.

        What is left after it, if anything, can't be written directly.
        """
        whole = len(view) // _BLOCK * _BLOCK
        done = 0
        try:
            while done < whole:
                done += os.write(self._descriptor, view[done:whole])
        except OSError as error:
            if not is_not_offered(error):
                raise
        if done < len(view):
            self._direct = self._set_direct(False)
        return done

    def _set_direct(self, wanted: bool) -> bool:
        """Makes writes direct or ordinary; returns whether they are direct."""
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & ~os.O_DIRECT
        try:
            fcntl.fcntl(
                self._descriptor, fcntl.F_SETFL, flags | (wanted and os.O_DIRECT)
            )
        except OSError as error:
            if not is_not_offered(error):
                raise
            return False
        return wanted
