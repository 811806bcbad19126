"""Plans made step by step without an engine, and as plainly as can be."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from transforms.archives.containers import MEMBER_SCHEMA, Archive
from transforms.errors import ArchiveError, ConfigError, SubsetError, sample
from transforms.formats.listing import SplitCounts
from transforms.formats.records import Example
from transforms.formats.table import FORMATS
from transforms.formats.tf_example import encode_example
from transforms.planning.counts import (
    files_per_shard,
    measure_files,
    shard_count,
    shard_ends,
)
from transforms.planning.cuts import (
    SplitCuts,
    SplitOptions,
    cut_run,
    join_pieces,
    lay_out_split,
)
from transforms.planning.lists import SubsetList
from transforms.planning.partitions import (
    RUN_ROWS,
    cut_into_runs,
    list_arrivals,
    sort_partition,
    split_by_key,
    split_list,
)
from transforms.planning.selection import SelectedTable
from transforms.planning.spec import SHARD_SCHEMA, ShardSpec


@dataclass(frozen=True)
class Plan:
    """A split's plan."""

    shards: tuple[ShardSpec, ...]
    examples: int
    missing: int
    first_missing: tuple[str, ...]


def archives_of(tables: Sequence[SelectedTable]) -> tuple[Archive, ...]:
    """Returns the archives that tables are of, in the order they are counted."""
    return tuple(
        sorted(
            {table.archive for table in tables},
            key=lambda archive: (archive.layer, archive.file.uri),
        )
    )


def member_rows(
    names: Sequence[str], offsets: Sequence[int], sizes: Sequence[int]
) -> pa.Table:
    """Returns rows of ``MEMBER_SCHEMA`` for images that lie in a tar as they are."""
    empty = pa.array([""] * len(names), pa.string())
    columns = [names, empty, empty, offsets, sizes, empty]
    return pa.table(columns, schema=MEMBER_SCHEMA)


def plan_split(
    split: str,
    tables: Sequence[SelectedTable],
    options: SplitOptions,
    partitions: int = 1,
    seed: int = 0,
    run_rows: int = RUN_ROWS,
) -> Plan:
    """Plans as ``PlanShards`` does; everything arrives in an order of the seed's."""
    rng = random.Random(seed)

    def shuffled(items: Sequence) -> list:
        return rng.sample(list(items), len(items))

    archives = archives_of(tables)
    tables = shuffled(tables)
    batches = []
    while tables:
        size = rng.randint(1, 3)
        batches.append(tables[:size])
        tables = tables[size:]
    pieces = [split_by_key(batch, archives, partitions) for batch in batches]
    listed = split_list(options.subset, split, partitions) if options.subset else None
    runs, summaries = [], []
    for number in range(partitions):
        rows, summary = sort_partition(
            number,
            shuffled([batch[number] for batch in pieces]),
            archives,
            listed[number] if listed else None,
            options.max_examples,
        )
        runs += cut_into_runs(number, rows, run_rows)
        summaries.append(summary)
    arrivals = shuffled([list_arrivals(batch, archives) for batch in batches])
    layout = lay_out_split(
        split, archives, partitions, arrivals, shuffled(summaries), options, run_rows
    )
    return Plan(
        _make_shards(layout, shuffled(runs), options),
        layout.examples,
        layout.counts.missing,
        layout.first_missing,
    )


def _make_shards(
    layout: SplitCuts, runs: list, options: SplitOptions
) -> tuple[ShardSpec, ...]:
    pieces: dict[int, list] = {index: [] for index in range(len(layout.ends))}
    for run in runs:
        for index, piece in cut_run(run, layout):
            pieces[index].append(piece)
    shards = [
        ShardSpec(
            layout.split,
            index,
            len(layout.ends),
            layout.archives,
            join_pieces(index, found, layout),
            counts=layout.counts,
            split_members=layout.examples,
        )
        for index, found in pieces.items()
    ]
    measured = [
        measure_files(shard.index, shard.members, name, limit)
        for shard in shards
        for name, limit in options.max_file_bytes.items()
    ]
    files = files_per_shard(measured, options.max_file_bytes)
    return tuple(replace(shard, files=files) for shard in shards)


def plan_plainly(
    split: str, tables: Sequence[SelectedTable], options: SplitOptions
) -> Plan:
    """Plans row by row, all rows at hand."""
    archives = archives_of(tables)
    uris = " and ".join(archive.file.uri for archive in archives)
    rows = [
        (archives.index(table.archive), *row.values())
        for table in tables
        for row in table.members.drop_columns("key").to_pylist()
    ]
    rows.sort(key=lambda row: (_digest(split, row[1]), -archives[row[0]].layer, *row))
    kept: dict[str, tuple] = {}
    twice = []
    before: tuple = ()
    for row in rows:
        if before and (row[1], archives[row[0]].layer) == (
            before[1],
            archives[before[0]].layer,
        ):
            twice.append((before, row))
        kept.setdefault(row[1], row)
        before = row
    if twice:
        places = " and ".join(
            f"byte {row[3]:,} of {archives[row[0]].file.uri}" for row in twice[0]
        )
        names = [row[1] for row, _ in twice]
        raise ArchiveError(
            f"{len(twice):,} images of the {split} split occur twice: {sample(names)}. "
            f"{names[0]} begins at {places}. Remove one of each."
        )
    below = {row[1] for row in rows if not archives[row[0]].layer}
    useless = [
        row for row in kept.values() if archives[row[0]].layer and row[1] not in below
    ]
    if useless:
        base = " and ".join(each.file.uri for each in archives if not each.layer)
        raise ArchiveError(
            f"{len(useless):,} images that should replace others of the {split} split "
            f"replace none: {sample([row[1] for row in useless])}. {useless[0][1]} "
            f"begins at byte {useless[0][3]:,} of {archives[useless[0][0]].file.uri}, "
            f"and {base} has no image of that name. Is it the right overlay?"
        )
    counts, missing = _check_complete(split, tables, uris, kept, options)
    _check_labels(split, kept, options.subset)
    places = sorted((row[0], row[2], row[3]) for row in kept.values())
    first = {*places[: options.max_examples]}
    members = [row for row in kept.values() if (row[0], row[2], row[3]) in first]
    total = sum(
        len(b"".join(encode_example(Example(name, bytes(size), label))))
        for _, name, _, _, size, _, label, _ in members
    )
    count = options.num_shards or shard_count(total, len(members))
    if count > len(members):
        raise ConfigError(
            f"num_shards.{split}={count:,}: the split has only {len(members):,} "
            "examples. Ask for as many shards or fewer."
        )
    ends = shard_ends(len(members), count)
    cut = [members[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    files = {
        name: _cut_into_files(name, cut, limit)
        for name, limit in options.max_file_bytes.items()
    }
    return Plan(
        tuple(
            ShardSpec(
                split,
                index,
                count,
                archives,
                pa.table(list(zip(*shard, strict=True)), schema=SHARD_SCHEMA),
                files,
                counts,
                len(members),
            )
            for index, shard in enumerate(cut)
        ),
        len(members),
        counts.missing,
        tuple(missing[:5]),
    )


def _digest(split: str, name: str) -> bytes:
    return hashlib.md5(split.encode() + name.encode()).digest()


def _check_complete(
    split: str,
    tables: Sequence[SelectedTable],
    uris: str,
    kept: dict[str, tuple],
    options: SplitOptions,
) -> tuple[SplitCounts, list[str]]:
    subset = options.subset
    if subset is None:
        if not kept:
            raise ArchiveError(f"{uris} holds no image for the {split} split.")
        return _check_stated(split, tables, uris, kept, options, 0), []
    missing = [name for name in subset.names if name not in kept]
    first, *_ = [
        each.example
        for table in sorted(
            tables,
            key=lambda table: (
                archives_of(tables).index(table.archive),
                table.containers[0].container.position,
            ),
        )
        for each in table.containers
        if each.example
    ] or [""]
    ours = missing[0].rpartition(".")[1:] if missing else ()
    hint = ""
    if first and missing and ours != first.rpartition(".")[1:]:
        hint = (
            f" {missing[0]} ends in .{ours[1]}, and names in the archive end in "
            f".{first.rpartition('.')[2]}, as {first} does: write them as they are "
            "there."
        )
    if not kept:
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
    return _check_stated(split, tables, uris, kept, options, len(missing)), missing


def _check_stated(
    split: str,
    tables: Sequence[SelectedTable],
    uris: str,
    kept: dict[str, tuple],
    options: SplitOptions,
    missing: int,
) -> SplitCounts:
    base = [archive for archive in archives_of(tables) if archive.layer == 0]
    members = sum(
        each.indexed
        for table in tables
        if table.archive in base
        for each in table.containers
    )
    what = " and ".join(archive.file.uri for archive in base)
    looked_at = [("members", members, f"{what} has {members:,} images")]
    if options.subset is None:
        said = f"{uris} gives the {split} split {len(kept):,} examples"
        looked_at.append(("examples", len(kept), said))
    lacking = {"members": 0, "examples": missing}
    for key, number, said in looked_at:
        expected = getattr(options.stated, key)
        if expected is None or expected == number:
            continue
        key_name = f"splits.{split}.{key}"
        own = f"For an archive of your own, state its number as {key_name}, or null."
        begin = f"{said}, and {key_name} of the configuration states {expected:,}."
        if number > expected:
            raise ArchiveError(
                f"{begin} It may be another archive, or images were added to it. {own}"
            )
        if not options.allow_missing:
            raise ArchiveError(
                f"{begin} The download may have stopped before its end, or it may be "
                "another archive. Get the whole archive and look at it with "
                "--verify_archives, or pass --allow_missing to build from what is "
                f"there. {own}"
            )
        lacking[key] = expected - number
    return SplitCounts(
        members, lacking["members"], lacking["examples"], options.max_examples
    )


def _check_labels(
    split: str, kept: dict[str, tuple], subset: SubsetList | None
) -> None:
    if subset is None or subset.labels is None:
        return
    wrong = [
        f"{name} {label} instead of {kept[name][-2]}"
        for name, label in zip(subset.names, subset.labels, strict=True)
        if name in kept and label not in (None, kept[name][-2])
    ]
    if wrong:
        raise SubsetError(
            f"{subset.source} gives {len(wrong):,} of the {len(subset.names):,} images "
            f"that it names another label than their class has: {sample(wrong)}. Say "
            f"splits.{split}.labels=list, and the list decides, or take a list without "
            "labels."
        )


def _cut_into_files(name: str, shards: list[list[tuple]], limit: int) -> int:
    """Tries one number of files after another."""
    kind = FORMATS[name]
    sizes = [
        [
            size + 3 * len(member.encode()) + kind.record_overhead
            for _, member, _, _, size, *_ in shard
        ]
        for shard in shards
    ]
    for files in range(1, min(map(len, sizes)) + 1):
        # A file has so many records, wherever it begins.
        if all(
            sum(shard[start : start + -(-len(shard) // files)])
            <= limit - kind.file_overhead
            for shard in sizes
            for start in range(len(shard))
        ):
            return files
    largest, member = max(
        (
            (size, row[1])
            for shard, own in zip(shards, sizes, strict=True)
            for row, size in zip(shard, own, strict=True)
        ),
        key=lambda each: each[0],
    )
    raise ConfigError(
        f"max_file_bytes {name}={limit:,} is too little: a file with no more than "
        f"{member} may take {kind.file_overhead + largest:,} bytes. Allow twice that, "
        "or more."
    )
