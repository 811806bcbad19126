"""The global order of a split's records.

An image's place follows from its name alone: the MD5 of the split's name and the
file's name, ascending. It is the order TFDS writes (``core/hashing.py`` and
``core/shuffle.py``), so a change here changes every shard of every dataset and ends
the equality with TFDS. MD5 spreads well and need not be secure; neither Python's
``hash`` nor ``random`` may be used instead, they differ between processes.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def order_keys(names: Sequence[str], split: str) -> pa.Array:
    """Returns the key that each image of a split is sorted by.

    Args:
        names: File names.
        split: The split they belong to, which salts the hash.

    Returns:
        An array of 16-byte binaries, to be compared as big-endian numbers.
    """
    salted = hashlib.md5(split.encode(), usedforsecurity=False)
    digests = bytearray()
    for name in names:
        digest = salted.copy()
        digest.update(name.replace("\\", "/").encode())
        digests += digest.digest()
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(names), [None, pa.py_buffer(bytes(digests))]
    )


def sort_by_key(
    keys: pa.ChunkedArray, layers: npt.NDArray[np.int8]
) -> npt.NDArray[np.intp]:
    """Returns the positions of records in ascending order of their keys.

    Args:
        keys: 16-byte binaries.
        layers: Of equal keys, the higher layer comes first.
    """
    halves = key_halves(keys)
    return np.lexsort((-layers, halves[:, 1], halves[:, 0]))


def key_halves(keys: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Returns 16-byte keys as an array of shape (n, 2), most significant half first."""
    chunks = [
        np.frombuffer(chunk.buffers()[1], ">u8", 2 * len(chunk), 16 * chunk.offset)
        for chunk in keys.chunks
        if len(chunk)
    ]
    together = np.concatenate([np.empty(0, ">u8"), *chunks])
    return together.reshape(-1, 2).astype(np.uint64)
