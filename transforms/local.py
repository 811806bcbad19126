"""Range reads of local files, and what to do about the system's errors."""

import errno
import os
from collections.abc import Sequence

from transforms.errors import StorageError


class LocalReader:
    """Reads ranges of a local file with ``pread``."""

    ahead = 16  # enough for a disk to have its queue full

    def __init__(self, uri: str) -> None:
        """Opens the file.

        Args:
            uri: Path of an existing file.

        Raises:
            StorageError: The file can't be opened.
        """
        self._uri = uri
        try:
            self._descriptor = os.open(uri, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise explain(error, "open", uri) from error
        # Without this the kernel reads ahead 128 KiB at every header, which on an
        # archive of 110 KB members means reading all of it.
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly ``size`` bytes from ``offset``, or raises StorageError."""
        try:
            data = os.pread(self._descriptor, size, offset)
            while len(data) < size:
                more = os.pread(self._descriptor, size - len(data), offset + len(data))
                if not more:
                    raise StorageError(
                        f"{self._uri} ends at byte {offset + len(data):,}, but "
                        f"{size:,} bytes from {offset:,} were expected. The file is "
                        "truncated or has changed; get it whole and rerun."
                    )
                data += more
        except OSError as error:
            raise explain(error, "read", self._uri) from error
        return data

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns the bytes of each range; the disk looks for all of them at once.

        Announcing a batch of cold headers before reading them is faster than sixteen
        threads that read one each, and no thread waits for the GIL.
        """
        if len(ranges) > 1:
            self.prefetch(ranges)
        return [self.read(offset, size) for offset, size in ranges]

    def prefetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Asks the kernel to start reading ranges into the page cache."""
        for offset, size in ranges:
            os.posix_fadvise(self._descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


def explain(error: OSError, action: str, uri: str) -> StorageError:
    """Returns the error to raise instead of an OSError, with what to do about it."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            advice = "No space is left there. Free some, or choose another --data_dir."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            advice = "Check the permissions, or choose another directory."
        case errno.ENOENT:
            advice = "There is no such file or directory."
        case errno.ENOTDIR | errno.EEXIST:
            advice = "A file stands where a directory is needed."
        case errno.EISDIR:
            advice = "A directory stands where a file is needed."
        case _:
            advice = f"The system says: {error.strerror}."
    return StorageError(f"Can't {action} {uri}. {advice}")
