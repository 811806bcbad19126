"""Folders of class tars: the images of the tars, each read from a tar as listed."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives.test_folder import contents, tables_of
from tests.helpers.archives import tar
from transforms import storage
from transforms.archives import open_members
from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    Place,
    Skipped,
)
from transforms.archives.index import index_path, open_index, read_index, write_index
from transforms.archives.tar.class_tars import (
    find_class_tars,
    holds_class_tars,
    identify_class_tars,
    sample_class_tars,
    walk_class_tars,
)
from transforms.errors import ArchiveError, StorageError

CLASSES = {
    "n02": [("n02_1.JPEG", b"a" * 700), ("n02_2.JPEG", b"b"), ("notes.txt", b"x")],
    "n01": [("n01/n01_9.JPEG", b"c" * 512), ("n01/n01_3_n00000001.jpg", b"")],
    "n03": [],
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Returns a folder of three class tars, a list and a hidden file."""
    root = tmp_path / "train"
    root.mkdir()
    for name, members in CLASSES.items():
        (root / f"{name}.tar").write_bytes(tar(members))
    (root / "list.txt").write_bytes(b"x")
    (root / "._n01.tar").write_bytes(b"x")
    indexes = str(tmp_path / "index")
    return Archive("train", identify_class_tars(str(root)), "tars", index_dir=indexes)


def change(path: Path, data: bytes) -> None:
    time.sleep(0.02)  # the clock of files moves every 4 ms
    path.write_bytes(data)


def test_every_image_of_every_tar_is_found(archive: Archive) -> None:
    root = Path(archive.file.uri)
    assert find_class_tars(archive) == (
        Container("n01", 0, 10240, 0, 3, file="n01.tar"),
        Container("n02", 0, 10240, 1, 3, file="n02.tar"),
        Container("n03", 0, 10240, 2, 3, file="n03.tar"),
    )
    tables = tables_of(archive)
    details = [f"10240 {(root / f'n0{n}.tar').stat().st_mtime_ns}" for n in (1, 2)]
    assert [table.members.to_pylist() for table in tables] == [
        [
            row("n01_9.JPEG", "", "n01.tar", 512, 512, details[0]),
            row("n01_3_n00000001.jpg", "", "n01.tar", 1536, 0, details[0]),
        ],
        [
            row("n02_1.JPEG", "", "n02.tar", 512, 700, details[1]),
            row("n02_2.JPEG", "", "n02.tar", 2048, 1, details[1]),
        ],
        [],
    ]
    assert [table.skipped for table in tables] == [
        *(Skipped(), Skipped(others=1), Skipped())
    ]
    assert {table.members.schema for table in tables} == {MEMBER_SCHEMA}
    assert contents(archive) == {
        ("n01", "n01_9.JPEG"): b"c" * 512,
        ("n01", "n01_3_n00000001.jpg"): b"",
        ("n02", "n02_1.JPEG"): b"a" * 700,
        ("n02", "n02_2.JPEG"): b"b",
    }


def row(*values: object) -> dict[str, object]:
    return dict(zip(MEMBER_SCHEMA.names, values, strict=True))


def test_a_tar_of_the_same_tars_has_the_same_images(
    archive: Archive, tmp_path: Path
) -> None:
    nested = tmp_path / "train.tar"
    nested.write_bytes(tar((f"{name}.tar", tar(CLASSES[name])) for name in CLASSES))
    of_tar = Archive("train", storage.file_info(str(nested)), "tar")
    assert contents(archive) == contents(of_tar)


def test_an_index_holds_for_the_folder_as_it_is(archive: Archive) -> None:
    tables = tables_of(archive)
    path = index_path(archive)
    write_index(path, archive, tables)
    containers = tuple(table.container for table in tables)
    assert open_index(path, archive) == containers
    again = read_index(path, archive, range(3)).tables()
    assert [table.members for table in again] == [table.members for table in tables]
    now = replace(archive, file=identify_class_tars(archive.file.uri))
    assert open_index(path, now) == containers
    change(Path(archive.file.uri, "n02.tar"), tar(CLASSES["n02"]))
    now = replace(archive, file=identify_class_tars(archive.file.uri))
    assert open_index(path, now) is None


@pytest.mark.parametrize("how", ["modified", "added", "removed", "renamed"])
def test_a_folder_that_changes_is_told(how: str, archive: Archive) -> None:
    root = Path(archive.file.uri)
    containers = find_class_tars(archive)
    match how:
        case "modified":
            change(root / "n02.tar", tar(CLASSES["n02"]))
        case "added":
            (root / "n04.tar").write_bytes(tar([]))
        case "removed":
            (root / "n02.tar").unlink()
        case "renamed":
            (root / "n02.tar").rename(root / "n05.tar")
    with pytest.raises(StorageError) as caught:
        walk_class_tars(archive, containers)
    assert str(caught.value) == (
        f"{root} has changed since the build began: a tar in it was added, removed or "
        "modified. Rerun when it is at rest."
    )


def test_an_image_of_a_tar_that_changed_is_not_read(archive: Archive) -> None:
    image = tables_of(archive)[1].members.to_pylist()[0]
    place = Place(0, image["file"], image["offset"], image["size"], image["detail"])
    path = Path(archive.file.uri, "n02.tar")
    with open_members([archive]) as reader:
        assert reader.read(place) == b"a" * 700
        change(path, tar(CLASSES["n02"]))
        with pytest.raises(StorageError, match=r"n02\.tar has changed since the build"):
            reader.read(place)


def test_a_damaged_tar_is_named(archive: Archive) -> None:
    root = Path(archive.file.uri)
    data = bytearray((root / "n02.tar").read_bytes())
    data[1600] ^= 1  # in the second header
    (root / "n02.tar").write_bytes(data)
    now = replace(archive, file=identify_class_tars(str(root)))
    with pytest.raises(ArchiveError) as caught:
        tables_of(now)
    assert str(caught.value).startswith(
        f"{root} (in n02.tar) is damaged at byte 1,536 after n02_1.JPEG: "
    )


@pytest.mark.parametrize(
    ("files", "held"),
    [
        (["n01.tar"], True),
        (["n01.tar", "n02.tar", "list.txt"], True),
        (["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"], False),
        (["n01", "n01.zip", ".n01.tar"], False),
    ],
)
def test_which_folders_hold_class_tars(
    files: list[str], held: bool, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).touch()
    (tmp_path / "n02.tar.d").mkdir()
    entries = list(storage.list_entries(str(tmp_path)))
    assert holds_class_tars(entries, ["n01", "n02"]) is held


def test_a_sample_is_of_one_tar_for_each_kind_of_name(archive: Archive) -> None:
    root = Path(archive.file.uri)
    (root / "val.tar").write_bytes(tar([("ILSVRC2012_val_00000001.JPEG", b"x")]))
    now = replace(archive, file=identify_class_tars(str(root)))
    assert sample_class_tars(now) == [
        *("n01/n01_9.JPEG", "n01/n01_3_n00000001.jpg", "ILSVRC2012_val_00000001.JPEG")
    ]


def test_a_link_to_a_tar_is_a_tar(archive: Archive, tmp_path: Path) -> None:
    root = Path(archive.file.uri)
    os.replace(root / "n01.tar", tmp_path / "moved.tar")
    (root / "n01.tar").symlink_to(tmp_path / "moved.tar")
    now = replace(archive, file=identify_class_tars(str(root)))
    assert now.file == archive.file  # of the same time and size
    assert len(contents(now)) == 4
