"""BuildShards and EstimateBuild: shards from specs, spread over the workers."""

import time
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import counters
from transforms.planning import ShardSpec
from transforms.shards.build import build_shard
from transforms.shards.estimate import sample_shard
from transforms.shards.output import ShardOutput
from transforms.shards.progress import meter_of
from transforms.shards.report import ShardReport
from transforms.shards.space import planned_bytes, require_space


@dataclass
class EstimateBuild(beam.PTransform):  # type: ignore[misc]
    """Counts what is planned, and samples the first shard of each split.

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
            counters.PLANNED_IMAGES: spec.members.num_rows,
            counters.PLANNED_BYTES: sum(spec.members["size"].to_pylist()),
            counters.PLANNED_SHARDS: 1,
        }
        for name in self.output.formats:
            counts[counters.planned_files(name)] = spec.files.get(name, 1)
        if spec.index == 0:
            sample = sample_shard(spec, self.output)
            counts |= {
                counters.SAMPLED_IMAGES: sample.images,
                counters.SAMPLED_BYTES: sample.bytes_read,
                counters.SAMPLED_WRITTEN: sample.bytes_written,
                counters.SAMPLED_US: round(sample.seconds * 1e6),
            }
        for name, number in counts.items():
            Metrics.counter(spec.split, name).inc(number)


@dataclass
class BuildShards(beam.PTransform):  # type: ignore[misc]
    """Builds every shard in every format, spread over the workers.

    Attributes:
        output: Where shards go and what they are.
        watched_at: Address that progress is sent to; empty for none.
    """

    output: ShardOutput
    watched_at: str = ""

    def expand(
        self, specs: beam.PCollection[ShardSpec]
    ) -> beam.PCollection[ShardReport]:
        """Spreads specs, which are small, and builds each where it lands."""
        announced = specs | "Announce" >> beam.Map(self._announce)
        room = (
            announced
            | "PlannedBytes" >> beam.Map(planned_bytes, self.output)
            | "AddUp" >> beam.CombineGlobally(sum)
            | "RequireSpace" >> beam.Map(self._require_space)
        )
        return (
            announced
            | "SpreadShards" >> beam.Reshuffle()
            | "Build" >> beam.Map(self._build, beam.pvalue.AsSingleton(room))
        )

    def _require_space(self, planned: int) -> bool:
        if self.output.checks_space:
            require_space(planned, self.output)
        return True

    def _announce(self, spec: ShardSpec) -> ShardSpec:
        """Reports the size of each split, before the first shard is built."""
        if spec.index == 0:
            meter_of(spec, self.watched_at)
        return spec

    def _build(self, spec: ShardSpec, has_room: bool) -> ShardReport:
        assert has_room  # a side input, so that it is known before the first shard
        start = time.monotonic()
        report = build_shard(spec, self.output, self.watched_at)
        elapsed = time.monotonic() - start
        Metrics.counter(spec.split, counters.WORKER_MS).inc(round(elapsed * 1000))
        return report
