"""Where each partition of a split begins, and where each shard ends.

What the partitions have to know of each other: their summaries, put together. Whatever
is wrong with a split as a whole is found here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from transforms.archives import Archive
from transforms.errors import ConfigError, require_whole
from transforms.formats import BY_NAME, FEATURES, Feature, SplitCounts
from transforms.planning.completeness import (
    StatedNumbers,
    check_arrived,
    check_complete,
    check_excluded,
    check_list_labels,
    check_overlays,
    check_partitions,
    check_repeated,
)
from transforms.planning.counts import shard_count, shard_ends
from transforms.planning.lists import SubsetList
from transforms.planning.order import (
    ImagePlace,
    archive_order,
    lies_up_to,
    place_of,
)
from transforms.planning.partitions import (
    ARRIVAL_SCHEMA,
    RUN_ROWS,
    PartitionSummary,
    SortedRun,
    copy_rows,
)
from transforms.planning.spec import SHARD_SCHEMA


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """What the user decides about one split's plan.

    Attributes:
        subset: The images that should be there; None for whatever is.
        num_shards: Number of shards; None to let the sizes decide.
        max_examples: Keep this many, the first ones in archive order; None for all.
        stated: The numbers that the configuration states of it.
        allow_missing: Go on where the archives have fewer images than they should.
        max_file_bytes: Most bytes of a file, by format, where there is a limit.
        excluded: The images that are left out, and should be there; None for none.
        features: What its records have.
        order: How keys are made of names, a key of ``ORDERS``.
    """

    subset: SubsetList | None = None
    num_shards: int | None = None
    max_examples: int | None = None
    stated: StatedNumbers = field(default_factory=StatedNumbers)
    allow_missing: bool = False
    max_file_bytes: Mapping[str, int] = field(default_factory=dict)
    excluded: SubsetList | None = None
    features: tuple[Feature, ...] = FEATURES
    order: str = BY_NAME


@dataclass(frozen=True, slots=True)
class SplitCuts:
    """How a split is cut, as far as no single image matters.

    Attributes:
        split: The split.
        archives: What its images lie in.
        ends: Position behind each shard's last record.
        starts: Position of the first record of each run, by partition.
        last: Archive, file and offset of the last image in archive order that is
            kept; None for all.
        counts: How many images there were, and how many there should have been.
        first_missing: The first ``SHOWN`` names of the subset that no archive has, in
            the order of the list.
    """

    split: str
    archives: tuple[Archive, ...]
    ends: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    last: ImagePlace | None
    counts: SplitCounts
    first_missing: tuple[str, ...]

    @property
    def examples(self) -> int:
        """Number of records of the split."""
        return self.ends[-1]

    def bounds(self, shard: int) -> tuple[int, int]:
        """Returns the positions of a shard's first record and behind its last."""
        return self.ends[shard - 1] if shard else 0, self.ends[shard]


@dataclass(frozen=True, slots=True)
class ShardPiece:
    """Consecutive records of one shard.

    Attributes:
        start: Position of the first one in the split.
        rows: Rows of ``SHARD_SCHEMA``.
    """

    start: int
    rows: pa.Table


def lay_out_split(
    split: str,
    archives: Sequence[Archive],
    partitions: int,
    arrivals: Iterable[pa.Table],
    summaries: Iterable[PartitionSummary],
    options: SplitOptions,
    run_rows: int = RUN_ROWS,
) -> SplitCuts:
    """Decides how a split is cut into shards.

    Args:
        split: The split.
        archives: Its archives, as rows name them.
        partitions: Number of its partitions.
        arrivals: Rows of ``ARRIVAL_SCHEMA``, in any order.
        summaries: One of each partition, in any order.
        options: What the user decides about it.
        run_rows: Rows of a run, as ``cut_into_runs`` was told.

    Raises:
        ArchiveError: An archive has two images of one name, an overlay one that
            replaces none, an archive not as many images as the configuration states,
            or there is no image at all.
        BuildError: Not everything has arrived.
        ConfigError: More shards are wanted than there are examples.
        SubsetError: The selection is empty or not complete, or the list has other
            labels than its images.
    """
    arrived = pa.concat_tables([ARRIVAL_SCHEMA.empty_table(), *arrivals])
    summaries = sorted(summaries, key=lambda summary: summary.partition)
    check_arrived(archives, arrived)
    check_partitions(split, partitions, arrived, summaries)
    check_repeated(split, archives, summaries)
    check_overlays(split, archives, summaries)
    if options.excluded is not None and not options.allow_missing:
        check_excluded(split, arrived, options.excluded)
    counts, first_missing = check_complete(
        split,
        archives,
        arrived,
        summaries,
        options.subset,
        options.stated,
        allow_missing=options.allow_missing,
    )
    check_list_labels(split, summaries, options.subset)
    kept = _keep(summaries, options.max_examples, run_rows)
    shards = _count_shards(split, kept, options.num_shards)
    return SplitCuts(
        split=split,
        archives=tuple(archives),
        ends=tuple(shard_ends(kept.examples, shards)),
        starts=kept.starts,
        last=kept.last,
        counts=replace(counts, limit=options.max_examples),
        first_missing=first_missing,
    )


def cut_run(run: SortedRun, layout: SplitCuts) -> Iterator[tuple[int, ShardPiece]]:
    """Yields a run's records by shard, each with the shard's index."""
    rows = run.rows.select(SHARD_SCHEMA.names).cast(SHARD_SCHEMA)
    if layout.last is not None:
        rows = rows.filter(pa.array(lies_up_to(rows, layout.last)))
    first = layout.starts[run.partition][run.number]
    start, end = first, first + rows.num_rows
    shard = int(np.searchsorted(layout.ends, start, side="right"))
    while start < end:
        stop = min(end, layout.ends[shard])
        yield shard, ShardPiece(start, copy_rows(rows, start - first, stop - first))
        start, shard = stop, shard + 1


def join_pieces(
    index: int, pieces: Iterable[ShardPiece], layout: SplitCuts
) -> pa.Table:
    """Returns the rows of a shard in order.

    Args:
        index: The shard's position in the split.
        pieces: Its pieces, in any order.
        layout: How the split is cut.

    Raises:
        BuildError: Not every piece has arrived, or one twice.
    """
    ordered = sorted(pieces, key=lambda piece: piece.start)
    start, end = layout.bounds(index)
    found = sum(piece.rows.num_rows for piece in ordered)
    at = start
    for piece in ordered:
        if piece.start != at:
            break
        at += piece.rows.num_rows
    require_whole(
        at == end and found == end - start,
        f"{found:,} rows of the {end - start:,} of shard {index} of the "
        f"{layout.split} split arrived.",
    )
    return pa.concat_tables(piece.rows for piece in ordered).combine_chunks()


@dataclass(frozen=True, slots=True)
class _Kept:
    """The images of a split that max_examples leaves."""

    examples: int
    example_bytes: int
    starts: tuple[tuple[int, ...], ...]
    last: ImagePlace | None = None


def _count_shards(split: str, kept: _Kept, wanted: int | None) -> int:
    """Returns the number of shards; ConfigError where some would be empty."""
    shards = wanted or shard_count(kept.example_bytes, kept.examples)
    if shards > kept.examples:
        raise ConfigError(
            f"num_shards.{split}={shards:,}: the split has only {kept.examples:,} "
            "examples. Ask for as many shards or fewer."
        )
    return shards


def _keep(
    summaries: Sequence[PartitionSummary], limit: int | None, run_rows: int
) -> _Kept:
    everything = _keep_all(summaries, run_rows)
    if limit is None or limit >= everything.examples:
        return everything
    return _keep_first(summaries, limit, run_rows)


def _keep_all(summaries: Sequence[PartitionSummary], run_rows: int) -> _Kept:
    rows = np.array([summary.rows for summary in summaries], np.int64)
    before = np.cumsum(rows) - rows
    return _Kept(
        int(rows.sum()),
        sum(summary.example_bytes for summary in summaries),
        tuple(
            tuple(range(start, start + count, run_rows))
            for start, count in zip(before.tolist(), rows.tolist(), strict=True)
        ),
    )


def _keep_first(
    summaries: Sequence[PartitionSummary], limit: int, run_rows: int
) -> _Kept:
    """Returns what is left of a split that has more images than the limit."""
    places = pa.concat_tables(summary.places for summary in summaries)
    order = np.lexsort(archive_order(places))[:limit]
    kept = np.zeros(places.num_rows, np.bool_)
    kept[order] = True
    starts = []
    position = at = 0
    for summary in summaries:
        count = summary.places.num_rows
        rows = summary.places["row"].to_numpy()[kept[at : at + count]]
        runs = np.arange(0, summary.rows, run_rows)
        starts.append(tuple((position + np.searchsorted(rows, runs)).tolist()))
        position += len(rows)
        at += count
    last = order[-1]
    return _Kept(
        limit,
        int(places["bytes"].to_numpy()[kept].sum()),
        tuple(starts),
        place_of(places, int(last)),
    )
