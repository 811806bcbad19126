"""One run for each directory, and removal of what dead runs left.

A claim is a lock of the operating system on an open file (``system.claim``), so it ends
with its process, for whatever reason. Object storage has leases instead (``leases``).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from transforms.errors import StorageError
from transforms.storage import files
from transforms.storage.leases import leased
from transforms.storage.local import explain, local_path
from transforms.storage.system import Claim, claim
from transforms.storage.uris import join


@contextmanager
def exclusive(directory: str) -> Iterator[None]:
    """Keeps a second run out of a directory; it is free again when a run dies.

    If a local file system has no locks, a second run is not kept out.

    Args:
        directory: An existing directory.

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
                "it and rerun; the shards that it finished are kept."
            )
        yield
    finally:
        os.close(descriptor)


def sweep(directory: str, *, ours: bool = False) -> None:
    """Removes unpublished files whose writers are dead.

    Args:
        directory: Where to look; it need not exist.
        ours: Whether to remove also files that are being written. For a process that
            is about to end, when only it writes there.

    Raises:
        StorageError: A file can't be removed.
    """
    if not files.is_local(directory):  # no locks, so no sign that a writer is dead
        return
    for name in filter(files.is_unfinished, files.list_names(directory)):
        uri = join(directory, name)
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
