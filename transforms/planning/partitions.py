"""Cuts a split's rows into partitions by their keys, and puts each into its order.

A key is a hash, so a range of keys holds an even share of the rows, and equal keys lie
in one partition. What has to be known of the other partitions to go on is little: it
is in the summary (``cuts`` puts the summaries together).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import Archive
from transforms.formats import BY_NAME, FEATURES, Feature, example_sizes, list_sizes
from transforms.planning.lists import SubsetList
from transforms.planning.order import (
    archive_order,
    key_halves,
    order_keys,
    sort_by_key,
)
from transforms.planning.partition_faults import (
    SHOWN,
    ImagePlaces,
    find_missing,
    find_relabelled,
    find_repeated,
    find_useless,
    layers_of,
)
from transforms.planning.selection import SELECTED_SCHEMA, SelectedTable

ROW_SCHEMA: Final = pa.schema(
    [
        pa.field("archive", pa.int32(), nullable=False),  # position in archives
        *SELECTED_SCHEMA,
    ]
)

# A container whose table has arrived.
ARRIVAL_SCHEMA: Final = pa.schema(
    [
        pa.field("archive", pa.int32(), nullable=False),  # position in archives
        pa.field("position", pa.int32(), nullable=False),  # among the archive's
        pa.field("total", pa.int32(), nullable=False),  # containers of the archive
        pa.field("rows", pa.int64(), nullable=False),  # images of it that are wanted
        pa.field("members", pa.int64(), nullable=False),  # images in it
        pa.field("example", pa.string(), nullable=False),  # name of a member, or empty
        pa.field("excluded", pa.list_(pa.string()), nullable=False),  # names of members
        pa.field("lacking", pa.int64(), nullable=False),  # of the split, to draws
    ]
)

# Where images lie that max_examples may keep.
PLACE_SCHEMA: Final = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # position in its partition
        pa.field("archive", pa.int32(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),  # of its tf.train.Example
    ]
)

# Names of a subset, with their positions in the list and their labels there.
LISTED_SCHEMA: Final = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("label", pa.int64()),
    ]
)

# A partition is gathered by one worker: of a million rows, 70 MB.
_ROWS_PER_PARTITION: Final = 1_000_000
# A folder's size is not known before it is listed.
_IMAGES_OF_A_FOLDER: Final = 2 * _ROWS_PER_PARTITION
# Few datasets have smaller images on average; their partitions are larger.
_BYTES_PER_IMAGE: Final = 64 << 10
# An element between two steps: 4 MB.
RUN_ROWS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class PartitionSummary:
    """What the other partitions' plan depends on.

    Attributes:
        partition: Its number.
        arrived: Number of rows that came.
        rows: Number of images that are left when overlaid ones are dropped.
        example_bytes: Sum of their lengths as tf.train.Examples.
        missing: Number of listed names of this partition that are not there.
        first_missing: Positions in the list of the first of them.
        repeated: Number of images that occur twice in one layer.
        first_repeated: The first of them in order.
        useless: Number of images of overlays that replace none.
        first_useless: The first of them in order.
        relabelled: Number of images whose label is not the one that the list has.
        first_relabelled: Positions in the list of the first of them, with their labels.
        places: Rows of ``PLACE_SCHEMA`` in order; empty unless a limit was given.
    """

    partition: int
    arrived: int
    rows: int
    example_bytes: int
    missing: int
    first_missing: tuple[int, ...]
    repeated: int
    first_repeated: tuple[ImagePlaces, ...]
    useless: int
    first_useless: tuple[ImagePlaces, ...]
    relabelled: int
    first_relabelled: tuple[tuple[int, int], ...]
    places: pa.Table


@dataclass(frozen=True, slots=True)
class SortedRun:
    """Some consecutive rows of a partition that is in order.

    Attributes:
        partition: The partition's number.
        number: The run's position in it; all but the last have as many rows.
        rows: Rows of ``ROW_SCHEMA`` without their keys.
    """

    partition: int
    number: int
    rows: pa.Table


def partition_count(archives: Iterable[Archive], listed: int | None) -> int:
    """Returns into how many partitions a split is cut, from what is known beforehand.

    The plan does not depend on it, only the time and memory that planning takes.

    Args:
        archives: The archives of the split.
        listed: Number of names of its subset; None for all images.
    """
    images = [
        archive.file.size // _BYTES_PER_IMAGE or _IMAGES_OF_A_FOLDER
        for archive in archives
    ]
    if listed is not None:
        images = [min(number, listed) for number in images]
    return max(1, -(-sum(images) // _ROWS_PER_PARTITION))


def list_arrivals(
    tables: Iterable[SelectedTable], archives: Sequence[Archive]
) -> pa.Table:
    """Returns rows of ``ARRIVAL_SCHEMA``, one for each container.

    Args:
        tables: Tables of one split.
        archives: The split's archives.
    """
    positions = {archive: i for i, archive in enumerate(archives)}
    rows = [
        (
            positions[table.archive],
            each.container.position,
            each.container.total,
            each.rows,
            each.indexed,
            each.example,
            each.excluded,
            table.lacking,
        )
        for table in tables
        for each in table.containers
    ]
    return pa.table(list(zip(*rows, strict=True)), schema=ARRIVAL_SCHEMA)


def split_by_key(
    tables: Iterable[SelectedTable], archives: Sequence[Archive], partitions: int
) -> list[pa.Table]:
    """Returns the rows of each partition, as ``ROW_SCHEMA`` has them.

    Args:
        tables: Tables of one split.
        archives: The split's archives.
        partitions: Number of partitions.
    """
    positions = {archive: i for i, archive in enumerate(archives)}
    rows = pa.concat_tables(
        table.members.add_column(
            0,
            ROW_SCHEMA.field("archive"),
            pa.array(
                np.full(table.members.num_rows, positions[table.archive], np.int32)
            ),
        )
        for table in tables
    ).combine_chunks()
    if partitions == 1:
        return [rows]
    return _take_parts(rows, _partition_of(rows["key"], partitions), partitions)


def split_list(
    subset: SubsetList, split: str, partitions: int, order: str = BY_NAME
) -> list[pa.Table]:
    """Returns the names of a subset by partition, as ``LISTED_SCHEMA`` has them."""
    count = len(subset.names)
    labels = pa.nulls(count, pa.int64()) if subset.labels is None else subset.labels
    rows = pa.table(
        [np.arange(count), pa.array(subset.names, pa.string()), labels],
        schema=LISTED_SCHEMA,
    )
    if partitions == 1:
        return [rows]  # keys take a microsecond each
    keys = pa.chunked_array([order_keys(subset.names, split, order)])
    return _take_parts(rows, _partition_of(keys, partitions), partitions)


def sort_partition(
    number: int,
    pieces: Iterable[pa.Table],
    archives: Sequence[Archive],
    listed: pa.Table | None,
    limit: int | None,
    features: tuple[Feature, ...] = FEATURES,
) -> tuple[pa.Table, PartitionSummary]:
    """Puts a partition into order and drops what is overlaid.

    Args:
        number: The partition's number.
        pieces: Its rows as ``ROW_SCHEMA`` has them, in any order.
        archives: The archives of the split.
        listed: The partition's names of the subset as ``LISTED_SCHEMA`` has them.
        limit: Most images that will be kept of the split; None for all.
        features: What its records have.

    Returns:
        The rows in order, without their keys, and what the other partitions need to
        know of them. Where images occur twice the rows are of no use.
    """
    rows = pa.concat_tables([ROW_SCHEMA.empty_table(), *pieces]).combine_chunks()
    layers = layers_of(rows, archives)
    rows = rows.take(pa.array(sort_by_key(rows["key"], layers)))
    halves = key_halves(rows["key"])
    same_key = (halves[1:] == halves[:-1]).all(axis=1)
    repeated, first_repeated = find_repeated(rows, same_key, archives)
    useless, first_useless = find_useless(rows, same_key, archives)
    first_of_name = np.concatenate([[True], ~same_key])[: rows.num_rows]
    kept = rows.filter(pa.array(first_of_name)).drop_columns("key").combine_chunks()
    missing = find_missing(listed, kept)
    relabelled, first_relabelled = find_relabelled(listed, kept)
    sizes = _example_sizes(kept, features)
    summary = PartitionSummary(
        partition=number,
        arrived=rows.num_rows,
        rows=kept.num_rows,
        example_bytes=int(sizes.sum()),
        missing=len(missing),
        first_missing=tuple(missing[:SHOWN].tolist()),
        repeated=repeated,
        first_repeated=first_repeated,
        useless=useless,
        first_useless=first_useless,
        relabelled=relabelled,
        first_relabelled=first_relabelled,
        places=PLACE_SCHEMA.empty_table()
        if limit is None
        else _first_places(kept, sizes, limit),
    )
    return kept, summary


def cut_into_runs(
    number: int, rows: pa.Table, run_rows: int = RUN_ROWS
) -> Iterator[SortedRun]:
    """Yields a partition in elements of a size that every engine can move.

    Args:
        number: The partition's number.
        rows: Its rows in order.
        run_rows: Rows of an element, but for the last one.
    """
    for run, start in enumerate(range(0, rows.num_rows, run_rows)):
        end = min(start + run_rows, rows.num_rows)
        yield SortedRun(number, run, copy_rows(rows, start, end))


def copy_rows(rows: pa.Table, start: int, end: int) -> pa.Table:
    """Returns rows as a table of its own: a pickled slice drags the whole along."""
    return rows.take(pa.array(np.arange(start, end)))


def _take_parts(
    rows: pa.Table, part: npt.NDArray[np.int64], parts: int
) -> list[pa.Table]:
    order = np.argsort(part, kind="stable")
    ends = np.cumsum(np.bincount(part, minlength=parts))
    return [rows.take(pa.array(places)) for places in np.split(order, ends[:-1])]


def _partition_of(keys: pa.ChunkedArray, partitions: int) -> npt.NDArray[np.int64]:
    """Returns each key's partition; like keys, partitions are in ascending order."""
    high = key_halves(keys)[:, 0] >> np.uint64(32)
    return (high * np.uint64(partitions) >> np.uint64(32)).astype(np.int64)


def _first_places(kept: pa.Table, sizes: npt.NDArray[np.int64], limit: int) -> pa.Table:
    """Returns where the first rows in archive order lie, in the order of the rows."""
    rows = np.sort(np.lexsort(archive_order(kept))[:limit])
    places = kept.select(["archive", "file", "offset"]).take(pa.array(rows))
    return pa.table(
        [pa.array(rows), *places.columns, pa.array(sizes[rows])], schema=PLACE_SCHEMA
    )


def _example_sizes(
    rows: pa.Table, features: tuple[Feature, ...]
) -> npt.NDArray[np.int64]:
    names = pc.binary_length(rows["name"]).to_numpy().astype(np.int64)
    lists = list_sizes(rows["labels"].combine_chunks())
    sizes, labels = rows["size"].to_numpy(), rows["label"].to_numpy()
    return example_sizes(names, sizes, labels, features, lists)
