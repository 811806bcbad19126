"""Which image goes to which shard: counts, borders, order, and what is refused."""

import hashlib
import itertools
import pickle
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.plans import member_rows, plan_split
from transforms.archives.containers import (
    Archive,
    Container,
    MemberBatch,
    MemberTable,
)
from transforms.errors import ArchiveError, BuildError, ConfigError, SubsetError
from transforms.formats.listing import SplitCounts
from transforms.planning.counts import (
    files_needed,
    files_per_shard,
    measure_files,
    shard_count,
    shard_ends,
)
from transforms.planning.cuts import SplitOptions
from transforms.planning.labels import LabelByContainer
from transforms.planning.lists import SubsetList
from transforms.planning.selection import SelectedTable, Selection, select_members
from transforms.planning.spec import SHARD_SCHEMA, ShardSpec
from transforms.storage.backend import FileInfo

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40
WNIDS = ("n01", "n02", "n03")


# --- The number of shards -------------------------------------------------------------


def tfds_shard_count(total_bytes: int, examples: int) -> int:
    """Counts as TFDS does, step for step, but gives up where it would not end."""
    with_overhead = total_bytes + 16 * examples
    max_shards = with_overhead // (64 * MIB)
    min_shards = with_overhead // GIB
    if min_shards <= 1024 <= max_shards and examples >= 1024:
        return 1024
    if min_shards > 1024:
        multiple = 2
        while 1024 * multiple < min_shards:
            multiple += 1
        return 1024 * multiple if examples >= 1024 * multiple else examples
    for count in (512, 256, 128, 64, 32, 16, 8, 4, 2):
        if min_shards <= count <= max_shards and examples >= count:
            return count
    return 1


def test_shard_count_is_that_of_tfds() -> None:
    rng = random.Random(0)
    seen = set()
    for _ in range(20_000):
        examples = int(2 ** rng.uniform(0, 24))
        # Evenly over the magnitudes, half of them within a few bytes of a border.
        total = int(2 ** rng.uniform(0, 45))
        if rng.random() < 0.5:
            border = rng.choice([64 * MIB, GIB]) * int(2 ** rng.uniform(0, 12))
            total = max(0, border - 16 * examples + rng.randint(-2, 2))
        expected = tfds_shard_count(total, examples)
        assert shard_count(total, examples) == expected, (total, examples)
        seen.add(expected)
    assert seen > {2**n for n in range(13)}  # every rule was met


@pytest.mark.parametrize(
    ("total", "examples", "count"),
    [
        pytest.param(1_470_000_000, 12_811, 16, id="1pct"),
        pytest.param(14_700_000_000, 128_116, 128, id="10pct"),
        pytest.param(6_710_000_000, 50_000, 64, id="validation"),
        pytest.param(0, 1, 1, id="nothing"),
        pytest.param(128 * MIB - 17, 1, 1, id="one-example"),
        pytest.param(128 * MIB - 33, 2, 1, id="a-byte-less-than-two-shards"),
        pytest.param(128 * MIB - 32, 2, 2, id="two-shards-with-their-framing"),
        pytest.param(300 * GIB, 300, 1, id="fewer-examples-than-shards"),
        pytest.param(300 * GIB, 512, 512, id="as-many-examples-as-shards"),
        pytest.param(64 * GIB, 1023, 512, id="too-few-for-1024"),
        pytest.param(TIB, 1 << 20, 1024, id="1-tib"),
        pytest.param(TIB + GIB, 1 << 20, 2048, id="above-1-tib"),
        pytest.param(2 * TIB + GIB, 1 << 20, 3072, id="above-2-tib"),
        pytest.param(2 * TIB, 2000, 2000, id="where-tfds-counts-for-ever"),
    ],
)
def test_shard_count(total: int, examples: int, count: int) -> None:
    assert shard_count(total, examples) == count


def lengths(ends: Sequence[int]) -> list[int]:
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("examples", "shards", "expected"),
    [
        pytest.param(10, 4, [2, 5, 8, 10], id="halves-to-even"),  # 2.5 and 7.5
        pytest.param(6, 4, [2, 3, 4, 6], id="halves-to-even-again"),  # 1.5 and 4.5
        pytest.param(7, 1, [7], id="one-shard"),
        pytest.param(3, 3, [1, 2, 3], id="one-each"),
        pytest.param(0, 1, [0], id="nothing"),
    ],
)
def test_shard_ends(examples: int, shards: int, expected: list[int]) -> None:
    assert shard_ends(examples, shards) == expected


def test_shard_lengths_are_those_tfds_gives_the_published_splits() -> None:
    of_1pct = "801 800 801 801 800 801 801 801 800 801 801 800 801 801 800 801"
    assert lengths(shard_ends(12_811, 16)) == [int(n) for n in of_1pct.split()]
    assert lengths(shard_ends(50_000, 64))[:6] == [781, 781, 782, 781, 781, 782]
    assert set(lengths(shard_ends(128_116, 128))) == {1000, 1001}


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 10**7), st.integers(1, 5000))
def test_shards_differ_by_one_and_leave_nothing_out(examples: int, shards: int) -> None:
    ends = shard_ends(examples, shards)
    each = lengths(ends)
    assert (len(ends), ends[-1], sum(each)) == (shards, examples, examples)
    assert 0 <= min(each) <= max(each) <= min(each) + 1


# --- A split's plan -------------------------------------------------------------------

Rows = list[tuple[str, int, int]]  # name, offset, size


def archive_of(uri: str = "/data/train.tar", layer: int = 0) -> Archive:
    return Archive("train", FileInfo(uri, 10**9, "1"), "tar", layer)


def selected(
    name: str, rows: Rows, archive: Archive, position: int = 0, total: int = 1
) -> SelectedTable:
    members = member_rows(*(zip(*rows, strict=True) if rows else [(), (), ()]))
    container = Container(name, 10**6 * position, 10**6, position, total)
    table = MemberTable(archive, container, members)
    batch = MemberBatch.of(archive, [table])
    return select_members(batch, None, Selection(LabelByContainer(WNIDS)))


# Offsets follow neither the names nor their order.
ROWS: dict[str, Rows] = {
    wnid: [
        (f"{wnid}_{i}.JPEG", 1_000_000 * w + 1024 * (i * 7 % 10), 100 + i)
        for i in range(10)
    ]
    for w, wnid in enumerate(reversed(WNIDS))
}
TABLES = [
    selected(wnid, rows, archive_of(), position, 3)
    for position, (wnid, rows) in enumerate(ROWS.items())
]
NAMES = [name for rows in ROWS.values() for name, _, _ in rows]
ORDERED = sorted(NAMES, key=lambda name: hashlib.md5(b"train" + name.encode()).digest())


def subset_of(*names: str) -> SubsetList:
    return SubsetList(names, "/data/list.txt", 1)


def names_of(shards: Sequence[ShardSpec]) -> list[str]:
    return [name for shard in shards for name in shard.members["name"].to_pylist()]


def test_shards_hold_every_member_in_order() -> None:
    plan = plan_split("train", TABLES, SplitOptions(num_shards=4))
    places = {
        name: ("", offset, size, "", WNIDS.index(wnid), [])
        for wnid, rows in ROWS.items()
        for name, offset, size in rows
    }
    rows = [(0, name, *places[name]) for name in ORDERED]
    borders = [0, 8, 15, 22, 30]  # 7.5 and 22.5 are rounded to even
    assert plan.shards == tuple(
        ShardSpec(
            "train",
            i,
            4,
            (archive_of(),),
            pa.table(
                list(zip(*rows[borders[i] : borders[i + 1]], strict=True)),
                schema=SHARD_SCHEMA,
            ),
            counts=SplitCounts(members=30),
            split_members=30,
        )
        for i in range(4)
    )
    assert (plan.examples, plan.missing, plan.first_missing) == (30, 0, ())


def test_shard_carries_its_own_rows_alone() -> None:
    rows = [(f"n01_{i:06d}.JPEG", 1024 * i, 9) for i in range(2000)]
    table = selected("n01", rows, archive_of())
    plan = plan_split("train", [table], SplitOptions(num_shards=100))
    # A pickled slice would carry all 2000 rows.
    assert max(len(pickle.dumps(shard)) for shard in plan.shards) < 5000


@settings(deadline=None, max_examples=30)
@given(st.permutations(TABLES), st.integers(1, 30))
def test_plan_does_not_depend_on_the_order_of_tables(
    tables: list[SelectedTable], shards: int
) -> None:
    options = SplitOptions(num_shards=shards)
    assert plan_split("train", tables, options) == plan_split("train", TABLES, options)


def test_sizes_decide_the_number_of_shards() -> None:
    rows = [(f"n01_{i}.JPEG", i * GIB, 33 * MIB) for i in range(8)]
    table = selected("n01", rows, archive_of())
    assert len(plan_split("train", [table], SplitOptions()).shards) == 4


def test_more_shards_than_examples_are_refused() -> None:
    assert len(plan_split("train", TABLES, SplitOptions(num_shards=30)).shards) == 30
    with pytest.raises(ConfigError) as caught:
        plan_split("train", TABLES, SplitOptions(num_shards=1031))
    assert str(caught.value) == (
        "num_shards.train=1,031: the split has only 30 examples. Ask for as many "
        "shards or fewer."
    )


def file_sizes(sizes: Sequence[int], files: int) -> list[int]:
    """Returns the bytes of each file when a shard is cut into so many."""
    cuts = [0, *shard_ends(len(sizes), files)]
    return [sum(sizes[a:b]) for a, b in itertools.pairwise(cuts)]


@example([2, 1, 2], 2)  # halving is not enough
@example([1, 2, 2, 1], 3)  # two files would fit, by luck, and three would not
@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 200))
def test_no_file_is_larger_than_allowed(sizes: list[int], most: int) -> None:
    needed = files_needed(np.array(sizes), most)
    assert (needed is None) == (max(sizes) > most)
    # As many as another shard needs are right too.
    for files in range(needed, len(sizes) + 1) if needed else ():
        assert max(file_sizes(sizes, files)) <= most


@pytest.mark.parametrize(
    ("most", "files"),
    [(80, 1), (79, 2), (40, 2), (39, 3), (30, 3), (29, 4), (10, 8), (9, None)],
)
def test_files_are_as_few_as_the_size_allows(most: int, files: int | None) -> None:
    assert files_needed(np.full(8, 10), most) == files


def test_a_shard_is_cut_into_files_of_formats_with_a_limit() -> None:
    rows = [(f"n01_{i:02d}.JPEG", i * MIB, 900_000) for i in range(8)]
    table = selected("n01", rows, archive_of())
    options = SplitOptions(
        num_shards=2, max_file_bytes={"parquet": 2_500_000, "webdataset": 4_000_000}
    )
    shards = plan_split("train", [table], options).shards
    assert [shard.files for shard in shards] == [{"parquet": 2, "webdataset": 1}] * 2


def test_a_limit_that_no_record_fits_is_refused() -> None:
    rows = [("n01_0.JPEG", 0, 10), ("n01_1.JPEG", 512, 900_000)]
    table = selected("n01", rows, archive_of())
    options = SplitOptions(max_file_bytes={"webdataset": 900_000})
    with pytest.raises(ConfigError) as caught:
        plan_split("train", [table], options)
    assert str(caught.value) == (
        "max_file_bytes webdataset=900,000 is too little: a file with no more than "
        "n01_1.JPEG may take 920,510 bytes. Allow twice that, or more."
    )


def test_a_limit_that_leaves_empty_files_is_refused() -> None:
    # Two of 2 + 1 records do not fit into a file, and the second shard has only one.
    rows = [(f"n01_{i}.JPEG", i * MIB, 900_000) for i in range(3)]
    table = selected("n01", rows, archive_of())
    options = SplitOptions(num_shards=2, max_file_bytes={"webdataset": 1_000_000})
    with pytest.raises(ConfigError, match=r"^max_file_bytes webdataset=1,000,000 is "):
        plan_split("train", [table], options)
    assert plan_split("train", [table], replace(options, num_shards=3)).examples == 3


def test_of_equal_records_the_first_is_named_whatever_arrives_first() -> None:
    sizes = {"a": [5, 7], "b": [7, 7], "c": [7]}
    measured = [
        measure_files(
            shard,
            pa.table({"name": [f"{name}{i}" for i in range(len(own))], "size": own}),
            "webdataset",
            20_000,
        )
        for shard, (name, own) in enumerate(sizes.items())
    ]
    for order in itertools.permutations(measured):
        with pytest.raises(ConfigError, match="a file with no more than a1 may take"):
            files_per_shard(order, {"webdataset": 20_000})


def test_images_of_a_higher_layer_replace_those_of_their_name() -> None:
    base = archive_of("/data/z.tar")
    patch = archive_of("/data/a.tar", layer=1)
    tables = [
        selected("n01", [("a", 512, 1), ("b", 1024, 2)], base, 0, 2),
        selected("n02", [("c", 9512, 3)], base, 1, 2),
        selected("n02", [("b", 77, 20)], patch),
    ]
    plans = [
        plan_split("train", order, SplitOptions()) for order in (tables, tables[::-1])
    ]
    assert plans[0] == plans[1]
    (shard,) = plans[0].shards
    assert shard.archives == (base, patch)
    assert sorted(tuple(row.values()) for row in shard.members.to_pylist()) == [
        (0, "a", "", 512, 1, "", 0, []),
        (0, "c", "", 9512, 3, "", 1, []),
        (1, "b", "", 77, 20, "", 1, []),
    ]


def test_images_of_an_overlay_that_replace_none_are_refused() -> None:
    base, patch = archive_of("/data/z.tar"), archive_of("/data/a.tar", layer=1)
    tables = [
        selected("n01", [("a", 512, 1), ("d", 1024, 2)], base),
        selected("n02", [("a", 77, 20), ("b", 99, 1), ("c", 5, 1)], patch),
    ]
    with pytest.raises(ArchiveError) as caught:
        plan_split("train", tables, SplitOptions())
    assert str(caught.value) == (
        "2 images that should replace others of the train split replace none: b, c. b "
        "begins at byte 99 of /data/a.tar, and /data/z.tar has no image of that name. "
        "Is it the right overlay?"
    )


def test_labels_of_a_list_agree_with_those_of_its_images() -> None:
    right = [WNIDS.index(name.partition("_")[0]) for name in NAMES]
    for labels in (right, [None, *right[1:]]):
        subset = replace(subset_of(*NAMES), labels=tuple(labels))
        assert plan_split("train", TABLES, SplitOptions(subset=subset)).examples == 30
    wrong = [label + (i % 4 == 0) for i, label in enumerate(right)]
    subset = replace(subset_of(*NAMES), labels=tuple(wrong))
    shown = [f"{NAMES[i]} {wrong[i]} instead of {right[i]}" for i in range(0, 20, 4)]
    for allow_missing in (False, True):
        options = SplitOptions(subset=subset, allow_missing=allow_missing)
        with pytest.raises(SubsetError) as caught:
            plan_split("train", TABLES, options, 3)
        assert str(caught.value) == (
            "/data/list.txt gives 8 of the 30 images that it names another label than "
            f"their class has: {', '.join(shown)} and 3 more. Say "
            "splits.train.labels=list, and the list decides, or take a list without "
            "labels."
        )


@pytest.mark.parametrize(
    ("listed", "hint"),
    [
        ("n01_0.JPEG", ""),
        (
            "n01_0.jpeg",
            " n01_0.jpeg ends in .jpeg, and names in the archive end in .JPEG, as "
            "n03_0.JPEG does: write them as they are there.",
        ),
        (
            "n01_0",
            " n01_0 has no extension, and names in the archive end in .JPEG, as "
            "n03_0.JPEG does: write them as they are there.",
        ),
    ],
)
@pytest.mark.parametrize("empty", [False, True], ids=["some", "none"])
def test_names_that_are_spelled_otherwise_are_told(
    listed: str, hint: str, empty: bool
) -> None:
    there = [] if empty else ["n02_3.JPEG"]
    tables = []
    for table in TABLES:
        kept = pc.is_in(table.members["name"], value_set=pa.array(there, pa.string()))
        tables.append(table.filter(kept.to_numpy()))
    options = SplitOptions(subset=subset_of(listed, *there))
    with pytest.raises(SubsetError) as caught:
        plan_split("train", tables, options)
    assert str(caught.value) == (
        "/data/list.txt selects nothing: /data/train.tar has none of its 1 names, such "
        f"as {listed}.{hint}"
        if empty
        else "/data/train.tar lacks 1 of the 2 images that /data/list.txt names: "
        f"{listed}.{hint} Get the whole archive, or pass --allow_missing to build "
        "without them."
    )


@pytest.mark.parametrize("layer", [0, 1], ids=["base", "overlay"])
def test_an_image_that_occurs_twice_is_named_with_both_places(layer: int) -> None:
    other = archive_of("/data/other.tar", layer)
    tables = [
        *TABLES,
        selected("n01", [("n01_x.JPEG", 512, 1), ("n01_y.JPEG", 9, 1)], other, 0, 2),
        selected("n02", [("n01_x.JPEG", 7_654_321, 1)], other, 1, 2),
    ]
    with pytest.raises(ArchiveError) as caught:
        plan_split("train", tables, SplitOptions())
    assert str(caught.value) == (
        "1 images of the train split occur twice: n01_x.JPEG. n01_x.JPEG begins at "
        "byte 512 of /data/other.tar and byte 7,654,321 of /data/other.tar. Remove "
        "one of each."
    )


def test_an_image_that_occurs_twice_under_an_overlay_is_refused() -> None:
    tables = [
        selected("n01", [("a", 512, 1)], archive_of(), 0, 2),
        selected("n02", [("a", 1024, 1)], archive_of(), 1, 2),
        selected("n01", [("a", 77, 1)], archive_of("/data/patch.tar", 1)),
    ]
    with pytest.raises(ArchiveError, match=r"^1 images of the train split occur twice"):
        plan_split("train", tables, SplitOptions())


@pytest.mark.parametrize(
    ("tables", "arrived"),
    [
        (TABLES[:2], "2 tables of 2 containers"),
        ([*TABLES, TABLES[1]], "4 tables of 3 containers"),
        ([TABLES[0], TABLES[1], TABLES[1]], "3 tables of 2 containers"),
    ],
    ids=["lost", "repeated", "both"],
)
def test_lost_and_repeated_tables_are_noticed(
    tables: list[SelectedTable], arrived: str
) -> None:
    whole = selected("n01", [("a", 512, 1)], archive_of("/data/other.tar"))
    with pytest.raises(BuildError) as caught:
        plan_split("train", [whole, *tables], SplitOptions())
    assert str(caught.value).startswith(
        f"{arrived} arrived to be planned, of the 3 that /data/train.tar has."
    )


def test_a_complete_subset_has_nothing_missing() -> None:
    options = SplitOptions(subset=subset_of(*NAMES))
    assert plan_split("train", TABLES, options).missing == 0


def test_missing_names_are_refused_unless_allowed() -> None:
    absent = [f"n01_{i}.JPEG" for i in range(99, 92, -1)]
    options = SplitOptions(subset=subset_of(absent[0], *NAMES, *absent[1:]))
    with pytest.raises(SubsetError) as caught:
        plan_split("train", TABLES, options)
    assert str(caught.value) == (
        "/data/train.tar lacks 7 of the 37 images that /data/list.txt names: "
        "n01_99.JPEG, n01_98.JPEG, n01_97.JPEG, n01_96.JPEG, n01_95.JPEG and 2 more. "
        "Get the whole archive, or pass --allow_missing to build without them."
    )
    plan = plan_split("train", TABLES, replace(options, allow_missing=True))
    assert (plan.missing, plan.first_missing) == (7, tuple(absent[:5]))
    assert (plan.examples, names_of(plan.shards)) == (30, ORDERED)


@pytest.mark.parametrize("allow_missing", [False, True])
def test_a_subset_that_selects_nothing_is_refused(allow_missing: bool) -> None:
    tables = [selected(WNIDS[i], [], archive_of(), i, 2) for i in range(2)]
    options = SplitOptions(subset=subset_of("x", "y"), allow_missing=allow_missing)
    with pytest.raises(SubsetError) as caught:
        plan_split("train", tables, options)
    assert str(caught.value) == (
        "/data/list.txt selects nothing: /data/train.tar has none of its 2 names, "
        "such as x, y."
    )


def test_an_archive_without_images_is_refused() -> None:
    with pytest.raises(ArchiveError) as caught:
        plan_split("train", [selected("n01", [], archive_of())], SplitOptions())
    assert str(caught.value) == "/data/train.tar holds no image for the train split."


def test_max_examples_keeps_the_first_in_archive_order() -> None:
    by_offset = sorted(
        (offset, name) for rows in ROWS.values() for name, offset, _ in rows
    )
    kept = {name for _, name in by_offset[:12]}
    plan = plan_split("train", TABLES, SplitOptions(max_examples=12, num_shards=2))
    assert names_of(plan.shards) == [name for name in ORDERED if name in kept]
    assert [shard.members.num_rows for shard in plan.shards] == [6, 6]
    assert plan.examples == 12


def test_max_examples_counts_base_archives_before_overlays() -> None:
    tables = [
        selected("n01", [("p", 0, 1)], archive_of("/data/a.tar", layer=1)),
        selected(
            *("n01", [("z", 5000, 1), ("p", 7000, 1), ("b", 9000, 1)]),
            archive_of("/data/z.tar"),
        ),
    ]
    plan = plan_split("train", tables, SplitOptions(max_examples=2))
    assert sorted(names_of(plan.shards)) == ["b", "z"]


def test_max_examples_beyond_all_keeps_all() -> None:
    plan = plan_split("train", TABLES, SplitOptions(max_examples=31))
    assert names_of(plan.shards) == ORDERED
