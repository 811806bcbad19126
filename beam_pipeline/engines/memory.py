"""Keeps a local run small and fast: how its process holds and frees memory.

Glibc gives each thread memory of its own and keeps what is freed there for the same
thread; Beam has some sixty threads, and each phase of a build frees what another could
use. Arrow's default pool does the same. And Python's collector of cycles visits all of
Beam's modules again and again.
"""

import gc
from typing import Final

import pyarrow as pa

from beam_pipeline.engines.system import return_freed_memory

# Objects made, and collections of the younger, before the next collection: what is
# made for each image has no cycles.
_GC_THRESHOLDS: Final = (50_000, 20, 100)


def spare_memory() -> None:
    """Has freed memory used by other threads, or returned to the system.

    Call it before there are threads. It changes no result.
    """
    return_freed_memory()
    pa.set_memory_pool(pa.system_memory_pool())
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
