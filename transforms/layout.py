"""Where each partition of a split begins, and where each shard ends.

What the partitions have to know of each other: their summaries, put together. Whatever
is wrong with a split as a whole is found here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import Archive
from transforms.errors import (
    ArchiveError,
    BuildError,
    ConfigError,
    SubsetError,
    sample,
)
from transforms.partition import (
    ARRIVAL_SCHEMA,
    RUN_ROWS,
    PartitionSummary,
    SortedRun,
    copy_rows,
)
from transforms.partition_faults import SHOWN
from transforms.sharding import shard_count, shard_ends
from transforms.split_faults import (
    check_list_labels,
    check_overlays,
    check_repeated,
    hint_at_spelling,
)
from transforms.storage import FileInfo
from transforms.subsets import SubsetList

SHARD_SCHEMA: Final = pa.schema(
    [
        pa.field("archive", pa.int32(), nullable=False),  # position in archives
        pa.field("name", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),  # of the bytes, in the file
        pa.field("size", pa.int64(), nullable=False),  # bytes
        pa.field("label", pa.int64(), nullable=False),
    ]
)

_LOST: Final = (
    "The engine lost or repeated some; rerun, and report it if it happens again."
)


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """What the user decides about one split's plan.

    Attributes:
        subset: The images that should be there; None for whatever is.
        num_shards: Number of shards; None to let the sizes decide.
        max_examples: Keep this many, the first ones in archive order; None for all.
        allow_missing: Go on where the archives lack names of the subset.
        max_file_bytes: Most bytes of a file, by format, where there is a limit.
        partitions: Number of parts it is planned in, which the plan does not depend
            on; None to let the archives' sizes decide.
    """

    subset: SubsetList | None = None
    num_shards: int | None = None
    max_examples: int | None = None
    allow_missing: bool = False
    max_file_bytes: Mapping[str, int] = field(default_factory=dict)
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class SplitLayout:
    """How a split is cut, as far as no single image matters.

    Attributes:
        split: The split.
        archives: The files its images lie in.
        ends: Position behind each shard's last record.
        starts: Position of the first record of each run, by partition.
        last: Archive and offset of the last image in archive order that is kept;
            None for all.
        missing: Number of the subset's names that no archive has.
        first_missing: The first ``SHOWN`` of them in the order of the list.
    """

    split: str
    archives: tuple[FileInfo, ...]
    ends: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    last: tuple[int, int] | None
    missing: int
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
) -> SplitLayout:
    """Decides how a split is cut into shards.

    Args:
        split: The split.
        archives: Its archives, as rows name them.
        partitions: Number of its partitions.
        arrivals: Rows of ``ARRIVAL_SCHEMA``, in any order.
        summaries: One of each partition, in any order.
        options: What the user decides about it.

    Raises:
        ArchiveError: An archive has two images of one name, an overlay one that
            replaces none, or there is no image at all.
        BuildError: Not everything has arrived.
        ConfigError: More shards are wanted than there are examples.
        SubsetError: The selection is empty or not complete, or the list has other
            labels than its images.
    """
    arrived = pa.concat_tables([ARRIVAL_SCHEMA.empty_table(), *arrivals])
    summaries = sorted(summaries, key=lambda summary: summary.partition)
    _check_arrived(archives, arrived)
    _check_partitions(split, partitions, arrived, summaries)
    check_repeated(split, archives, summaries)
    check_overlays(split, archives, summaries)
    missing, first_missing = _check_complete(
        split, archives, arrived, summaries, options
    )
    check_list_labels(split, summaries, options.subset)
    kept = _keep_all(summaries)
    if options.max_examples is not None and options.max_examples < kept.examples:
        kept = _keep_first(summaries, options.max_examples)
    shards = options.num_shards or shard_count(kept.example_bytes, kept.examples)
    if shards > kept.examples:
        raise ConfigError(
            f"--num_shards {split}={shards:,}: the split has only {kept.examples:,} "
            "examples. Ask for as many shards or fewer."
        )
    return SplitLayout(
        split=split,
        archives=tuple(archive.file for archive in archives),
        ends=tuple(shard_ends(kept.examples, shards)),
        starts=kept.starts,
        last=kept.last,
        missing=missing,
        first_missing=first_missing,
    )


def cut_run(run: SortedRun, layout: SplitLayout) -> Iterator[tuple[int, ShardPiece]]:
    """Yields a run's records by shard, each with the shard's index."""
    rows = run.rows.select(SHARD_SCHEMA.names).cast(SHARD_SCHEMA)
    if layout.last is not None:
        archive, offset = layout.last
        here, at = rows["archive"].to_numpy(), rows["offset"].to_numpy()
        rows = rows.filter(
            pa.array((here < archive) | ((here == archive) & (at <= offset)))
        )
    first = layout.starts[run.partition][run.number]
    start, end = first, first + rows.num_rows
    shard = int(np.searchsorted(layout.ends, start, side="right"))
    while start < end:
        stop = min(end, layout.ends[shard])
        yield shard, ShardPiece(start, copy_rows(rows, start - first, stop - first))
        start, shard = stop, shard + 1


def join_pieces(
    index: int, pieces: Iterable[ShardPiece], layout: SplitLayout
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
    if at != end or found != end - start:
        raise BuildError(
            f"{found:,} rows of the {end - start:,} of shard {index} of the "
            f"{layout.split} split arrived. {_LOST}"
        )
    return pa.concat_tables(piece.rows for piece in ordered).combine_chunks()


@dataclass(frozen=True, slots=True)
class _Kept:
    """The images of a split that max_examples leaves."""

    examples: int
    example_bytes: int
    starts: tuple[tuple[int, ...], ...]
    last: tuple[int, int] | None = None


def _keep_all(summaries: Sequence[PartitionSummary]) -> _Kept:
    rows = np.array([summary.rows for summary in summaries], np.int64)
    before = np.cumsum(rows) - rows
    return _Kept(
        int(rows.sum()),
        sum(summary.example_bytes for summary in summaries),
        tuple(
            tuple(range(start, start + count, RUN_ROWS))
            for start, count in zip(before.tolist(), rows.tolist(), strict=True)
        ),
    )


def _keep_first(summaries: Sequence[PartitionSummary], limit: int) -> _Kept:
    """Returns what is left of a split that has more images than the limit."""
    places = pa.concat_tables(summary.places for summary in summaries)
    archive, offset = places["archive"].to_numpy(), places["offset"].to_numpy()
    order = np.lexsort((offset, archive))[:limit]
    kept = np.zeros(places.num_rows, np.bool_)
    kept[order] = True
    starts = []
    position = at = 0
    for summary in summaries:
        count = summary.places.num_rows
        rows = summary.places["row"].to_numpy()[kept[at : at + count]]
        runs = np.arange(0, summary.rows, RUN_ROWS)
        starts.append(tuple((position + np.searchsorted(rows, runs)).tolist()))
        position += len(rows)
        at += count
    last = order[-1]
    return _Kept(
        limit,
        int(places["bytes"].to_numpy()[kept].sum()),
        tuple(starts),
        (int(archive[last]), int(offset[last])),
    )


def _check_arrived(archives: Sequence[Archive], arrived: pa.Table) -> None:
    """Raises BuildError where an engine lost or repeated a container's table."""
    for number, archive in enumerate(archives):
        ours = arrived.filter(pc.field("archive") == number)
        positions = Counter(ours["position"].to_pylist())
        total = ours["total"][0].as_py() if positions else None
        if len(positions) != total or {*positions.values()} != {1}:
            of = f"the {total:,}" if total else "those"
            raise BuildError(
                f"{ours.num_rows:,} tables of {len(positions):,} containers arrived to "
                f"be planned, of {of} that {archive.file.uri} has. {_LOST}"
            )


def _check_partitions(
    split: str,
    partitions: int,
    arrived: pa.Table,
    summaries: Sequence[PartitionSummary],
) -> None:
    """Raises BuildError where an engine lost or repeated rows on their way."""
    numbers = [summary.partition for summary in summaries]
    rows = sum(summary.arrived for summary in summaries)
    sent = pc.sum(arrived["rows"]).as_py()
    if numbers != list(range(partitions)) or rows != sent:
        raise BuildError(
            f"{rows:,} rows in {len(numbers):,} partitions arrived to be planned, of "
            f"the {sent:,} in {partitions:,} of the {split} split. {_LOST}"
        )


def _check_complete(
    split: str,
    archives: Sequence[Archive],
    arrived: pa.Table,
    summaries: Sequence[PartitionSummary],
    options: SplitOptions,
) -> tuple[int, tuple[str, ...]]:
    """Returns how many of the subset's names are not there, if that is allowed.

    Returns:
        Their number, and the first of them.
    """
    uris = " and ".join(archive.file.uri for archive in archives)
    empty = not any(summary.rows for summary in summaries)
    subset = options.subset
    if subset is None:
        if empty:
            raise ArchiveError(f"{uris} holds no image for the {split} split.")
        return 0, ()
    missing = sum(summary.missing for summary in summaries)
    positions = sorted(i for summary in summaries for i in summary.first_missing)
    names = [subset.names[i] for i in positions[:SHOWN]]
    hint = hint_at_spelling(names, arrived)
    if empty:
        raise SubsetError(
            f"{subset.source} selects nothing: {uris} has none of its "
            f"{len(subset.names):,} names, such as "
            f"{sample(names, 3, total=missing)}.{hint}"
        )
    if missing and not options.allow_missing:
        raise SubsetError(
            f"{uris} lacks {missing:,} of the {len(subset.names):,} images that "
            f"{subset.source} names: {sample(names, total=missing)}.{hint} Get the "
            "whole archive, or pass --allow_missing to build without them."
        )
    return missing, tuple(names)
