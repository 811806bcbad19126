"""Keeps a local run small and quick: how its process holds memory and looks for waste.

Glibc gives each thread memory of its own and keeps what is freed there for the same
thread; Beam has some sixty threads, and each phase of a build frees what another could
use. Arrow's usual pool does the same. And Python, looking for cycles among what is no
longer used, goes through all of Beam's modules again and again.
"""

import ctypes
import gc
from typing import Final

import pyarrow as pa

# Of mallopt(3), with values in bytes but for the number of arenas.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
# The most that glibc takes. What is larger, and what is freed beyond it, goes back to
# the system, and costs page faults when it is needed again: with 4 MB a resize build
# showed ten times as many, and took a twentieth longer.
_LARGE: Final = 32 << 20

# Objects made, and collections of the younger, before the next collection: what is
# made for each image has no cycles.
_GC_THRESHOLDS: Final = (50_000, 20, 100)


def spare_memory() -> None:
    """Has freed memory used by other threads, or returned to the system.

    To be called before there are threads. It changes no result, and does nothing where
    another library than glibc allots memory.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 2)
        # Given a value, they no longer grow with what is freed.
        libc.mallopt(_M_TRIM_THRESHOLD, _LARGE)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
    pa.set_memory_pool(pa.system_memory_pool())
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
