"""Makes the published shards a dataset, when the last one is there.

Counts have to add up, bad images may not be too many; then the documents are written.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms import storage
from transforms.counted import statistics_document
from transforms.documents import write_hub_documents, write_tfds_documents
from transforms.duplicates import find_duplicates
from transforms.facts import DatasetFacts
from transforms.figure import draw_figure
from transforms.formats import FORMATS
from transforms.output import ShardOutput
from transforms.quarantine import FILE_NAME, check_rejected, write_quarantine
from transforms.reports import ShardReport
from transforms.review import first_examples, review_dataset
from transforms.tally import ReadSource, Tally, add_up, open_sources


def write_metadata(
    facts: DatasetFacts,
    output: ShardOutput,
    reports: Iterable[ShardReport],
    max_rejects: float,
) -> Tally:
    """Writes the documents that make directories of shards a dataset.

    Args:
        facts: What is said of the dataset.
        output: Where its shards are.
        reports: One per shard, in any order.
        max_rejects: Most images that may be left out; below 1, a share of them.

    Returns:
        What the shards came to.

    Raises:
        BuildError: An image is neither written nor rejected.
        ImageError: Too many images were rejected.
        StorageError: A document can't be written, a shard has no report, or the
            directory has other formats with other shards.
    """
    tally = add_up(facts.splits, output.formats, reports)
    with open_sources(tally.archives) as read:
        _set_rejected_aside(output, tally, read, max_rejects)
        figure = _draw_figure(facts, output, tally)
        documents = _describe(facts, output, tally, read)
    in_tfds_style = {
        name: splits
        for name, splits in tally.splits.items()
        if FORMATS[name].layout == "tfds"
    }
    if in_tfds_style:
        write_tfds_documents(
            facts, output, in_tfds_style, tally.counts, figure, documents
        )
    for name, splits in tally.splits.items():
        if FORMATS[name].layout == "hub":
            write_hub_documents(
                facts, output, name, splits, tally.counts, figure, documents
            )
    for name in tally.splits:
        storage.remove_tree(output.reports(name))
    return tally


def _set_rejected_aside(
    output: ShardOutput, tally: Tally, read: ReadSource, max_rejects: float
) -> None:
    directory = output.quarantine()
    uri = storage.join(directory, FILE_NAME)
    if any(tally.rejected.values()):
        storage.make_directory(directory)
        write_quarantine(uri, tally.rejected, read)
        check_rejected(tally.rejected, tally.wanted, max_rejects, uri)
    else:
        storage.remove_tree(directory)  # of an earlier run


def _describe(
    facts: DatasetFacts, output: ShardOutput, tally: Tally, read: ReadSource
) -> dict[str, bytes]:
    """Returns the documents that each directory gets, whatever its format."""
    duplicates = find_duplicates(
        {split: counted.hashes for split, counted in tally.statistics.items()}
    )
    statistics = statistics_document(tally.statistics, duplicates)
    for split, rejected in tally.rejected.items():
        reasons = Counter(image.reason for image in rejected)
        statistics["splits"][split] |= {
            "rejected": dict(sorted(reasons.items())),
            "missing": tally.counts[split].missing,
            "missing_members": tally.counts[split].missing_members,
        }
    return {
        "statistics.json": json.dumps(statistics).encode(),
        "report.html": review_dataset(facts, output, tally, statistics, read),
    }


def _draw_figure(
    facts: DatasetFacts, output: ShardOutput, tally: Tally
) -> bytes | None:
    """Returns a picture of the first examples."""
    examples = first_examples(output, tally, facts.splits[0])
    return draw_figure(examples, facts.schema.class_names)


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
        return self.output.config, report

    def _write(self, group: tuple[str, Iterable[ShardReport]]) -> list[str]:
        _, reports = group
        tally = write_metadata(self.facts, self.output, reports, self.max_rejects)
        for split, statistics in tally.statistics.items():
            count = {
                "examples": statistics.examples,
                "example_bytes": statistics.example_bytes,
                "rejected": len(tally.rejected[split]),
            } | {f"repaired_{k}": n for k, n in statistics.counts["repaired"].items()}
            for name, number in count.items():
                Metrics.counter(split, name).inc(number)
        for name, splits in tally.splits.items():
            for facts in splits:
                size = sum(file.size for file in facts.files)
                Metrics.counter(facts.name, f"{name}_files").inc(len(facts.files))
                Metrics.counter(facts.name, f"{name}_bytes").inc(size)
        return list(tally.splits)
