"""The saved index: what is read back, when it is not used, and the step around it."""

import hashlib
import io
import json
import logging
import os
import pickle
import random
import shutil
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from beam_pipeline.demo import TRAIN_ARCHIVE, VALIDATION_ARCHIVE
from beam_pipeline.engines.runners import make_options, make_pipeline
from tests.helpers.archives import nested_tar, tar
from tests.helpers.plans import member_rows
from transforms import storage
from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    MemberBatch,
    MemberTable,
    Skipped,
    batch_containers,
)
from transforms.archives.forms import find_containers, walk_containers
from transforms.archives.index import (
    encode_index,
    index_path,
    open_index,
    read_index,
    write_index,
)
from transforms.archives.index_proof import HeaderDraw
from transforms.archives.steps import IndexArchives
from transforms.archives.tar.end import USUAL_END, TarEnd
from transforms.errors import ArchiveError, StorageError
from transforms.storage.backend import FileInfo

_DIRECTORY = TemporaryDirectory()  # while the tests run


def write_archive(content: bytes) -> FileInfo:
    """Writes an archive whose time is always the same."""
    path = Path(_DIRECTORY.name, "train.tar")
    path.write_bytes(content)
    os.utime(path, ns=(12345, 12345))
    return storage.file_info(str(path))


CONTENT = random.Random(0).randbytes(9000)
ARCHIVE = Archive("train", write_archive(CONTENT), "tar")


def member_table(
    container: Container,
    rows: list[tuple[str, int, int]],
    skipped: Skipped,
    end: TarEnd = USUAL_END,
) -> MemberTable:
    members = member_rows(*(zip(*rows, strict=True) if rows else [(), (), ()]))
    return MemberTable(ARCHIVE, container, members, skipped, end)


TABLES = [
    member_table(
        Container("n02", 512, 3000, 0, 3, TarEnd(zeros=70_000)),
        [("n02_9.JPEG", 1024, 7), ("ü.JPEG", 2048, 0)],
        Skipped(1, 2, 3),
    ),
    member_table(
        Container("n01", 4096, 1024, 1, 3),
        [],
        Skipped(links=4),
        TarEnd(unmarked=1),
    ),
    member_table(
        Container("n03", 6000, 2500, 2, 3),
        [(f"n03_{i}.JPEG", 6512 + i, i) for i in range(40)],
        Skipped(),
    ),
]
CONTAINERS = tuple(table.container for table in TABLES)


def collect(elements: list[Any], transform: beam.PTransform) -> list[Any]:
    """Returns what a transform makes of a list, on the engine of local builds."""
    # A bare list would go to DirectRunner, which looks for another runner first.
    transform.pipeline = make_pipeline(make_options([]))
    collected = elements | transform
    assert isinstance(collected, list)
    return collected


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Returns the path of a saved index of ``TABLES``."""
    index = index_path(replace(ARCHIVE, index_dir=str(tmp_path / "a" / "b")))
    write_index(index, ARCHIVE, TABLES)
    return index


def batch_of(*tables: MemberTable) -> MemberBatch:
    return MemberBatch.of(tables[0].archive, tables)


def read_all(path: str) -> list[MemberTable]:
    return [*read_index(path, ARCHIVE, range(3)).tables()]


def test_tables_come_back_as_they_were_saved(path: str) -> None:
    assert open_index(path, ARCHIVE) == CONTAINERS
    assert read_all(path) == TABLES
    for table in read_all(path):
        assert table.members.schema == MEMBER_SCHEMA


def test_some_containers_are_read_alone(path: str) -> None:
    assert read_index(path, ARCHIVE, range(1, 3)) == batch_of(*TABLES[1:])
    assert read_index(path, ARCHIVE, range(1)) == batch_of(TABLES[0])


def test_the_footer_is_read_once_until_the_index_is_another(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []
    read = pq.read_metadata
    monkeypatch.setattr(pq, "read_metadata", lambda s: parsed.append(s) or read(s))
    for row in range(3):
        found = read_index(path, ARCHIVE, range(row, row + 1))
        assert found == batch_of(TABLES[row])
    assert len(parsed) == 1
    write_index(path, ARCHIVE, TABLES[:1])
    with pytest.raises(StorageError):
        read_index(path, replace(ARCHIVE, form="zip"), range(1))
    assert read_index(path, ARCHIVE, range(1)) == batch_of(TABLES[0])
    assert len(parsed) == 3


def test_what_is_read_carries_its_own_rows_alone(tmp_path: Path) -> None:
    tables = [
        member_table(
            Container(f"n{i:02d}", 100 * i, 100, i, 50),
            [(f"n{i:02d}_{j}.JPEG", 100 * i, 0) for j in range(100)],
            Skipped(),
        )
        for i in range(50)
    ]
    path = str(tmp_path / "index.parquet")
    write_index(path, ARCHIVE, tables)
    read = read_index(path, ARCHIVE, range(10))
    assert read == batch_of(*tables[:10])
    assert len(pickle.dumps(read)) < 1.2 * len(pickle.dumps(batch_of(*tables[:10])))


def test_an_index_is_the_same_bytes_in_memory(path: str) -> None:
    data = encode_index(ARCHIVE, iter(TABLES), prove=True)
    assert Path(path).read_bytes() == data
    part = encode_index(ARCHIVE, iter(TABLES))
    assert read_index(io.BytesIO(part), ARCHIVE, range(3)) == batch_of(*TABLES)
    assert read_index(io.BytesIO(data), ARCHIVE, range(3)) == batch_of(*TABLES)


def test_an_archive_without_any_image_is_saved(tmp_path: Path) -> None:
    index = str(tmp_path / "empty.parquet")
    write_archive(CONTENT)
    alone = replace(CONTAINERS[1], position=0, total=1)
    table = replace(TABLES[1], container=alone)
    write_index(index, ARCHIVE, [table])
    assert open_index(index, ARCHIVE) == (alone,)
    assert read_index(index, ARCHIVE, range(1)) == batch_of(table)


def test_the_index_of_each_path_has_a_name_of_its_own() -> None:
    here = replace(ARCHIVE, file=replace(ARCHIVE.file, uri="/data/train.tar"))
    elsewhere = replace(ARCHIVE, file=replace(ARCHIVE.file, uri="/old/train.tar"))
    assert [
        index_path(replace(here, index_dir="/index")),
        index_path(replace(elsewhere, index_dir="/index/")),
    ] == [
        "/index/train.tar-eb85a3a417ad.parquet",
        "/index/train.tar-8d06b9799526.parquet",
    ]


def test_no_index_is_no_containers(tmp_path: Path) -> None:
    assert open_index(str(tmp_path / "none.parquet"), ARCHIVE) is None


def warning_of(path: str, archive: Archive, caplog: pytest.LogCaptureFixture) -> str:
    """Returns what the log says of an index that is not used."""
    caplog.clear()
    assert open_index(path, archive) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said, _, reason = record.getMessage().partition(" is not used, but made again: ")
    assert said == f"Index {path}"
    return reason


@pytest.mark.parametrize(
    "now",
    [
        replace(ARCHIVE, file=replace(ARCHIVE.file, size=9001)),
        replace(ARCHIVE, file=replace(ARCHIVE.file, generation="12346")),
        replace(ARCHIVE, form="zip"),
    ],
    ids=["size", "generation", "layout"],
)
def test_a_stale_index_is_not_used(
    now: Archive, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert warning_of(path, now, caplog) == "the archive has changed since"
    with pytest.raises(StorageError) as caught:
        read_index(path, now, range(3))
    assert str(caught.value) == (
        f"Can't read the saved index {path}: the archive has changed since. Remove it "
        "and rerun."
    )


def seal(path: str) -> None:
    """Makes the checksum beside a doctored index right again."""
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    Path(f"{path}.sha256").write_text(digest)


def rewrite_footer(path: str, changes: dict[str, Any]) -> None:
    table = pq.read_table(path)
    saved = pq.read_metadata(path).metadata[b"archive_index"]
    changed = {b"archive_index": json.dumps(json.loads(saved) | changes).encode()}
    pq.write_table(table.replace_schema_metadata(changed), path)
    seal(path)


def test_an_index_of_another_format_is_not_used(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite_footer(path, {"format": 1})  # which knew of no links, ends and headers
    assert warning_of(path, ARCHIVE, caplog) == "it was written by another version"


def test_an_index_with_other_row_groups_is_not_used(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite_footer(path, {})  # which makes one group of them all
    reason = "its row groups do not match its list of containers"
    assert warning_of(path, ARCHIVE, caplog) == reason


@pytest.mark.parametrize(
    "tables",
    [TABLES[:2], TABLES[1:], TABLES[::-1], [TABLES[0], TABLES[0], TABLES[2]]],
    ids=["last", "first", "order", "twice"],
)
def test_an_index_without_every_container_is_not_used(
    tables: list[MemberTable], path: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_index(path, ARCHIVE, tables)
    reason = "it does not list every container"
    assert warning_of(path, ARCHIVE, caplog) == reason


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"not a Parquet file, but long enough to be one"],
    ids=["empty", "magic", "other"],
)
def test_a_file_that_is_no_index_is_not_used(
    content: bytes, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(path).write_bytes(content)
    seal(path)
    assert "Parquet" in warning_of(path, ARCHIVE, caplog)


def test_a_parquet_file_without_our_footer_is_not_used(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    pq.write_table(pa.table({"name": ["a"]}), path)
    seal(path)
    assert warning_of(path, ARCHIVE, caplog) == "b'archive_index'"


@pytest.mark.parametrize("flip", [0x01, 0x80], ids=["low-bit", "high-bit"])
def test_a_damaged_index_is_not_used(
    flip: int, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Path(path).read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= flip
        Path(path).write_bytes(damaged)
        assert warning_of(path, ARCHIVE, caplog) == "its checksum is wrong"


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_index_is_not_used(
    share: float, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: int(len(whole) * share)])
    assert warning_of(path, ARCHIVE, caplog) == "its checksum is wrong"


def test_an_index_without_a_checksum_is_not_used(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(f"{path}.sha256").unlink()
    assert warning_of(path, ARCHIVE, caplog).startswith(f"Can't read {path}.sha256.")


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(edits=st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=3))
@example(edits=[(31, 128)])  # a name that is no text
def test_an_index_that_was_tampered_with_is_refused_or_lists_what_lies_within(
    edits: list[tuple[int, int]], path: str
) -> None:
    write_index(path, ARCHIVE, TABLES)
    data = bytearray(Path(path).read_bytes())
    for place, flip in edits:
        data[place % len(data)] ^= flip
    Path(path).write_bytes(data)
    seal(path)
    containers = open_index(path, ARCHIVE)
    if containers is None:
        return
    with suppress(StorageError):
        for table in read_index(path, ARCHIVE, range(len(containers))).tables():
            for row in table.members.to_pylist():
                start, end = row["offset"], row["offset"] + row["size"]
                container = table.container
                assert container.offset <= start <= end
                assert end <= container.offset + container.size <= ARCHIVE.file.size


FOOTER = {"format": 4, "size": 9000, "generation": "12345", "form": "tar"}
FOOTER |= {"headers": [0], "headers_sha256": sha256(CONTENT[:512]).hexdigest()}


@pytest.mark.parametrize(
    "containers",
    [
        5,
        [5],
        ["abcdefghijklmnop"],
        [{}],
        [["a", "", "", "b", "c", 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", "", "", -512, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", "", "", 512, 9000, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", "", "", 0, 1e400, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", "", "", 0, 512, 0, 1, 0, 0, 0, -1, 0, 0, 0, 0, 0]],
        [["a", "", "", 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, -1, 0]],
        [["a", "", "", 0, 512, 0, True, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", "", "", 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", "", "", 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [[7, "", "", 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", 7, "", 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
        [["a", "", 7, 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ],
)
def test_an_index_of_containers_that_cannot_be_is_not_used(
    containers: object, path: str
) -> None:
    write_footer(path, json.dumps(FOOTER | {"containers": containers}))
    assert open_index(path, ARCHIVE) is None


def test_an_index_of_a_container_that_can_be_is_used(path: str) -> None:
    entry = ["a", "", "b/a", 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    write_footer(path, json.dumps(FOOTER | {"containers": [entry]}))
    expected = Container("a", 0, 512, 0, 1, folder="b/a")
    assert open_index(path, ARCHIVE) == (expected,)


@pytest.mark.parametrize(
    "places", [[], None, "0", [0.0], [True], [-1], [8489], [[0]], {}]
)
def test_an_index_of_headers_that_cannot_be_is_not_used(
    places: object, path: str
) -> None:
    entry = ["a", "", "b/a", 0, 512, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    write_footer(path, json.dumps(FOOTER | {"containers": [entry], "headers": places}))
    assert open_index(path, ARCHIVE) is None


@pytest.mark.parametrize("footer", ["[" * 100_000, "[]", "null", "1" * 5000, b"\xff"])
def test_a_footer_of_another_shape_is_not_used(footer: str | bytes, path: str) -> None:
    write_footer(path, footer)
    assert open_index(path, ARCHIVE) is None


def write_footer(path: str, footer: str | bytes) -> None:
    with pq.ParquetWriter(path, MEMBER_SCHEMA) as writer:
        writer.write_table(MEMBER_SCHEMA.empty_table())
        writer.add_key_value_metadata({"archive_index": footer})
    seal(path)


@pytest.mark.parametrize(
    ("offset", "size"),
    [(511, 1), (512, 1025), (1024, -1), (600, (1 << 63) - 1), (-(1 << 63), 1)],
)
def test_members_outside_of_their_tar_are_refused(
    offset: int, size: int, path: str
) -> None:
    container = Container("a", 512, 1024, 0, 1)
    table = member_table(container, [("x", 600, 5), ("y", offset, size)], Skipped())
    write_index(path, ARCHIVE, [table])
    with pytest.raises(StorageError) as caught:
        read_index(path, ARCHIVE, range(1))
    assert str(caught.value) == (
        f"Can't read the saved index {path}: it lists members outside of their "
        "container. Remove it and rerun."
    )


# --- IndexArchives --------------------------------------------------------------------


def test_a_file_of_several_splits_is_listed_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "all.tar"
    names = ["n01440764_1.JPEG", "ILSVRC2012_val_00000001.JPEG", "n01440764_2.JPEG"]
    data = tar([(name, b"image") for name in names])
    # Without its end, which is remarked whenever a tar is walked.
    path.write_bytes(data[: 3 * 1024])
    file = storage.file_info(str(path))
    archives = [
        Archive(split, file, "tar", names=pattern, index_dir=str(tmp_path / "index"))
        for split, pattern in (("train", "n*"), ("validation", "I*"), ("other", "x*"))
    ]
    for _ in range(2):  # walked, and by its index
        caplog.clear()
        tables = collect(archives, IndexArchives())
        assert sorted(
            (table.archive.split, table.members["name"].to_pylist()) for table in tables
        ) == [("other", []), ("train", names[::2]), ("validation", names[1:2])]
        assert {table.archive for table in tables} == set(archives)
        remarks = [m for m in caplog.messages if "without end-of-archive" in m]
        assert len(remarks) == 1
    assert len(list((tmp_path / "index").glob("*.parquet"))) == 1


def by_place(batches: list[MemberBatch]) -> list[MemberTable]:
    tables = [table for batch in batches for table in batch.tables()]
    return sorted(tables, key=lambda t: (t.archive.split, t.container.offset))


def test_the_second_run_takes_its_tables_from_the_saved_index(
    small_archives: Path, tmp_path: Path
) -> None:
    archives = []
    index_dir = tmp_path / "index"
    for name in (TRAIN_ARCHIVE, VALIDATION_ARCHIVE):
        shutil.copy(small_archives / name, tmp_path / name)
        file = storage.file_info(str(tmp_path / name))
        split = {TRAIN_ARCHIVE: "train", VALIDATION_ARCHIVE: "validation"}[name]
        archives.append(Archive(split, file, "tar", index_dir=str(index_dir)))
    expected = by_place(
        [
            MemberBatch.of(archive, walk_containers(batch))
            for archive in archives
            for batch in batch_containers(archive, find_containers(archive), None)
        ]
    )
    assert [table.members.num_rows for table in expected] == [12, 12, 12, 20]

    assert by_place(collect(archives, IndexArchives())) == expected
    saved = [index_path(archive) for archive in archives]
    assert sorted(map(str, index_dir.iterdir())) == sorted(
        [*saved, *(f"{path}.sha256" for path in saved)]
    )

    # No archive is walked: every other header is spoiled, and nobody sees it.
    for path, archive in zip(saved, archives, strict=True):
        drawn = json.loads(pq.read_metadata(path).metadata[b"archive_index"])["headers"]
        data = bytearray(Path(archive.file.uri).read_bytes())
        spoiled = 0
        for table in expected:
            if table.archive == archive:
                for offset in table.members["offset"].to_pylist():
                    if offset - 512 not in drawn:
                        data[offset - 512 : offset] = bytes(512)
                        spoiled += 1
        assert spoiled
        rewrite(archive, data)
    assert by_place(collect(archives, IndexArchives())) == expected


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Returns our own part of the log."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("transforms.")
    ]


def rewrite(archive: Archive, data: bytes) -> None:
    """Replaces an archive by another that looks the same from afar."""
    assert len(data) == archive.file.size
    Path(archive.file.uri).write_bytes(data)
    modified = int(archive.file.generation)
    os.utime(archive.file.uri, ns=(modified, modified))
    assert storage.file_info(archive.file.uri) == archive.file


def test_an_archive_replaced_by_one_of_the_same_length_and_time_is_walked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "train.tar"
    classes = {
        f"n{number:02d}": [(f"n{number:02d}_{i}.JPEG", b"x" * i) for i in range(30)]
        for number in range(20)
    }
    path.write_bytes(nested_tar(classes))
    index_dir = str(tmp_path / "index")
    archive = Archive("train", storage.file_info(str(path)), "tar", index_dir=index_dir)
    collect([archive], IndexArchives())
    # The same images, in another order in each class.
    rewrite(
        archive, nested_tar({name: images[::-1] for name, images in classes.items()})
    )
    caplog.clear()
    tables = collect([archive], IndexArchives())
    data = path.read_bytes()
    for table in tables:
        for row in table.members.to_pylist():
            number = int(row["name"].removesuffix(".JPEG").partition("_")[2])
            assert row["size"] == number
            assert data[row["offset"] - 512 :].startswith(row["name"].encode())
    assert told(caplog) == [
        f"Index {index_path(archive)} is not used, but made again: the "
        "archive is another one of the same length and time, by its headers"
    ]
    # Of which there is an index now.
    caplog.clear()
    assert by_place(collect([archive], IndexArchives())) == by_place(tables)
    assert told(caplog) == []


def test_headers_are_drawn_from_the_whole_archive_by_hash() -> None:
    draw = HeaderDraw(10_000_000)
    tables = [
        member_table(
            Container(f"n{i}", 100_000 * i, 100_000, i, 50),
            [(f"{j}", 100_000 * i + 1024 + 1000 * j, 5) for j in range(90)],
            Skipped(),
        )
        for i in range(50)
    ]
    for table in tables:
        draw.add(table)
    headers = {
        *(table.container.offset for table in tables),
        *(o - 512 for table in tables for o in table.members["offset"].to_pylist()),
    }
    drawn = draw.places()
    assert len(drawn) == 16
    assert set(drawn) <= headers
    assert drawn[0] < 1_500_000
    assert drawn[-1] > 3_500_000
    again = HeaderDraw(10_000_000)  # the same, however they come
    for table in tables[::-1]:
        again.add(table)
    assert again.places() == drawn


def test_odd_ends_are_told_of_a_walk_and_of_an_index(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "train.tar"
    whole = tar([("a.JPEG", b"1")])
    outer = tar(
        [
            ("n01.tar", whole[:1024]),
            ("n02.tar", whole),
            ("n03.tar", whole + bytes(90_000)),
        ]
    )
    path.write_bytes(outer + bytes(1 << 20))
    archive = Archive(
        "train", storage.file_info(str(path)), "tar", index_dir=str(tmp_path / "index")
    )
    end = TarEnd(zeros=len(outer) + (1 << 20) - 113_152)
    assert end.zeros == 1_058_304
    said = [
        f"{path}: without end-of-archive blocks after the last member: n01.tar. So "
        "ends what was cut off there, by a download that stopped; if it was, images "
        "are missing.",
        f"{path}: more zero bytes at its end than padding takes: 1,058,304 in it, "
        "99,216 in n03.tar. So ends a download that stopped in a file of the full "
        "length; if it did, images are missing.",
    ]
    for _ in range(2):
        caplog.clear()
        tables = by_place(collect([archive], IndexArchives()))
        assert [table.end for table in tables] == [
            TarEnd(unmarked=1),
            TarEnd(),
            TarEnd(zeros=99_216),
        ]
        assert {table.container.outer for table in tables} == {end}
        assert told(caplog) == said


def test_a_stale_index_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "val.tar"
    for names in (["a.JPEG"], ["b.JPEG", "c.JPEG"]):
        path.write_bytes(tar((name, b"") for name in names) + bytes(512 * len(names)))
        archive = Archive("validation", storage.file_info(str(path)), "tar")
        (table,) = collect([archive], IndexArchives())
        assert table.members["name"].to_pylist() == names
        index = index_path(archive)
        assert open_index(index, archive) == find_containers(archive)
        assert read_index(index, archive, range(1)) == table


def test_an_index_of_several_batches_is_saved_in_archive_order(tmp_path: Path) -> None:
    path = tmp_path / "train.tar"
    names = [f"n{number * 77 % 200:03d}" for number in range(200)]
    path.write_bytes(tar((f"{n}.tar", tar([(f"{n}.JPEG", b"")])) for n in names))
    archive = Archive(
        "train", storage.file_info(str(path)), "tar", index_dir=str(tmp_path)
    )
    containers = find_containers(archive)
    assert len(batch_containers(archive, containers, None)) > 1
    collect([archive], IndexArchives())
    index = index_path(archive)
    assert open_index(index, archive) == containers
    saved = [*read_index(index, archive, range(200)).tables()]
    assert [table.container for table in saved] == list(containers)
    assert [t.members["name"].to_pylist() for t in saved] == [
        [f"{name}.JPEG"] for name in names
    ]


def test_an_index_that_cannot_be_kept_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "val.tar"
    path.write_bytes(tar([("a.JPEG", b"")]))
    (tmp_path / "file").write_bytes(b"")
    archive = Archive(
        "validation",
        storage.file_info(str(path)),
        "tar",
        index_dir=str(tmp_path / "file" / "index"),
    )
    (table,) = collect([archive], IndexArchives())
    assert table.members["name"].to_pylist() == ["a.JPEG"]


def test_no_index_is_saved_of_a_damaged_archive(tmp_path: Path) -> None:
    path = tmp_path / "train.tar"
    path.write_bytes(tar([("n01.tar", tar([])), ("n02.tar", b"\1" * 600)]))
    archive = Archive(
        "train", storage.file_info(str(path)), "tar", index_dir=str(tmp_path / "index")
    )
    with pytest.raises(ArchiveError, match=r"\(in n02\.tar\) is damaged"):
        collect([archive], IndexArchives())
    assert not (tmp_path / "index").exists()
