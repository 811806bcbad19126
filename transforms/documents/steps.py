"""WriteMetadata: the documents that make published shards a dataset."""

from collections.abc import Iterable
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import counters
from transforms.documents.facts import DatasetFacts
from transforms.documents.finish import finish_dataset
from transforms.shards import ShardOutput, ShardReport


@dataclass
class WriteMetadata(beam.PTransform):  # type: ignore[misc]
    """Writes the documents of the dataset when every shard is there.

    Attributes:
        facts: What is said of the dataset.
        output: Where its shards are.
        max_rejects: Most images that may be left out; below 1, a share of them.
    """

    facts: DatasetFacts
    output: ShardOutput
    max_rejects: float

    def expand(self, reports: beam.PCollection[ShardReport]) -> beam.PCollection[str]:
        """Gathers the reports; gives the name of each format that is finished."""
        return (
            reports
            | "KeyByDataset" >> beam.Map(self._key_by_dataset)
            | "GroupReports" >> beam.GroupByKey()
            | "Write" >> beam.FlatMap(self._write)
        )

    def _key_by_dataset(self, report: ShardReport) -> tuple[str, ShardReport]:
        return self.output.places.config, report

    def _write(self, group: tuple[str, Iterable[ShardReport]]) -> list[str]:
        _, reports = group
        tally = finish_dataset(self.facts, self.output, reports, self.max_rejects)
        for split, statistics in tally.statistics.items():
            count = {
                counters.EXAMPLES: statistics.examples,
                counters.EXAMPLE_BYTES: statistics.example_bytes,
                counters.REJECTED: len(tally.rejected[split]),
            } | {
                counters.repaired(k): n
                for k, n in statistics.counts["repaired"].items()
            }
            for name, number in count.items():
                Metrics.counter(split, name).inc(number)
        for name, splits in tally.splits.items():
            for facts in splits:
                size = sum(file.size for file in facts.files)
                Metrics.counter(facts.name, counters.files(name)).inc(len(facts.files))
                Metrics.counter(facts.name, counters.file_bytes(name)).inc(size)
        return list(tally.splits)
