"""Estimates a build: counts its plan, and times a few of its images.

Nothing is written. The results leave the pipeline as counters, by split.
"""

import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from transforms.planning import ShardSpec
from transforms.shards.members import Accepted, treated_members
from transforms.shards.output import ShardOutput

_IMAGES: Final = 200  # of a split, at most
_SECONDS: Final = 2.0  # for a split, about


@dataclass(frozen=True, slots=True)
class Sample:
    """The cost of treating a few images of a shard.

    Attributes:
        images: Their number.
        bytes_read: Their lengths in the archives, in bytes.
        bytes_written: Their lengths as they would be written, in bytes.
        seconds: How long it took one worker.
    """

    images: int
    bytes_read: int
    bytes_written: int
    seconds: float


def sample_shard(spec: ShardSpec, output: ShardOutput) -> Sample:
    """Reads and treats the first images of a shard, for a moment.

    Args:
        spec: The shard.
        output: What would be done to its images.

    Raises:
        StorageError: A member can't be read.
    """
    start = time.monotonic()
    first = replace(spec, members=spec.members.slice(0, _IMAGES))
    members = treated_members(
        first, output.images[spec.split], with_pixels=output.pixels
    )
    written: list[int] = []
    for member in members:
        image = member.example.image if isinstance(member, Accepted) else b""
        written.append(len(image))
        if time.monotonic() - start > _SECONDS:
            break
    sizes = islice(spec.members["size"].to_pylist(), len(written))
    return Sample(
        images=len(written),
        bytes_read=sum(sizes),
        bytes_written=sum(written),
        seconds=time.monotonic() - start,
    )
