"""Which image goes to which shard, in which order: one split's plan, from metadata.

The order comes from ``transforms.order``, the number of shards and their boundaries
from ``transforms.sharding``. Nothing of a plan depends on workers, on the order in
which tables arrive, or on time.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics

from transforms.archives import Archive
from transforms.errors import (
    ArchiveError,
    BuildError,
    ConfigError,
    SubsetError,
    printable,
    sample,
)
from transforms.examples import example_sizes
from transforms.formats import FORMATS
from transforms.labels import hint_at_task_3
from transforms.order import key_halves, sort_by_key
from transforms.sharding import files_per_shard, shard_count, shard_ends
from transforms.storage import FileInfo
from transforms.subsets import SelectedTable, SubsetList

_LOGGER = logging.getLogger(__name__)

SHARD_SCHEMA: Final = pa.schema(
    [
        pa.field("archive", pa.int32(), nullable=False),  # position in archives
        pa.field("name", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),  # of the bytes, in the file
        pa.field("size", pa.int64(), nullable=False),  # bytes
        pa.field("label", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class ShardSpec:
    """All there is to know of a shard before a byte of it is read.

    Attributes:
        split: The split it belongs to.
        index: Its position in the split.
        count: Number of shards of the split.
        archives: The files its members lie in.
        members: Rows of ``SHARD_SCHEMA`` in the order of the shard's records.
        files: Number of files it is cut into, in formats that limit a file's size.
    """

    split: str
    index: int
    count: int
    archives: tuple[FileInfo, ...]
    members: pa.Table
    files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """What the user decides about one split's plan.

    Attributes:
        subset: The images that should be there; None for whatever is.
        num_shards: Number of shards; None to let the sizes decide.
        max_examples: Keep this many, the first ones in archive order; None for all.
        allow_missing: Go on where the archives lack names of the subset.
        max_file_bytes: Most bytes of a file, by format, where there is a limit.
    """

    subset: SubsetList | None = None
    num_shards: int | None = None
    max_examples: int | None = None
    allow_missing: bool = False
    max_file_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """A split cut into shards.

    Attributes:
        split: The split.
        shards: Its shards in order.
        examples: Number of records in all of them.
        missing: Names of the subset that no archive has.
    """

    split: str
    shards: tuple[ShardSpec, ...]
    examples: int
    missing: tuple[str, ...]


def plan_split(
    split: str, tables: Iterable[SelectedTable], options: SplitOptions
) -> SplitPlan:
    """Cuts a split's selected members into shards.

    Args:
        split: The split.
        tables: The selected members of all its containers, in any order.
        options: What the user decides about it.

    Raises:
        ArchiveError: An archive has two images of one name.
        BuildError: Not every container's table has arrived.
        ConfigError: More shards are wanted than there are examples.
        SubsetError: The selection is empty or not complete.
    """
    ordered = sorted(
        tables, key=lambda table: (table.archive.layer, table.archive.file.uri)
    )
    archives = tuple(dict.fromkeys(table.archive for table in ordered))
    _check_arrived(ordered)
    members = _drop_overlaid(split, archives, _gather(ordered, archives))
    missing = _check_complete(split, members, ordered, options)
    if options.max_examples is not None:
        members = _first_in_archive_order(members, options.max_examples)

    examples = members.num_rows
    shards = options.num_shards or shard_count(_total_bytes(members), examples)
    if shards > examples:
        raise ConfigError(
            f"--num_shards {split}={shards:,}: the split has only {examples:,} "
            "examples. Ask for as many shards or fewer."
        )
    ends = shard_ends(examples, shards)
    files = {
        name: _cut_into_files(name, members, ends, most)
        for name, most in options.max_file_bytes.items()
    }
    infos = tuple(archive.file for archive in archives)
    rows = members.select(SHARD_SCHEMA.names).cast(SHARD_SCHEMA).combine_chunks()
    specs = tuple(
        # Taken, not sliced: a pickled slice drags the whole table's buffers along.
        ShardSpec(split, index, shards, infos, rows.take(np.arange(start, end)), files)
        for index, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
    )
    return SplitPlan(split, specs, examples, missing)


def _check_arrived(tables: list[SelectedTable]) -> None:
    """Raises BuildError where an engine lost or repeated a container's table."""
    arrived = Counter((table.archive, table.container) for table in tables)
    for archive in {archive for archive, _ in arrived}:
        ours = {item: n for item, n in arrived.items() if item[0] == archive}
        total = next(iter(ours))[1].total
        if len(ours) != total or set(ours.values()) != {1}:
            raise BuildError(
                f"{sum(ours.values()):,} tables of {len(ours):,} containers arrived to "
                f"be planned, of the {total:,} that {archive.file.uri} has. The engine "
                "lost or repeated some; rerun, and report it if it happens again."
            )


def _gather(tables: list[SelectedTable], archives: tuple[Archive, ...]) -> pa.Table:
    """Returns all members in one table, with their archive's position and layer."""
    positions = {archive: i for i, archive in enumerate(archives)}

    def with_archive(table: SelectedTable) -> pa.Table:
        rows = table.members.num_rows
        position = np.full(rows, positions[table.archive], dtype=np.int32)
        layer = np.full(rows, table.archive.layer, dtype=np.int8)
        return table.members.append_column("archive", pa.array(position)).append_column(
            "layer", pa.array(layer)
        )

    return pa.concat_tables(with_archive(table) for table in tables)


def _drop_overlaid(
    split: str, archives: tuple[Archive, ...], members: pa.Table
) -> pa.Table:
    """Returns members in order of their keys, the highest layer of each name alone."""
    layers = members["layer"].to_numpy()
    members = members.take(pa.array(sort_by_key(members["key"], layers)))
    halves = key_halves(members["key"])
    layers = members["layer"].to_numpy()
    same_key = (halves[1:] == halves[:-1]).all(axis=1)
    twice = np.flatnonzero(same_key & (layers[1:] == layers[:-1]))
    if len(twice):
        names = members["name"].take(pa.array(twice)).to_pylist()
        first = members.slice(int(twice[0]), 2)
        places = " and ".join(
            f"byte {row['offset']:,} of {archives[row['archive']].file.uri}"
            for row in first.to_pylist()
        )
        raise ArchiveError(
            f"{len(names):,} images of the {split} split occur twice: {sample(names)}. "
            f"{printable(names[0])} begins at {places}. Remove one of each."
        )
    keep = np.concatenate([[True], ~same_key])[: members.num_rows]
    return members.filter(pa.array(keep))


def _check_complete(
    split: str,
    members: pa.Table,
    tables: list[SelectedTable],
    options: SplitOptions,
) -> tuple[str, ...]:
    """Returns the subset's names that are not there, if that is allowed."""
    uris = " and ".join(dict.fromkeys(table.archive.file.uri for table in tables))
    subset = options.subset
    if subset is None:
        if not members.num_rows:
            raise ArchiveError(f"{uris} holds no image for the {split} split.")
        return ()
    wanted = pa.array(subset.names, pa.string())
    found = pc.is_in(wanted, value_set=members["name"].combine_chunks())
    missing: list[str] = wanted.filter(pc.invert(found)).to_pylist()
    hint = hint_at_task_3({table.container.name for table in tables} - {""})
    if not members.num_rows:
        raise SubsetError(
            f"{subset.source} selects nothing: {uris} has none of its "
            f"{len(subset.names):,} names, such as {sample(missing, 3)}.{hint}"
        )
    if missing and not options.allow_missing:
        raise SubsetError(
            f"{uris} lacks {len(missing):,} of the {len(subset.names):,} images that "
            f"{subset.source} names: {sample(missing)}.{hint} Get the whole archive, "
            "or pass --allow_missing to build without them."
        )
    return tuple(missing)


def _first_in_archive_order(members: pa.Table, limit: int) -> pa.Table:
    """Returns the first members of the archives, in the order they had."""
    place = np.lexsort((members["offset"].to_numpy(), members["archive"].to_numpy()))
    return members.take(pa.array(np.sort(place[:limit])))


def _cut_into_files(
    format_name: str, members: pa.Table, ends: list[int], limit: int
) -> int:
    """Returns into how many files of a format each shard is cut."""
    kind = FORMATS[format_name]
    names = pc.binary_length(members["name"]).to_numpy().astype(np.int64)
    # A name occurs up to three times in a record.
    sizes = members["size"].to_numpy() + 3 * names + kind.record_overhead
    files = files_per_shard(sizes, ends, limit - kind.file_overhead)
    if files is None:
        largest = int(sizes.argmax())
        needed = int(sizes[largest]) + kind.file_overhead
        raise ConfigError(
            f"max_file_bytes {format_name}={limit:,} is too little: a file with no "
            f"more than {printable(members['name'][largest])} may take {needed:,} "
            "bytes. Allow twice that, or more."
        )
    return files


def _total_bytes(members: pa.Table) -> int:
    names = pc.binary_length(members["name"]).to_numpy().astype(np.int64)
    sizes: npt.NDArray[np.int64] = example_sizes(
        names, members["size"].to_numpy(), members["label"].to_numpy()
    )
    return int(sizes.sum())


@dataclass
class PlanShards(beam.PTransform):  # type: ignore[misc]
    """Gathers each split's selected members and cuts them into shards.

    Attributes:
        options: What the user decides about each split.
    """

    options: Mapping[str, SplitOptions]

    def expand(
        self, tables: beam.PCollection[SelectedTable]
    ) -> beam.PCollection[ShardSpec]:
        """Plans each split on one worker: its rows are metadata, not images."""
        return (
            tables
            | "KeyBySplit" >> beam.Map(self._key_by_split)
            | "GroupBySplit" >> beam.GroupByKey()
            | "Plan" >> beam.FlatMap(self._plan)
        )

    def _key_by_split(self, table: SelectedTable) -> tuple[str, SelectedTable]:
        return table.archive.split, table

    def _plan(self, group: tuple[str, Iterable[SelectedTable]]) -> Iterator[ShardSpec]:
        split, tables = group
        plan = plan_split(split, tables, self.options[split])
        Metrics.counter(split, "missing").inc(len(plan.missing))
        if plan.missing:
            _LOGGER.warning(
                "%s: %s listed images are not in the archives: %s",
                split,
                f"{len(plan.missing):,}",
                sample(list(plan.missing)),
            )
        _LOGGER.info(
            "%s: %s examples in %d shards",
            split,
            f"{plan.examples:,}",
            len(plan.shards),
        )
        yield from plan.shards
