"""How many shards a split has, and where each ends.

The number of shards and their boundaries follow TFDS's formulae
(``core/utils/shard_utils.py``, ``core/writer.py``), so that a shard of ours holds the
records that TFDS's shard of the same name holds.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

_SMALLEST_SHARD: Final = 64 << 20  # bytes
_LARGEST_SHARD: Final = 1 << 30  # bytes
_RECORD_OVERHEAD: Final = 16  # bytes of TFRecord framing
_PREFERRED_COUNT: Final = 1024


def shard_count(total_bytes: int, examples: int) -> int:
    """Returns the number of shards TFDS gives a split.

    The largest power of two up to 1024 that keeps shards between 64 MiB and 1 GiB;
    above 1 TiB, multiples of 1024 (``core/utils/shard_utils.py``).

    Args:
        total_bytes: Sum of the serialised Examples' lengths, without framing.
        examples: Number of Examples.
    """
    framed = total_bytes + _RECORD_OVERHEAD * examples
    most = framed // _SMALLEST_SHARD
    least = framed // _LARGEST_SHARD
    if least > _PREFERRED_COUNT:
        # TFDS counts on for ever where there are fewer examples than shards.
        multiple = -(-least // _PREFERRED_COUNT) * _PREFERRED_COUNT
        return min(multiple, examples)
    count = _PREFERRED_COUNT
    while count > 1:
        if least <= count <= most and examples >= count:
            return count
        count //= 2
    return 1


def shard_ends(examples: int, shards: int) -> list[int]:
    """Returns the position behind each shard's last record.

    Rounds half to even, as TFDS does (``core/writer.py``).

    Example:
        >>> shard_ends(10, 4)
        [2, 5, 8, 10]
    """
    return [round(examples * i / shards) for i in range(1, shards + 1)]


def files_per_shard(
    sizes: npt.NDArray[np.int64], ends: list[int], most: int
) -> int | None:
    """Returns into how many files each shard is cut, so that none is too large.

    A shard stays the unit of work, so a format with smaller files cuts it evenly, as
    ``shard_ends`` does; all shards into as many, so that a file's place in the split
    is known without the other shards.

    Args:
        sizes: Bytes that each record of the split takes in a file.
        ends: Position behind each shard's last record.
        most: Most bytes of a file.

    Returns:
        The number; None where no number of non-empty files will do.
    """
    before = np.concatenate([[0], np.cumsum(sizes)])
    starts = [0, *ends[:-1]]
    fewest = min(end - start for start, end in zip(starts, ends, strict=True))
    files = 1
    while True:
        cuts = [
            start + cut
            for start, end in zip(starts, ends, strict=True)
            for cut in shard_ends(end - start, files)
        ]
        largest = int(np.diff(before[[0, *cuts]]).max())
        if largest <= most:
            return files
        if files == fewest:
            return None
        # As many more as the largest file is too large: trying each would take long.
        more = files * largest // max(most, 1)
        files = min(max(files + 1, more), fewest)
