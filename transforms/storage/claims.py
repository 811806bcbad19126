"""Who is writing what: a run has its directory for itself, and dead runs are swept.

A claim is a lock of the system's on an open file (``direct.claim``), so it ends with
its process, however that ends. In object storage a lease stands for it
(``transforms.leases``).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from transforms.errors import StorageError
from transforms.storage import files
from transforms.storage.leases import leased
from transforms.storage.local import explain, local_path
from transforms.storage.locks import Claim, claim


@contextmanager
def exclusive(directory: str) -> Iterator[None]:
    """Keeps a second run out of a directory; it is free again when a run dies.

    Where a local file system has no locks, nobody is kept out.

    Args:
        directory: A directory that is there.

    Raises:
        StorageError: Another run has it.
    """
    if not files.is_local(directory):
        with leased(directory):
            yield
        return
    try:
        descriptor = os.open(local_path(directory), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise explain(error, "open", directory) from error
    try:
        try:
            claimed = claim(descriptor)
        except OSError as error:
            raise explain(error, "lock", directory) from error
        if claimed is Claim.THEIRS:
            raise StorageError(
                f"Another run is writing to {directory}. Wait for it to end, or stop "
                "it and rerun; what it has finished is kept."
            )
        yield
    finally:
        os.close(descriptor)


def sweep(directory: str, *, ours: bool = False) -> None:
    """Removes unpublished files whose writers are dead; there may be no directory.

    Args:
        directory: Where they would be.
        ours: Whether those go as well that somebody is writing: this process, which
            is about to end.

    Raises:
        StorageError: One can't be removed.
    """
    if not files.is_local(directory):  # nobody can tell there whose writer is dead
        return
    for name in filter(files.is_unfinished, files.list_names(directory)):
        uri = files.join(directory, name)
        try:
            # NFS locks only what is open for writing.
            descriptor = os.open(local_path(uri), os.O_RDWR)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise explain(error, "remove", uri) from error
        try:
            if ours or claim(descriptor) is Claim.OURS:
                files.remove(uri)
        except OSError as error:
            raise explain(error, "lock", uri) from error
        finally:
            os.close(descriptor)
