"""What operating systems and file systems do differently with an open file.

All of it is optional. Where a system lacks an operation, reads and writes are slower,
a second run is not kept out, or a loss of power can cost what was just written; the
bytes are the same. Linux and macOS have calls of their own; any other system has none.
"""

import errno
import fcntl
import os
import struct
import subprocess
import sys
from contextlib import suppress
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import Final

# What file systems answer that lack an operation: CIFS, NFS and those in user space.
_NOT_OFFERED: Final = frozenset(
    (
        *(errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP),
        *(errno.ENOSYS, errno.ENOLCK, errno.ENOTTY),
    )
)

# Commands of macOS's fcntl(2), from <sys/fcntl.h>; Python names only some of them.
_F_RDADVISE: Final = 44
_F_RDAHEAD: Final = 45
_F_NOCACHE: Final = 48
_F_FULLFSYNC: Final = 51
# struct radvisory: an offset, and a count that is an int.
_ADVICE: Final = struct.Struct("qi4x")
_LARGEST_ADVICE: Final = (1 << 31) - 1  # bytes


def is_not_offered(error: OSError) -> bool:
    """Returns whether a file system lacks an operation; else the operation failed."""
    return error.errno in _NOT_OFFERED


class Claim(Enum):
    """Which process has an open file."""

    OURS = auto()
    THEIRS = auto()
    UNKNOWN = auto()  # the file system has no locks, or none for this kind of file


def claim(descriptor: int) -> Claim:
    """Locks an open file for this process, as long as it is open.

    The system releases the lock when the process dies, for whatever reason.

    Raises:
        OSError: The lock failed, on a file system that has locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Claim.THEIRS
    except OSError as error:
        if not is_not_offered(error):
            raise
        return Claim.UNKNOWN
    return Claim.OURS


def expect_random_reads(descriptor: int) -> None:
    """Turns read-ahead off.

    With it the kernel reads 128 KiB or more at every header, which on an archive of
    110 KB members means reading all of it.
    """
    with suppress(OSError):  # a read reports whether the file can be read
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, _F_RDAHEAD, 0)
        elif hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)


def expect_read(descriptor: int, offset: int, size: int) -> None:
    """Asks the kernel to start reading a range into the page cache."""
    with suppress(OSError):  # a read reports whether the file can be read
        if sys.platform == "darwin":
            advice = _ADVICE.pack(offset, min(size, _LARGEST_ADVICE))
            fcntl.fcntl(descriptor, _F_RDADVISE, advice)
        elif hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)


def next_data(descriptor: int, offset: int) -> int:
    """Returns an offset at or after the given one, before which are only zeros.

    Without reading them, if the file system records holes. macOS is not asked: its
    answer can be wrong for a file that was written a moment ago.
    """
    if sys.platform == "darwin" or not hasattr(os, "SEEK_DATA"):
        return offset
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a hole up to the end of the file
            return max(offset, os.fstat(descriptor).st_size)
        return offset  # a file system that does not record holes


def set_direct(descriptor: int, wanted: bool) -> bool:
    """Makes writes bypass the page cache or not; returns whether they do.

    Raises:
        OSError: The system refused, on a file system that has such writes.
    """
    try:
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, _F_NOCACHE, int(wanted))
        elif hasattr(os, "O_DIRECT"):
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_DIRECT
            fcntl.fcntl(
                descriptor, fcntl.F_SETFL, flags | (os.O_DIRECT if wanted else 0)
            )
        else:
            return False
    except OSError as error:
        if not is_not_offered(error):
            raise
        return False
    return wanted


def sync(descriptor: int) -> None:
    """Waits until the disk has all of a file, or of the names in a directory.

    Some file systems cannot be asked to; what survives a loss of power there is up to
    them. On macOS ``fsync`` returns when the disk has only been sent the bytes.

    Raises:
        OSError: The bytes could not be written.
    """
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(descriptor, _F_FULLFSYNC)
            return
        except OSError as error:
            if not is_not_offered(error):
                raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not is_not_offered(error):
            raise


@cache
def machine() -> str:
    """Returns a name for this start of this machine, or of the container.

    Processes that have the same name here see each other by their numbers. Empty where
    the system has no such name.
    """
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    with suppress(OSError):
        command = ("sysctl", "-n", "kern.bootsessionuuid")  # macOS's
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        return answer.stdout.strip()
    return ""
