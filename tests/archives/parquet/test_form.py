"""Parquet files as a form of archive: what becomes of their rows."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.helpers.parquet import image_table
from transforms import storage
from transforms.archives.containers import (
    Archive,
    Container,
    ContainerBatch,
    MemberTable,
    Place,
    Skipped,
)
from transforms.archives.forms import FORMS, find_containers, walk_containers
from transforms.archives.reading import open_members
from transforms.errors import ArchiveError, StorageError

PATHS = [
    "n01440764_10026_n01440764.JPEG",
    "ILSVRC2012_val_00000001_n01751748.JPEG",
    "train\\n02119789\\n02119789_7.jpeg",
    "._n01440764_10026.JPEG",
    "other.png",
]
IMAGES = [b"first", b"second" * 20_000, b"", b"leftover", b"last"]


@pytest.fixture(params=["none", "snappy"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    path = tmp_path / "train-00000-of-00001.parquet"
    table = image_table(IMAGES, PATHS)
    pq.write_table(table, path, row_group_size=2, compression=request.param)
    return Archive("train", storage.file_info(str(path)), "parquet")


def walk(archive: Archive) -> MemberTable:
    containers = find_containers(archive)
    assert containers == (Container("", 0, archive.file.size, 0, 1),)
    (table,) = walk_containers(ContainerBatch(archive, 0, containers))
    assert table.container == containers[0]
    return table


def places(table: MemberTable, position: int = 0) -> list[Place]:
    return [
        Place(position, row["file"], row["offset"], row["size"], row["detail"])
        for row in table.members.to_pylist()
    ]


def test_rows_become_members(archive: Archive) -> None:
    table = walk(archive)
    assert table.skipped == Skipped(leftovers=1)
    assert [
        (row["name"], row["class_name"], row["file"], row["size"])
        for row in table.members.to_pylist()
    ] == [
        ("n01440764_10026.JPEG", "n01440764", "", 5),
        ("ILSVRC2012_val_00000001.JPEG", "n01751748", "", 120_000),
        ("n02119789_7.JPEG", "", "", 0),
        ("other.png", "", "", 4),
    ]


def test_members_are_read_in_any_order(archive: Archive) -> None:
    wanted = places(walk(archive), 1)[::-1]
    with open_members([archive, archive]) as members:
        assert list(members.read_all(wanted)) == [b"last", b"", IMAGES[1], b"first"]
        assert members.read(wanted[2]) == IMAGES[1]


def test_a_file_is_recognised_by_its_beginning(archive: Archive) -> None:
    start = Path(archive.file.uri).read_bytes()[:512]
    assert [name for name, form in FORMS.items() if form.begins(start)] == ["parquet"]
    assert not FORMS["parquet"].begins(b"PAR")


def test_a_sample_shows_the_first_paths(archive: Archive) -> None:
    assert FORMS["parquet"].sample(archive) == PATHS[:2]


def test_a_file_that_changed_is_not_read(archive: Archive) -> None:
    path = Path(archive.file.uri)
    path.write_bytes(path.read_bytes() + b".")
    with pytest.raises(StorageError, match="has changed since the build began"):
        walk(archive)


def test_damage_is_found_when_an_image_is_read(tmp_path: Path) -> None:
    path = tmp_path / "images.parquet"
    image = bytes(range(256)) * 500
    options = {"compression": "none", "use_dictionary": False}
    pq.write_table(image_table([image]), path, write_page_checksum=True, **options)
    data = bytearray(path.read_bytes())
    data[50_000] ^= 1
    path.write_bytes(data)
    archive = Archive("train", storage.file_info(str(path)), "parquet")
    (place,) = places(walk(archive))
    with (
        open_members([archive]) as members,
        pytest.raises(ArchiveError) as caught,
    ):
        members.read(place)
    assert str(caught.value).startswith(
        f"{path} is damaged at byte {place.offset}: a page's checksum is "
    )
