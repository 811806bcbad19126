"""What a build would come to: counted from its plan, timed on a few of its images.

Nothing is written. What is found leaves the pipeline as counters, by split:

    planned_images       images that would be read
    planned_bytes        their lengths in the archives, in bytes
    planned_shards       shards
    planned_FORMAT       files in a format
    sampled_images       images that were read and treated to see how long it takes
    sampled_bytes        their lengths in the archives, in bytes
    sampled_written      their lengths as they would be written, in bytes
    sampled_us           the time that it took, in microseconds of one worker
"""

import time
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.members import Accepted, treated_members
from transforms.output import ShardOutput
from transforms.plan import ShardSpec

_IMAGES: Final = 200  # of a split, at most
_SECONDS: Final = 2.0  # for a split, about


@dataclass(frozen=True, slots=True)
class Sample:
    """What treating a few images of a shard took.

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


@dataclass
class EstimateBuild(beam.PTransform):  # type: ignore[misc]
    """Counts what a plan comes to, and samples the first shard of each split.

    Attributes:
        output: Where shards would go and what they would be.
    """

    output: ShardOutput

    def expand(self, specs: beam.PCollection[ShardSpec]) -> beam.PCollection[None]:
        """Spreads the shards, for samples to be taken side by side."""
        return (
            specs
            | "SpreadShards" >> beam.Reshuffle()
            | "Count" >> beam.Map(self._count)
        )

    def _count(self, spec: ShardSpec) -> None:
        counts = {
            "planned_images": spec.members.num_rows,
            "planned_bytes": sum(spec.members["size"].to_pylist()),
            "planned_shards": 1,
        }
        for name in self.output.formats:
            counts[f"planned_{name}"] = spec.files.get(name, 1)
        if spec.index == 0:
            sample = sample_shard(spec, self.output)
            counts |= {
                "sampled_images": sample.images,
                "sampled_bytes": sample.bytes_read,
                "sampled_written": sample.bytes_written,
                "sampled_us": round(sample.seconds * 1e6),
            }
        for name, number in counts.items():
            Metrics.counter(spec.split, name).inc(number)
