"""Makes Linux look like macOS to a Python process, before anything else is imported.

What macOS lacks is gone, and the commands of its ``fcntl`` are there: each is checked
as macOS would, and noted once in the file that CALLS names.
"""

import ctypes
import errno
import fcntl
import os
import struct
import sys
import sysconfig
from typing import Any

F_RDADVISE, F_RDAHEAD, F_NOCACHE, F_FULLFSYNC = 44, 45, 48, 51
NAMES = {
    F_RDADVISE: "F_RDADVISE",
    F_RDAHEAD: "F_RDAHEAD",
    F_NOCACHE: "F_NOCACHE",
    F_FULLFSYNC: "F_FULLFSYNC",
}
MISSING = {
    os: (
        *("posix_fadvise", "posix_fallocate", "sched_getaffinity", "sched_setaffinity"),
        *(
            "SEEK_DATA",
            "SEEK_HOLE",
            "O_DIRECT",
            "O_TMPFILE",
            "O_NOATIME",
            "copy_file_range",
            "memfd_create",
        ),
        *("eventfd", "splice", "getxattr", "setxattr", "getrandom", "pidfd_open"),
        *(name for name in dir(os) if name.startswith("POSIX_FADV_")),
    ),
    fcntl: ("F_GETPIPE_SZ", "F_SETPIPE_SZ", "F_ADD_SEALS", "F_NOTIFY"),
}
MOST_OF_AN_ADDRESS = 103  # bytes
NOT_IN_LIBC = ("prctl", "mallopt", "malloc_trim", "gnu_get_libc_version")

real_fcntl, real_readlink, real_stat = fcntl.fcntl, os.readlink, os.stat
real_getattr = ctypes.CDLL.__getattr__
noted: set[str] = set()


def note(call: str) -> None:
    if call not in noted and (path := os.environ.get("CALLS")):
        noted.add(call)
        with open(path, "a") as file:
            file.write(f"{call}\n")


def fake_fcntl(descriptor: int, command: int, argument: Any = 0) -> Any:
    if command not in NAMES:
        return real_fcntl(descriptor, command, argument)
    if command == F_RDADVISE:
        offset, count = struct.unpack("qi4x", argument)
        valid = offset >= 0 and count >= 0
    else:
        valid = argument in (0, 1)
    os.fstat(descriptor)  # it is open
    if not valid:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    note(NAMES[command])
    return 0


def refuse(path: object) -> None:
    """Refuses what lies below /proc and /sys, which macOS does not have."""
    if isinstance(path, bytes | os.PathLike):
        path = os.fsdecode(path)
    if isinstance(path, str) and path.startswith(("/proc", "/sys/")):
        note(f"refused {path.split('/')[1]}")
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def hide_files(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir"):
        refuse(arguments[0])
    if event in ("socket.bind", "socket.sendto"):
        refuse_address(arguments[1])


def refuse_address(address: object) -> None:
    """Refuses sockets that are no files, which macOS does not have."""
    if isinstance(address, str) and address.startswith("\0"):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if isinstance(address, str) and len(os.fsencode(address)) > MOST_OF_AN_ADDRESS:
        raise OSError("AF_UNIX path too long")


def fake_readlink(path: Any, **rest: Any) -> Any:
    refuse(os.fspath(path))
    return real_readlink(path, **rest)


def fake_stat(path: Any, **rest: Any) -> Any:
    refuse(path)
    return real_stat(path, **rest)


def hide_functions(library: ctypes.CDLL, name: str) -> Any:
    if name in NOT_IN_LIBC:
        note(f"refused {name}")
        raise AttributeError(name)
    return real_getattr(library, name)


for module, names in MISSING.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
fcntl.fcntl = fake_fcntl
os.readlink = fake_readlink
os.stat = fake_stat
ctypes.CDLL.__getattr__ = hide_functions  # type: ignore[method-assign]
sys.addaudithook(hide_files)
sysconfig.get_config_vars()  # which Python's own build of Linux describe
sys.platform = "darwin"
