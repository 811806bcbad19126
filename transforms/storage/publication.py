"""A file that is being published: gathered, hashed and written."""

import mmap
from typing import TYPE_CHECKING, Final

from transforms.storage.backend import Buffer, Sink
from transforms.storage.hashes import CHECKSUM, Checksum, digest_of, new_hash

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_GATHERED_SIZE: Final = 4 << 20  # bytes handed to the storage at a time

# Bytes hashed at a time: the processor's caches still have them, and other threads are
# not woken for each image.
_HASHED_SIZE: Final = 1 << 20


class Publication:
    """A file that is being published, and the hash of what was written to it.

    Bytes are copied once, to where direct writes can take them from, and hashed there.
    """

    def __init__(self, sink: Sink, checksum: Checksum = CHECKSUM) -> None:
        """Begins with an empty file."""
        self._sink = sink
        self._checksum: Checksum = checksum
        self._hash = new_hash(checksum)
        # Anonymous memory begins on a page, which direct writes need.
        self._memory = mmap.mmap(-1, _GATHERED_SIZE)
        # NumPy releases Python's lock while it copies: that copy was a third of the
        # time for which an image that is passed through held it.
        self._gathered = _as_array(self._memory)
        self._filled = 0
        self._hashed = 0
        self._written = 0

    def write(self, data: Buffer, /) -> int:
        """Appends bytes; returns their number."""
        size = len(data)
        filled = self._filled + size
        if filled < _GATHERED_SIZE:
            self._gathered[self._filled : filled] = _as_array(data)
            self._filled = filled
            if filled - self._hashed >= _HASHED_SIZE:
                self._hash_gathered()
        else:
            self._write_across(data)
        return size

    def tell(self) -> int:
        """Returns the number of bytes appended so far."""
        return self._written + self._filled

    def digest(self) -> str:
        """Returns the digest of the finished file."""
        return digest_of(self._checksum, self._hash.hexdigest())

    def finish(self) -> None:
        """Writes what is left; nothing can be appended afterwards."""
        self._write_out()
        del self._gathered
        self._memory.close()

    def _write_across(self, data: Buffer) -> None:
        """Gathers bytes that fill what is gathered once or more."""
        taken = 0
        view = _as_array(data)
        while taken < len(view):
            part = view[taken : taken + _GATHERED_SIZE - self._filled]
            self._gathered[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            taken += len(part)
            if self._filled == _GATHERED_SIZE:
                self._write_out()

    def _hash_gathered(self) -> None:
        """Hashes what was gathered since the last time."""
        with memoryview(self._memory) as whole:
            self._hash.update(whole[self._hashed : self._filled])
        self._hashed = self._filled

    def _write_out(self) -> None:
        self._hash_gathered()
        with memoryview(self._memory) as whole, whole[: self._filled] as gathered:
            self._sink.write(gathered)
        self._written += self._filled
        self._filled = self._hashed = 0


def _as_array(data: Buffer | mmap.mmap) -> "npt.NDArray[np.uint8]":
    import numpy as np  # not loaded before a configuration is checked

    return np.frombuffer(data, np.uint8)


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
