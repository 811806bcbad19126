"""Locks on open files, and the end of writing when a run is stopped."""

import errno
import fcntl
import threading
from enum import Enum, auto
from pathlib import Path
from typing import Final

_STOPPED: Final = threading.Event()

# What file systems answer that lack an operation: CIFS, NFS and those in user space.
_NOT_OFFERED: Final = frozenset(
    (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)
)


def is_not_offered(error: OSError) -> bool:
    """Returns whether a file system lacks an operation; else the operation failed."""
    return error.errno in _NOT_OFFERED


class Claim(Enum):
    """Whose a file is."""

    OURS = auto()
    THEIRS = auto()
    UNKNOWN = auto()  # the file system has no locks, or none of this kind of file


def claim(descriptor: int) -> Claim:
    """Marks an open file as one that this process is writing, as long as it is open.

    The system takes the mark away when the process dies, however it does.

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


def stop_writing() -> None:
    """Has this process, which is about to end, begin no further file."""
    _STOPPED.set()


def require_running(path: Path) -> None:
    """Raises OSError where this process is to begin no further file."""
    if _STOPPED.is_set():
        raise OSError(errno.ECANCELED, "the run is being stopped", str(path))
