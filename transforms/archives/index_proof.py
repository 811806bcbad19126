"""Whether an archive is the one that an index was made of.

Size and modification time say so most often, but a file can be replaced by another of
the same size and given the same time. So a few headers are drawn by hash from all of
the archive's, and an index keeps their places and what they held. Reading them again
takes milliseconds, and of an archive of other images, or of the same ones packed
otherwise, hardly one header is the same.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from transforms import storage
from transforms.archives.containers import Archive, MemberTable
from transforms.archives.tar.header import BLOCK

_DRAWN: Final = 16  # headers; one round of requests where an archive is far away
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio


class HeaderDraw:
    """Draws headers from an archive's tables, which come one at a time."""

    def __init__(self, archive_size: int) -> None:
        """Begins with none.

        Args:
            archive_size: The archive's length in bytes.
        """
        self._size = archive_size
        self._drawn: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def add(self, table: MemberTable) -> None:
        """Adds a container's headers to those drawn from: its first and its members'.

        The first is there in a container without any image, too.
        """
        # Bytes that lie as they are follow their header; else it stands at the place.
        is_plain = pc.equal(table.members["detail"], "").to_numpy()
        headers = table.members["offset"].to_numpy() - np.where(is_plain, BLOCK, 0)
        places = np.concatenate([self._drawn, headers, [table.container.offset]])
        places = np.unique(np.clip(places, 0, max(0, self._size - BLOCK)))
        keys = places.astype(np.uint64) * _MULTIPLIER  # multiplicative hashing (Knuth)
        self._drawn = places[np.argsort(keys, kind="stable")[:_DRAWN]]

    def places(self) -> list[int]:
        """Returns where the headers lie that were drawn, in order."""
        return sorted(self._drawn.tolist())


def spread_places(size: int) -> list[int]:
    """Returns where blocks lie that are spread over a file without headers of its own.

    Args:
        size: The file's length in bytes.
    """
    last = max(0, size - BLOCK)
    return sorted({last * part // (_DRAWN - 1) for part in range(_DRAWN)})


def digest_headers(archive: Archive, places: Sequence[int]) -> str:
    """Returns the SHA-256 of headers of an archive, in hexadecimal digits.

    Args:
        archive: The archive.
        places: Where the headers lie.

    Raises:
        StorageError: They can't be read.
    """
    with closing(storage.open_reader(archive.file)) as reader:
        size = archive.file.size
        headers = reader.read_many(
            [(place, min(BLOCK, size - place)) for place in places]
        )
    return hashlib.sha256(b"".join(headers)).hexdigest()
