"""Keeps a local run small and fast: what it loads, and how it holds and frees memory.

Beam loads the library of every service that it could read from. Glibc gives each thread
memory of its own and keeps what is freed there for the same thread; Beam has some sixty
threads, and each phase of a build frees what another could use. Arrow's default pool
does the same. And Python's collector of cycles visits all of Beam's modules again and
again.
"""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Final

from beam_pipeline.engines.system import return_freed_memory

# Objects made, and collections of the younger, before the next collection: what is
# made for each image has no cycles.
_GC_THRESHOLDS: Final = (50_000, 20, 100)

# What Beam loads where it is installed, and a local run has no use for: half of the
# time that loading Beam takes, and 40 MB.
_OF_SERVICES: Final = (
    *("google.cloud", "apitools", "boto3", "apache_beam.io.gcp.bigquery"),
)


def load_beam(flags: Sequence[str]) -> None:
    """Prepares for Beam, and loads it without services for a local run.

    Archives and datasets on object storage are not read or written by Beam: their
    libraries can be loaded after it.

    Args:
        flags: Beam's, from the command line and of an engine.
    """
    # Beam starts programs while gRPC's threads run. Nothing here goes on in a forked
    # process that has them, and gRPC's preparations for that abort now and then.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    if any(flag.partition("=")[0] == "--runner" for flag in flags):
        return
    before = {name: sys.modules.get(name) for name in _OF_SERVICES}
    for name in before:
        sys.modules[name] = None  # type: ignore[assignment]  # as Python documents it
    gc.disable()  # what is loaded stays
    try:
        import apache_beam  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def spare_memory() -> None:
    """Has freed memory used by other threads, or returned to the system.

    Call it before there are threads. It changes no result.
    """
    import pyarrow as pa  # not loaded before a configuration is checked

    return_freed_memory()
    pa.set_memory_pool(pa.system_memory_pool())
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
