"""What operating systems do differently with the processes of a run.

Linux offers each of it; elsewhere there is a plain replacement, or nothing.
"""

import ctypes
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

# Of glibc's mallopt(3), with values in bytes but for the number of arenas.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2
# The most that glibc takes. What is larger, and what is freed beyond it, goes back to
# the system, and costs page faults when it is needed again: with 4 MB a resize build
# had ten times as many, and took a twentieth longer.
_LARGE: Final = 32 << 20


def descendants(process: int) -> list[int]:
    """Returns the processes that a process started, and those that they started."""
    children = _children_in_proc if _has_proc() else _children_by_ps()
    found = []
    left = [process]
    while left:
        below = children(left.pop())
        found += below
        left += below
    return found


def _has_proc() -> bool:
    return any(Path("/proc/self/task").glob("*/children"))


def _children_in_proc(process: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, children.read_text().split())
    return found


def _children_by_ps() -> Callable[[int], list[int]]:
    """Returns a function that gives the children of a process, now.

    Without the command ``ps``, whose options are those of POSIX, there are none.
    """
    found: dict[int, list[int]] = {}
    with suppress(OSError):
        command = ("ps", "-A", "-o", "ppid=", "-o", "pid=")
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        for line in listed.stdout.splitlines():
            parent, child = map(int, line.split())
            found.setdefault(parent, []).append(child)
    return lambda process: found.get(process, [])


@contextmanager
def datagram_listener() -> Iterator[tuple[socket.socket, str]]:
    """Yields a socket that processes of this machine send to, and its address."""
    with ExitStack() as stack:
        if sys.platform == "linux":
            # A name that begins with a null is no file, so that none is ever left.
            address = f"\0imagenet2012-subset-{secrets.token_hex(8)}"
        else:
            # Not in TMPDIR: an address has at most 103 bytes on macOS.
            folder = TemporaryDirectory(prefix="imagenet2012-subset-", dir="/tmp")
            address = f"{stack.enter_context(folder)}/progress"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stack.enter_context(listener)
        listener.bind(address)
        yield listener, address


def return_freed_memory() -> None:
    """Has glibc share what threads free among them, or return it to the system.

    Does nothing with another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
        # Given a value, they no longer grow with what is freed.
        mallopt(_M_TRIM_THRESHOLD, _LARGE)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
