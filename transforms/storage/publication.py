"""A file that is being published: gathered, hashed and written."""

import hashlib
import mmap
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from transforms.storage.backend import Buffer, Sink

_GATHERED_SIZE: Final = 4 << 20  # bytes hashed, and handed to the storage, at a time


class Publication:
    """A file that is being published, and the hash of what was written to it.

    Bytes are gathered, and another thread hashes them while this one writes them.
    Hashing in the same thread would take a third of a shard's time.
    """

    def __init__(self, sink: Sink) -> None:
        """Begins with an empty file."""
        self._sink = sink
        self._hash = hashlib.sha256()
        # Anonymous memory begins on a page, which direct writes need.
        self._gathered = mmap.mmap(-1, _GATHERED_SIZE)
        self._filled = 0
        self._written = 0

    def write(self, data: Buffer, /) -> int:
        """Appends bytes; returns their number."""
        taken = 0
        while taken < len(data):
            part = data[taken : taken + _GATHERED_SIZE - self._filled]
            self._gathered[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            taken += len(part)
            if self._filled == _GATHERED_SIZE:
                self._write_out()
        return taken

    def tell(self) -> int:
        """Returns the number of bytes appended so far."""
        return self._written + self._filled

    def sha256(self) -> str:
        """Returns the SHA-256 of the finished file, in hexadecimal digits."""
        return self._hash.hexdigest()

    def finish(self) -> None:
        """Writes what is left; nothing can be appended afterwards."""
        self._write_out()
        self._gathered.close()

    def _write_out(self) -> None:
        with memoryview(self._gathered) as whole, whole[: self._filled] as gathered:
            hashing = _hashers().submit(self._hash.update, gathered)
            try:
                self._sink.write(gathered)
            finally:
                hashing.result()
        self._written += self._filled
        self._filled = 0


@cache
def _hashers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hashes")


class Pieces:
    """Collects what pyarrow writes, to be moved to a file.

    A writer that is abandoned after an error still writes a footer when pyarrow frees
    it. The footer ends here, not in a file that is already closed.
    """

    closed = False

    def __init__(self) -> None:
        """Begins with nothing."""
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Collects bytes; returns their number."""
        self._pieces.append(data)
        return len(data)

    def move_to(self, file: Sink) -> None:
        """Appends to a file what was collected since the last call."""
        for piece in self._pieces:
            file.write(piece)
        self._pieces.clear()
