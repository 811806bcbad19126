"""The global order of a split's records, and the order of its archives.

An image's place follows from its name alone: the MD5 of the split's name and the
file's name, ascending. It is the order TFDS writes (``core/hashing.py`` and
``core/shuffle.py``), so a change here changes every shard of every dataset and ends
the equality with TFDS. Some of its datasets hash another spelling of the name
(``formats.ORDERS``). MD5 spreads well and need not be secure; neither Python's
``hash`` nor ``random`` may be used instead, they differ between processes.

The order of the archives decides which images a limit keeps, as in TFDS: the first.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.formats import BY_NAME, ORDERS


def order_keys(names: Sequence[str], split: str, order: str = BY_NAME) -> pa.Array:
    """Returns the key that each image of a split is sorted by.

    Args:
        names: File names.
        split: The split they belong to, which salts the hash.
        order: What is hashed of a name, a key of ``ORDERS``.

    Returns:
        An array of 16-byte binaries, to be compared as big-endian numbers.
    """
    salted = hashlib.md5(split.encode(), usedforsecurity=False)
    digests = bytearray()
    if order != BY_NAME:
        names = list(map(ORDERS[order], names))
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


class ImagePlace(NamedTuple):
    """Where an image lies; places compare in the order of archives.

    Attributes:
        archive: The archive's position among those of the split.
        file: The file in the archive's folder; empty for the archive's own.
        offset: In bytes.
    """

    archive: int
    file: str
    offset: int


def archive_order(rows: pa.Table) -> tuple[npt.NDArray[Any], ...]:
    """Returns the keys that sort rows in archive order, as ``np.lexsort`` has them.

    Args:
        rows: With the columns ``archive``, ``file`` and ``offset``.
    """
    files = pc.rank(rows["file"].combine_chunks(), tiebreaker="dense").to_numpy()
    return rows["offset"].to_numpy(), files, rows["archive"].to_numpy()


def lies_up_to(rows: pa.Table, last: ImagePlace) -> npt.NDArray[np.bool_]:
    """Returns for each row whether it lies at a place or before it."""
    archive, offset = rows["archive"].to_numpy(), rows["offset"].to_numpy()
    before = pc.less(rows["file"], last.file).to_numpy()
    same = pc.equal(rows["file"], last.file).to_numpy()
    within = before | (same & (offset <= last.offset))
    found: npt.NDArray[np.bool_] = (archive < last.archive) | (
        (archive == last.archive) & within
    )
    return found


def place_of(rows: pa.Table, row: int) -> ImagePlace:
    """Returns where the image of a row lies."""
    return ImagePlace(*(rows[name][row].as_py() for name in ImagePlace._fields))
