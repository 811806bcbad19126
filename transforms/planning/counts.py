"""How many shards a split has, where each ends, and into how many files it is cut.

The number of shards and their boundaries follow TFDS's formulae
(``core/utils/shard_utils.py``, ``core/writer.py``), so that a shard of ours holds the
records that TFDS's shard of the same name holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.errors import ConfigError, printable
from transforms.formats import FORMATS

_SMALLEST_SHARD: Final = 64 << 20  # bytes
_LARGEST_SHARD: Final = 1 << 30  # bytes
_RECORD_OVERHEAD: Final = 16  # bytes of TFRecord framing
_PREFERRED_COUNT: Final = 1024


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """Into how many files of a format a shard has to be cut.

    Attributes:
        format: The format.
        shard: The shard's position in the split.
        records: Number of its records.
        needed: Number of files; None where a record alone is too large.
        largest: Most bytes that one of its records may take in a file.
        name: The first such record.
    """

    format: str
    shard: int
    records: int
    needed: int | None
    largest: int
    name: str


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


def files_needed(sizes: npt.NDArray[np.int64], most: int) -> int | None:
    """Returns into how many files a shard has to be cut, so that none is too large.

    Cut evenly, as ``shard_ends`` does, no file of this number of them or more is too
    large. It does not go by where the cuts would fall, but by how many consecutive
    records fit wherever they lie: so what one shard needs is enough for it whatever
    another one needs, and the most that any shard needs is right for all of them.

    Args:
        sizes: Bytes that each record of the shard takes in a file.
        most: Most bytes of a file.

    Returns:
        The number; None where a record alone is too large.
    """
    before = np.concatenate([[0], np.cumsum(sizes)])
    fit, too_many = 0, len(before)  # consecutive records
    while too_many - fit > 1:
        records = (fit + too_many) // 2
        if int((before[records:] - before[:-records]).max()) <= most:
            fit = records
        else:
            too_many = records
    return -(-len(sizes) // fit) if fit else None


def measure_files(
    shard: int, members: pa.Table, format_name: str, limit: int
) -> ShardFiles:
    """Returns into how many files of a format a shard has to be cut.

    Args:
        shard: Its position in the split.
        members: Its members, with name and size, in order.
        format_name: The format.
        limit: Most bytes of a file.
    """
    kind = FORMATS[format_name]
    names = pc.binary_length(members["name"]).to_numpy().astype(np.int64)
    # A name occurs up to three times in a record.
    sizes = members["size"].to_numpy() + 3 * names + kind.record_overhead
    largest = int(sizes.argmax())
    return ShardFiles(
        format=format_name,
        shard=shard,
        records=len(sizes),
        needed=files_needed(sizes, limit - kind.file_overhead),
        largest=int(sizes[largest]),
        name=members["name"][largest].as_py(),
    )


def files_per_shard(
    measured: Iterable[ShardFiles], max_file_bytes: Mapping[str, int]
) -> dict[str, int]:
    """Returns into how many files of each format all shards of a split are cut.

    A shard stays the unit of work, so a format with smaller files cuts it evenly, as
    ``shard_ends`` does; all shards into as many, so that a file's place in the split
    is known without the other shards.

    Args:
        measured: Of each shard and format, in any order.
        max_file_bytes: Most bytes of a file, by format.

    Raises:
        ConfigError: A limit allows no number of files that are not empty.
    """
    measured = sorted(measured, key=lambda each: each.shard)
    files = {}
    for name, limit in max_file_bytes.items():
        ours = [each for each in measured if each.format == name]
        needed = [each.needed for each in ours if each.needed is not None]
        files[name] = max(needed, default=0)
        if len(needed) < len(ours) or files[name] > min(each.records for each in ours):
            largest = max(ours, key=lambda each: each.largest)
            taken = largest.largest + FORMATS[name].file_overhead
            raise ConfigError(
                f"max_file_bytes {name}={limit:,} is too little: a file with no more "
                f"than {printable(largest.name)} may take {taken:,} bytes. Allow twice "
                "that, or more."
            )
    return files
