"""Planning in partitions gives the plan of a split whose rows are all at hand."""

import itertools
import logging
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.archives.test_index import collect
from tests.helpers.plans import Plan, archives_of, member_rows, plan_plainly, plan_split
from transforms.archives.containers import (
    Archive,
    Container,
    MemberBatch,
    MemberTable,
)
from transforms.errors import BuildError
from transforms.formats.listing import SplitCounts
from transforms.planning.completeness import StatedNumbers
from transforms.planning.cuts import (
    ShardPiece,
    SplitCuts,
    SplitOptions,
    cut_run,
    join_pieces,
    lay_out_split,
)
from transforms.planning.labels import Unlabelled
from transforms.planning.lists import SubsetList
from transforms.planning.partitions import (
    ROW_SCHEMA,
    PartitionSummary,
    cut_into_runs,
    list_arrivals,
    partition_count,
    sort_partition,
    split_by_key,
    split_list,
)
from transforms.planning.selection import SelectedTable, Selection, select_members
from transforms.planning.spec import ShardSpec
from transforms.planning.steps import PlanShards
from transforms.storage.backend import FileInfo

BASE = Archive("train", FileInfo("/data/train.tar", 10**12, "1"), "tar")
SECOND = Archive("train", FileInfo("/data/more.tar", 10**12, "1"), "tar")
SHORT_RUN = 3  # rows: makes a partition of a few several runs
PATCH = Archive("train", FileInfo("/data/a_patch.tar", 10**9, "1"), "tar", layer=1)
PARTITIONS = [1, 2, 7, 50]  # the last: more than there are rows


def subset_of(
    names: Sequence[str], labels: Sequence[int | None] | None = None
) -> SubsetList:
    own = None if labels is None else tuple(labels)
    return SubsetList(tuple(names), "/data/list.txt", 1, own)


def table_of(
    names: Sequence[str],
    archive: Archive = BASE,
    position: int = 0,
    total: int = 1,
    wanted: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
) -> SelectedTable:
    """Returns a container's selected members; no two places are the same."""
    offsets = [(position << 32) + 1024 * row for row in range(len(names))]
    members = member_rows(names, offsets, sizes or [len(name) for name in names])
    container = Container(f"n{position:08d}", position << 32, 1 << 32, position, total)
    table = MemberTable(archive, container, members)
    return select_members(
        MemberBatch.of(archive, [table]),
        None if wanted is None else frozenset(wanted),
        Selection(Unlabelled()),
    )


# --- The same as row by row -----------------------------------------------------------

NAMES = [f"{letter}_{i}.JPEG" for letter in "abé" for i in range(12)]
OTHERS = [f"c_{i}.{extension}" for extension in ("png", "JPEG") for i in range(2)]


@st.composite
def splits(draw: st.DrawFn) -> tuple[list[SelectedTable], SplitOptions]:
    """Draws a split: archives that lack some names and, seldom, have some twice."""
    listed = draw(st.none() | st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    often = st.integers(0, 9).map(bool)
    if listed and draw(st.booleans()):
        listed.insert(0, draw(st.sampled_from(OTHERS)))
    labels = None
    if listed and draw(st.booleans()):
        label = st.sampled_from([-1, None, 7] if draw(st.booleans()) else [-1, None])
        labels = draw(st.lists(label, min_size=len(listed), max_size=len(listed)))
        if not any(label is not None for label in labels):
            labels = None
    tables = []
    below: list[str] = []
    pool = draw(st.permutations(NAMES))
    for archive in (BASE, SECOND, PATCH):
        total = draw(st.integers(1, 4 if archive is not PATCH else 1))
        if archive is not BASE and draw(st.booleans()):
            continue
        if archive is PATCH and draw(often):
            pool = draw(st.permutations(sorted({*below})))  # which it replaces
        elif archive is PATCH or not draw(often):
            pool = draw(st.permutations(NAMES))  # what others have, too
        for position in range(total):
            count = draw(st.integers(0, 12))
            names, pool = pool[:count], pool[count:]
            below += names
            sizes = draw(
                st.lists(st.integers(0, 9000), min_size=len(names), max_size=len(names))
            )
            tables.append(table_of(names, archive, position, total, listed, sizes))
    some = st.none() | st.integers(1, 40)
    limits = st.none() | st.integers(25_000, 32_000) | st.integers(32_000, 300_000)
    options = SplitOptions(
        subset=None if listed is None else subset_of(listed, labels),
        num_shards=draw(some),
        max_examples=draw(some),
        stated=StatedNumbers(
            draw(st.none() | st.sampled_from(_numbers_near(tables, BASE.layer))),
            draw(st.none() | st.sampled_from(_numbers_near(tables, None))),
        ),
        allow_missing=draw(st.booleans()),
        max_file_bytes={} if (limit := draw(limits)) is None else {"webdataset": limit},
    )
    return tables, options


def _numbers_near(tables: Sequence[SelectedTable], layer: int | None) -> list[int]:
    """Returns the number of images of a layer, or of all that differ, and others."""
    if layer is None:
        number = len({name for t in tables for name in t.members["name"].to_pylist()})
    else:
        number = sum(
            t.containers[0].indexed for t in tables if t.archive.layer == layer
        )
    return [number, number, number, number + 1, number + 2, max(0, number - 1)]


def outcome(make: Callable[[], Plan]) -> Plan | tuple[type[BuildError], str]:
    try:
        return make()
    except BuildError as error:
        return type(error), str(error)


OUTCOMES = {
    "occur twice": "ArchiveError",
    "holds no image": "ArchiveError",
    "may have stopped": "ArchiveError",
    "were added": "ArchiveError",
    "selects nothing": "SubsetError",
    "lacks": "SubsetError",
    "write them as they are there": "SubsetError",
    "another label than": "SubsetError",
    "replace none": "ArchiveError",
    "the split has only": "ConfigError",
    "is too little": "ConfigError",
}


# Rare among those that are drawn.
TOO_LITTLE = (
    [table_of(NAMES[:3], sizes=[9000] * 3)],
    SplitOptions(max_file_bytes={"webdataset": 15_000}),
)
REPLACES_NONE = (
    [table_of(NAMES[:3]), table_of(NAMES[3:5], PATCH)],
    SplitOptions(),
)


def test_plan_and_errors_are_the_same_in_partitions_as_row_by_row() -> None:
    seen = set()

    @settings(deadline=None, max_examples=150, derandomize=True, database=None)
    @given(splits(), st.sampled_from(PARTITIONS), st.integers(0, 2**32))
    @example(TOO_LITTLE, 2, 0)
    @example(REPLACES_NONE, 2, 0)
    def compare(
        split: tuple[list[SelectedTable], SplitOptions], partitions: int, seed: int
    ) -> None:
        tables, options = split
        expected = outcome(lambda: plan_plainly("train", tables, options))
        found = outcome(
            lambda: plan_split(
                "train", tables, options, partitions, seed, run_rows=SHORT_RUN
            )
        )
        assert found == expected
        if isinstance(expected, Plan):
            seen.add(("plan", partitions))
        else:
            seen.update(text for text in OUTCOMES if text in expected[1])

    compare()
    assert seen == {*OUTCOMES, *(("plan", partitions) for partitions in PARTITIONS)}


def test_archives_sizes_and_lists_tell_how_many_partitions_there_are() -> None:
    def archive(gigabytes: int) -> Archive:
        return replace(BASE, file=FileInfo("/data/x.tar", gigabytes * 10**9, "1"))

    imagenet, overlay = archive(148), archive(1)
    assert partition_count([imagenet], None) == 3
    assert partition_count([imagenet, overlay], 12_811) == 1
    assert partition_count([imagenet, imagenet], 1_281_167) == 3
    assert partition_count([archive(1300)], None) == 20
    assert partition_count([archive(0)], None) == 2  # a folder's size is not known
    assert partition_count([archive(0)], 12_811) == 1


def test_partitions_share_the_rows_in_the_order_of_keys() -> None:
    table = table_of([f"n{i}.JPEG" for i in range(7000)])
    for partitions in PARTITIONS:
        pieces = split_by_key([table], [BASE], partitions)
        keys = [piece["key"].to_pylist() for piece in pieces]
        assert len(pieces) == partitions
        assert all(piece.schema == ROW_SCHEMA for piece in pieces)
        together = sorted(itertools.chain.from_iterable(keys))
        assert together == sorted(table.members["key"].to_pylist())
        assert all(max(low) < min(high) for low, high in itertools.pairwise(keys))
        expected = 7000 / partitions
        assert all(abs(len(own) - expected) < 6 * expected**0.5 for own in keys)


def test_names_of_a_list_fall_into_the_partitions_of_their_images() -> None:
    names = [f"n{i}.JPEG" for i in range(2000)]
    pieces = split_by_key([table_of(names)], [BASE], 7)
    labels = [i if i % 3 else None for i in range(2000)]
    listed = split_list(subset_of(names, labels), "train", 7)
    for piece, own in zip(pieces, listed, strict=True):
        assert piece["name"].to_pylist() == own["name"].to_pylist()
        assert own["position"].to_pylist() == [
            names.index(name) for name in own["name"].to_pylist()
        ]
        assert own["label"].to_pylist() == [
            labels[position] for position in own["position"].to_pylist()
        ]


def test_what_goes_between_steps_carries_its_own_rows_alone() -> None:
    table = table_of([f"n{i:06d}.JPEG" for i in range(20_000)])
    pieces = split_by_key([table], [BASE], 100)
    assert max(len(pickle.dumps(piece)) for piece in pieces) < 30_000
    rows, _ = sort_partition(0, pieces[:1], [BASE], None, None)
    runs = [*cut_into_runs(0, rows, SHORT_RUN)]
    assert max(len(pickle.dumps(run)) for run in runs) < 3000
    cut = SplitCuts(
        "train", (), tuple(range(1, 1000)), ((0, 3),), None, SplitCounts(), ()
    )
    shards = [piece for _, piece in cut_run(runs[1], cut)]
    assert [piece.rows.num_rows for piece in shards] == [1, 1, 1]
    assert max(len(pickle.dumps(piece)) for piece in shards) < 3000


# --- What an engine loses or repeats --------------------------------------------------

NUMBERED = [table_of([f"{c}_{i}" for i in range(9)], BASE, c, 3) for c in range(3)]


def summaries_of(pieces: Sequence[pa.Table]) -> list[PartitionSummary]:
    return [
        sort_partition(number, [piece], [BASE], None, None)[1]
        for number, piece in enumerate(pieces)
    ]


def lay_out(summaries: Sequence[PartitionSummary]) -> SplitCuts:
    arrivals = [list_arrivals([table], [BASE]) for table in NUMBERED]
    options = SplitOptions(num_shards=2)
    return lay_out_split("train", [BASE], 4, arrivals, summaries, options)


def test_lost_and_repeated_partitions_are_noticed() -> None:
    pieces = split_by_key(NUMBERED, [BASE], 4)
    found = summaries_of(pieces)
    assert lay_out(found).examples == 27
    short = summaries_of(
        [piece.slice(1) if i == 2 else piece for i, piece in enumerate(pieces)]
    )
    for summaries, arrived in (
        (found[:3], f"{27 - found[3].rows} rows in 3 partitions"),
        ([*found, found[0]], f"{27 + found[0].rows} rows in 5 partitions"),
        (short, "26 rows in 4 partitions"),
    ):
        with pytest.raises(BuildError) as caught:
            lay_out(summaries)
        assert str(caught.value) == (
            f"{arrived} arrived to be planned, of the 27 in 4 of the train split. The "
            "engine lost or repeated some; rerun, and report it if it happens again."
        )


def test_a_lost_partition_without_rows_is_noticed() -> None:
    pieces = [*split_by_key(NUMBERED, [BASE], 3), ROW_SCHEMA.empty_table()]
    assert lay_out(summaries_of(pieces)).examples == 27
    with pytest.raises(BuildError, match=r"^27 rows in 3 partitions arrived"):
        lay_out(summaries_of(pieces[:3]))


def test_rows_that_arrive_twice_are_not_taken_for_images_that_occur_twice() -> None:
    pieces = split_by_key(NUMBERED, [BASE], 4)
    twice = pa.concat_tables([pieces[1], pieces[1]])
    with pytest.raises(BuildError, match=r"^\d+ rows in 4 partitions arrived"):
        lay_out(summaries_of([pieces[0], twice, *pieces[2:]]))


def test_an_archive_of_which_nothing_arrived_is_noticed() -> None:
    arrivals = [list_arrivals(NUMBERED, [BASE, PATCH])]
    summaries = summaries_of(split_by_key(NUMBERED, [BASE, PATCH], 1))
    with pytest.raises(BuildError) as caught:
        lay_out_split("train", [BASE, PATCH], 1, arrivals, summaries, SplitOptions())
    assert str(caught.value) == (
        "0 tables of 0 containers arrived to be planned, of those that "
        "/data/a_patch.tar has. The engine lost or repeated some; rerun, and report it "
        "if it happens again."
    )


@pytest.mark.parametrize(
    "kept",
    [
        [0, 2],  # one from the middle lost
        [0, 1],  # the last
        [1, 2],  # the first
        [0, 1, 1, 2],
        [0, 1, 2, 2],
        [0, 2, 2],  # lost and repeated, as many rows
        [],
    ],
)
def test_lost_and_repeated_rows_of_a_shard_are_noticed(kept: list[int]) -> None:
    rows = table_of([f"n{i}" for i in range(12)]).members
    cut = SplitCuts("train", (), (5, 17, 20), ((0,),), None, SplitCounts(), ())
    pieces = [
        ShardPiece(5 + start, rows.slice(start, end - start))
        for start, end in ((0, 4), (4, 8), (8, 12))
    ]
    assert join_pieces(1, pieces[::-1], cut) == rows
    arrived = sum(pieces[i].rows.num_rows for i in kept)
    with pytest.raises(BuildError) as caught:
        join_pieces(1, [pieces[i] for i in kept], cut)
    assert str(caught.value) == (
        f"{arrived} rows of the 12 of shard 1 of the train split arrived. The engine "
        "lost or repeated some; rerun, and report it if it happens again."
    )


# --- The step -------------------------------------------------------------------------


def by_place(specs: Sequence[ShardSpec]) -> list[ShardSpec]:
    return sorted(specs, key=lambda spec: (spec.split, spec.index))


@pytest.mark.parametrize("partitions", [None, 5])
@pytest.mark.parametrize("limited", [False, True])
def test_the_engine_gives_each_split_the_plan_of_its_rows_at_hand(
    partitions: int | None, limited: bool, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"n{i}.JPEG" for i in range(500)]
    tables = {
        "train": [
            *(table_of(names[i:450:4], BASE, i, 4) for i in range(4)),
            table_of(names[300:450], PATCH),
        ],
        "validation": [
            table_of(names, replace(BASE, split="validation"), wanted=names[50:])
        ],
    }
    options = {
        "train": SplitOptions(
            subset=subset_of(["gone", *names[:450]]),
            max_examples=333 if limited else None,
            num_shards=7,
            allow_missing=True,
            max_file_bytes={"webdataset": 90_000} if limited else {},
        ),
        "validation": SplitOptions(subset=subset_of(names[50:]), num_shards=3),
    }
    elements = [*tables["validation"], *tables["train"]]
    archives = archives_of(elements)
    with caplog.at_level(logging.WARNING, "transforms"):
        specs = collect(elements, PlanShards(archives, options, partitions))
    plans = {
        split: plan_plainly(split, tables[split], options[split]) for split in tables
    }
    assert by_place(specs) == [*plans["train"].shards, *plans["validation"].shards]
    assert plans["train"].examples == (333 if limited else 450)
    assert {len(spec.files) for spec in specs} == {0, int(limited)}
    assert [
        record.getMessage() for record in caplog.records if "list" in record.msg
    ] == ["train: 1 listed images are not in the archives: gone"]


def test_the_engine_reports_an_image_that_occurs_twice() -> None:
    tables = [table_of([f"n{i}", "both"], BASE, i, 2) for i in range(2)]
    with pytest.raises(
        Exception, match="1 images of the train split occur twice: both"
    ):
        collect(tables, PlanShards([BASE], {"train": SplitOptions()}, partitions=5))
