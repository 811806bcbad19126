"""Files written past the page cache.

A shard is written once, synced, and not read again by the build. Taking it through the
page cache costs more than the disk does: a page is allotted, filled, and written back
for every 4 KiB, and the archives' pages are pushed out for it. Written directly, the
same shards take from two thirds of the time down to a third (docs/performance.md).
"""

import errno
import fcntl
import mmap
import os
import threading
from pathlib import Path
from typing import Final

_BUFFER_SIZE: Final = 4 << 20  # bytes; one write to the disk
_BLOCK: Final = 4096  # bytes; what direct writes have to be multiples of

_STOPPED: Final = threading.Event()


def claim(descriptor: int) -> bool:
    """Marks an open file as one that this process is writing, as long as it is open.

    The system takes the mark away when the process dies, however it does. A file
    system without locks has none to give.

    Returns:
        False where another process has it.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def stop_writing() -> None:
    """Has this process, which is about to end, begin no further file."""
    _STOPPED.set()


def require_running(path: Path) -> None:
    """Raises OSError where this process is to begin no further file."""
    if _STOPPED.is_set():
        raise OSError(errno.ECANCELED, "the run is being stopped", str(path))


class DirectFile:
    """A new file that is written front to back, in large direct writes.

    Where the file system has no direct writes, they are ordinary ones.
    """

    def __init__(self, path: Path) -> None:
        """Creates the file.

        Raises:
            OSError: It can't be created, or is there already.
        """
        require_running(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags | os.O_DIRECT, 0o666)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            path.unlink(missing_ok=True)
            self._descriptor = os.open(path, flags, 0o666)
        claim(self._descriptor)
        # Anonymous memory begins on a page, as direct writes want it.
        self._buffer = mmap.mmap(-1, _BUFFER_SIZE)
        self._filled = 0
        self._written = 0

    def write(self, data: bytes) -> int:
        """Appends bytes; returns their number."""
        taken = 0
        while taken < len(data):
            part = data[taken : taken + _BUFFER_SIZE - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            taken += len(part)
            if self._filled == _BUFFER_SIZE:
                self._write_out(_BUFFER_SIZE)
        return taken

    def tell(self) -> int:
        """Returns the number of bytes appended so far."""
        return self._written + self._filled

    def sync(self) -> None:
        """Writes what is left and waits until the disk has all of it.

        What is left is no multiple of a block, so nothing can be appended behind it.
        """
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        self._write_out(self._filled // _BLOCK * _BLOCK)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)
        self._write_out(self._filled)
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Closes the file, whatever has been written of it."""
        self._buffer.close()
        os.close(self._descriptor)

    def _write_out(self, size: int) -> None:
        """Writes the first bytes of the buffer and moves the rest to its front."""
        with memoryview(self._buffer) as view:
            done = 0
            while done < size:
                done += os.write(self._descriptor, view[done:size])
        self._buffer.move(0, size, self._filled - size)
        self._filled -= size
        self._written += size
