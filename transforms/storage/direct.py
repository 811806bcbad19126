"""Files written past the page cache, and the end of writing when a run is stopped.

A shard is written once, synced, and not read again by the build. Taking it through the
page cache costs more than the disk does: for every 4 KiB a page is allocated, filled
and written back, and pages of the archives are evicted. With direct writes, the same
shards take between a third and two thirds of the time (docs/performance.md).
"""

import errno
import os
import threading
from pathlib import Path
from typing import Final

from transforms.storage import system
from transforms.storage.backend import Buffer

_BLOCK: Final = 4096  # bytes; direct writes have to be multiples of it

_STOPPED: Final = threading.Event()


def stop_writing() -> None:
    """Keeps this process, which is about to end, from creating further files."""
    _STOPPED.set()


def require_running(path: Path) -> None:
    """Raises OSError if this process may not create further files."""
    if _STOPPED.is_set():
        raise OSError(errno.ECANCELED, "the run is being stopped", str(path))


class DirectFile:
    """A new file that is written front to back, with direct writes where possible.

    They need a file system that has them, and whole blocks in memory that begins on a
    page. After the first bytes that are not such blocks, writes are ordinary.
    """

    def __init__(self, path: Path) -> None:
        """Creates the file.

        Raises:
            OSError: It can't be created, or exists already.
        """
        require_running(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o666)
        system.claim(self._descriptor)
        self._direct = system.set_direct(self._descriptor, True)

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
        system.sync(self._descriptor)

    def close(self) -> None:
        """Closes the file, however much of it has been written."""
        os.close(self._descriptor)

    def _write_blocks(self, view: memoryview) -> int:
        """Writes whole blocks; returns their size in bytes.

        What is left after them, if anything, can't be written directly.
        """
        whole = len(view) // _BLOCK * _BLOCK
        done = 0
        try:
            while done < whole:
                done += os.write(self._descriptor, view[done:whole])
        except OSError as error:
            if not system.is_not_offered(error):
                raise
        if done < len(view):
            self._direct = system.set_direct(self._descriptor, False)
        return done
