"""Which image goes to which shard, in which order: each split's plan, from metadata.

The order comes from ``order``, the number of shards and their boundaries from
``counts``. A split is planned in partitions of its keys (``partitions``) that fit
together by their summaries (``cuts``), so that no worker has to hold all of a large
one. Nothing of a plan depends on workers, on the number of partitions, on the order in
which tables arrive, or on time.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics

from transforms import counters
from transforms.archives import Archive, MemberBatch
from transforms.errors import sample
from transforms.planning.counts import ShardFiles, files_per_shard, measure_files
from transforms.planning.cuts import (
    ShardPiece,
    SplitCuts,
    SplitOptions,
    cut_run,
    join_pieces,
    lay_out_split,
)
from transforms.planning.partitions import (
    PartitionSummary,
    SortedRun,
    cut_into_runs,
    list_arrivals,
    partition_count,
    sort_partition,
    split_by_key,
    split_list,
)
from transforms.planning.recipes.steps import DrawImages
from transforms.planning.selection import (
    SelectedTable,
    Selection,
    _of_no_class,
    _of_other_class,
    select_members,
)
from transforms.planning.spec import ShardSpec


class _SelectFn(beam.DoFn):  # type: ignore[misc]
    """Holds each list as a set, which is made once per worker."""

    def __init__(self, selections: Mapping[str, Selection]) -> None:
        self._selections = selections
        self._wanted: dict[str, frozenset[str] | None] = {}
        self._excluded: dict[str, frozenset[str]] = {}

    def setup(self) -> None:
        self._wanted = {
            split: frozenset(selection.subset.names) if selection.subset else None
            for split, selection in self._selections.items()
        }
        self._excluded = {
            split: frozenset(selection.excluded.names)
            for split, selection in self._selections.items()
            if selection.excluded is not None
        }

    def process(self, batch: MemberBatch) -> Iterator[SelectedTable]:
        split = batch.archive.split
        selection = self._selections[split]
        selected = select_members(
            batch,
            self._wanted[split],
            selection,
            self._excluded.get(split, frozenset()),
        )
        unknown = _of_no_class(selected, selection.labeller)
        _count(split, counters.UNKNOWN_CLASSES, unknown)
        self._named[split].append(selected.members.select(["name", "label"]))
        yield selected

    def start_bundle(self) -> None:
        self._named: defaultdict[str, list[pa.Table]] = defaultdict(list)

    def finish_bundle(self) -> None:
        # At once: a class has few images, and a look at a thousand names costs more.
        for split, tables in self._named.items():
            class_names = self._selections[split].class_names
            number = _of_other_class(pa.concat_tables(tables), class_names)
            _count(split, counters.OTHER_CLASS, number)


@dataclass
class SelectMembers(beam.PTransform):  # type: ignore[misc]
    """Keeps the members that each split's subset takes, and labels them.

    Attributes:
        selections: What is wanted of each split.
    """

    selections: Mapping[str, Selection]

    def expand(
        self, batches: beam.PCollection[MemberBatch]
    ) -> beam.PCollection[SelectedTable]:
        """Filters each batch by itself, and draws from what is left of all."""
        selected = batches | "Select" >> beam.ParDo(_SelectFn(self.selections))
        drawings = {
            split: selection.drawing
            for split, selection in self.selections.items()
            if selection.drawing is not None
        }
        return selected | "Draw" >> DrawImages(drawings) if drawings else selected


def _count(split: str, name: str, value: int) -> None:
    Metrics.counter(split, name).inc(value)


_LOGGER = logging.getLogger(__name__)

# Rows that are cut into partitions together: 20 MB, and few elements of fewer rows.
_BATCH_ROWS: Final = 1 << 18

PartitionKey = tuple[str, int]  # split and number
ShardKey = tuple[str, int]  # split and index


class _SortFn(beam.DoFn):  # type: ignore[misc]
    """Keeps each subset by partition, which is made once per worker."""

    def __init__(
        self,
        archives: Mapping[str, Sequence[Archive]],
        options: Mapping[str, SplitOptions],
        partitions: Mapping[str, int],
    ) -> None:
        self._archives = archives
        self._options = options
        self._partitions = partitions
        self._listed: dict[str, list[pa.Table]] = {}

    def process(
        self, group: tuple[PartitionKey, Iterable[pa.Table]]
    ) -> Iterator[
        tuple[str, PartitionSummary]
        | beam.pvalue.TaggedOutput[Literal["runs"], tuple[str, SortedRun]]
    ]:
        (split, number), pieces = group
        rows, summary = sort_partition(
            number,
            pieces,
            self._archives[split],
            self._listed_names(split, number),
            self._options[split].max_examples,
            self._options[split].features,
        )
        yield split, summary
        for run in cut_into_runs(number, rows):
            yield beam.pvalue.TaggedOutput("runs", (split, run))

    def _listed_names(self, split: str, number: int) -> pa.Table | None:
        subset = self._options[split].subset
        if subset is None:
            return None
        if split not in self._listed:
            count = self._partitions[split]
            order = self._options[split].order
            self._listed[split] = split_list(subset, split, count, order)
        return self._listed[split][number]


@dataclass
class PlanShards(beam.PTransform):  # type: ignore[misc]
    """Puts each split's selected members into order and cuts them into shards.

    Attributes:
        archives: The archives of all splits.
        options: What the user decides about each split.
        partitions: Number of parts that each is planned in, which the plan does not
            depend on; None to let the archives' sizes decide.
    """

    archives: Sequence[Archive]
    options: Mapping[str, SplitOptions]
    partitions: int | None = None

    def expand(
        self, tables: beam.PCollection[SelectedTable]
    ) -> beam.PCollection[ShardSpec]:
        """Sorts each partition on one worker, and joins what each has of a shard."""
        by_split = {split: self._archives_of(split) for split in self.options}
        partitions = {
            split: self.partitions
            or partition_count(
                by_split[split], len(options.subset.names) if options.subset else None
            )
            for split, options in self.options.items()
        }
        batches = (
            tables
            | "Batch"
            >> beam.BatchElements(
                min_batch_size=_BATCH_ROWS,
                max_batch_size=_BATCH_ROWS,
                element_size_fn=_rows,
                record_metrics=False,
            )
            | "EachSplit" >> beam.FlatMap(_by_split)
        )
        arrivals = batches | "ListArrivals" >> beam.Map(_list_arrivals, by_split)
        summaries, runs = (
            batches
            | "SplitByKey" >> beam.FlatMap(_split_by_key, by_split, partitions)
            | "GroupByPartition" >> beam.GroupByKey()
            | "Sort"
            >> beam.ParDo(_SortFn(by_split, self.options, partitions)).with_outputs(
                "runs", main="summaries"
            )
        )
        layouts = (
            {"arrivals": arrivals, "summaries": summaries}
            | "GroupBySplit" >> beam.CoGroupByKey()
            | "LayOut" >> beam.Map(_lay_out, by_split, self.options, partitions)
        )
        specs = (
            runs
            | "Cut" >> beam.FlatMap(_cut, beam.pvalue.AsDict(layouts))
            | "GroupByShard" >> beam.GroupByKey()
            | "Join" >> beam.Map(_join, beam.pvalue.AsDict(layouts))
        )
        # Without the subsets: what a step is given is sent to every worker.
        limits = {split: each.max_file_bytes for split, each in self.options.items()}
        if not any(limits.values()):
            return specs
        files = (
            specs
            | "MeasureFiles" >> beam.FlatMap(_measure_files, limits)
            | "GroupFiles" >> beam.GroupByKey()
            | "CountFiles" >> beam.Map(_count_files, limits)
        )
        return specs | "CutIntoFiles" >> beam.Map(_set_files, beam.pvalue.AsDict(files))

    def _archives_of(self, split: str) -> tuple[Archive, ...]:
        ours = [archive for archive in self.archives if archive.split == split]
        return tuple(sorted(ours, key=lambda each: (each.layer, each.file.uri)))


def _rows(table: SelectedTable) -> int:
    return 1 + int(table.members.num_rows)


def _by_split(
    tables: Sequence[SelectedTable],
) -> Iterator[tuple[str, list[SelectedTable]]]:
    for split in dict.fromkeys(table.archive.split for table in tables):
        yield split, [table for table in tables if table.archive.split == split]


def _list_arrivals(
    batch: tuple[str, list[SelectedTable]], archives: Mapping[str, Sequence[Archive]]
) -> tuple[str, pa.Table]:
    split, tables = batch
    return split, list_arrivals(tables, archives[split])


def _split_by_key(
    batch: tuple[str, list[SelectedTable]],
    archives: Mapping[str, Sequence[Archive]],
    partitions: Mapping[str, int],
) -> Iterator[tuple[PartitionKey, pa.Table]]:
    split, tables = batch
    pieces = split_by_key(tables, archives[split], partitions[split])
    # Empty ones too: a partition without rows still has a summary.
    for number, piece in enumerate(pieces):
        yield (split, number), piece


def _lay_out(
    group: tuple[str, Mapping[str, Iterable[Any]]],
    archives: Mapping[str, Sequence[Archive]],
    options: Mapping[str, SplitOptions],
    partitions: Mapping[str, int],
) -> tuple[str, SplitCuts]:
    split, found = group
    layout = lay_out_split(
        split,
        archives[split],
        partitions[split],
        found["arrivals"],
        found["summaries"],
        options[split],
    )
    counts = layout.counts
    Metrics.counter(split, counters.MISSING).inc(counts.missing)
    Metrics.counter(split, counters.MISSING_MEMBERS).inc(counts.missing_members)
    subset = options[split].subset
    if layout.first_missing and subset is not None:
        absent = counts.missing - subset.lacking
        _LOGGER.warning(
            "%s: %s listed images are not in the archives: %s",
            split,
            f"{absent:,}",
            sample(list(layout.first_missing), total=absent),
        )
    return split, layout


def _cut(
    element: tuple[str, SortedRun], layouts: Mapping[str, SplitCuts]
) -> Iterator[tuple[ShardKey, ShardPiece]]:
    split, run = element
    for index, piece in cut_run(run, layouts[split]):
        yield (split, index), piece


def _join(
    group: tuple[ShardKey, Iterable[ShardPiece]], layouts: Mapping[str, SplitCuts]
) -> ShardSpec:
    (split, index), pieces = group
    layout = layouts[split]
    members = join_pieces(index, pieces, layout)
    return ShardSpec(
        *(split, index, len(layout.ends), layout.archives, members),
        counts=layout.counts,
        split_members=layout.examples,
    )


def _measure_files(
    spec: ShardSpec, limits: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[str, ShardFiles]]:
    for name, limit in limits[spec.split].items():
        yield spec.split, measure_files(spec.index, spec.members, name, limit)


def _count_files(
    group: tuple[str, Iterable[ShardFiles]], limits: Mapping[str, Mapping[str, int]]
) -> tuple[str, dict[str, int]]:
    split, measured = group
    return split, files_per_shard(measured, limits[split])


def _set_files(spec: ShardSpec, files: Mapping[str, Mapping[str, int]]) -> ShardSpec:
    return replace(spec, files=files.get(spec.split, {}))
