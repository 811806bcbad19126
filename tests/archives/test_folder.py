"""Folders of images: which images are found, under which names, and as what bytes."""

import io
import os
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms import storage
from transforms.archives import open_members
from transforms.archives.containers import (
    Archive,
    MemberTable,
    Place,
    Skipped,
    batch_containers,
)
from transforms.archives.folder import (
    find_folders,
    identify_folder,
    is_image_folder,
    list_folders,
    sample_folder,
)
from transforms.archives.forms import find_containers, walk_containers
from transforms.errors import ArchiveError, StorageError

TREE = {
    "n02/n02_1.JPEG": b"a" * 700,
    "n02/n02_2.JPEG": b"b",
    "n01/n01_9.JPEG": b"c" * 512,
    "n01/n01_10.JPEG": b"",
}


def write(root: Path, files: Mapping[str, bytes]) -> Archive:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Archive("train", identify_folder(str(root)), "folder")


def tables_of(archive: Archive) -> list[MemberTable]:
    batches = batch_containers(archive, find_containers(archive), None)
    return [table for batch in batches for table in walk_containers(batch)]


def found(archive: Archive) -> dict[str, tuple[str, int]]:
    """Returns the folder and the size of every image, by its path."""
    return {
        row["file"]: (table.container.file, row["size"])
        for table in tables_of(archive)
        for row in table.members.to_pylist()
    }


def contents(archive: Archive) -> dict[tuple[str, str], bytes]:
    """Returns the bytes of every image, by its container's and its own name."""
    with open_members([archive]) as reader:
        return {
            (table.container.name, row["name"]): reader.read(
                Place(0, row["file"], row["offset"], row["size"], row["detail"])
            )
            for table in tables_of(archive)
            for row in table.members.to_pylist()
        }


# --- What is found --------------------------------------------------------------------


def test_every_image_of_class_folders_is_found(tmp_path: Path) -> None:
    archive = write(tmp_path, TREE)
    (tmp_path / "n03").mkdir()
    tables = tables_of(archive)
    assert archive.file == storage.FileInfo(str(tmp_path), 0, "")
    assert [
        (table.container.name, table.container.file, table.container.position)
        for table in tables
    ] == [("", "", 0), ("n01", "n01", 1), ("n02", "n02", 2), ("n03", "n03", 3)]
    assert {table.container.total for table in tables} == {4}
    assert [table.skipped for table in tables] == [Skipped(3), *[Skipped()] * 3]
    generations = {
        name: str((tmp_path / name).stat().st_mtime_ns) for name in sorted(TREE)
    }
    assert [row for table in tables for row in table.members.to_pylist()] == [
        {
            "name": name.partition("/")[2],
            "class_name": "",
            "file": name,
            "offset": 0,
            "size": len(TREE[name]),
            "detail": generation,
        }
        for name, generation in generations.items()
    ]


def test_images_of_a_flat_folder_have_a_container_without_name(tmp_path: Path) -> None:
    archive = write(tmp_path, {f"ILSVRC2012_val_{n:08}.JPEG": b"x" for n in (2, 1)})
    (table,) = tables_of(archive)
    assert (table.container.name, table.container.total) == ("", 1)
    assert table.members["file"].to_pylist() == [
        *("ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG")
    ]


def test_names_have_their_normal_form_and_files_their_own(tmp_path: Path) -> None:
    names = ("n01440764_36_n01440764.jpeg", "n01440764\\n01440764_7.JPG", "ä b#%.png")
    archive = write(tmp_path, {f"n01440764/{name}": b"x" for name in names})
    rows = tables_of(archive)[1].members.to_pylist()
    assert [(row["name"], row["class_name"], row["file"]) for row in rows] == [
        ("n01440764_7.JPEG", "", "n01440764/n01440764\\n01440764_7.JPG"),
        (
            "n01440764_36.JPEG",
            "n01440764",
            "n01440764/n01440764_36_n01440764.jpeg",
        ),
        ("ä b#%.png", "", "n01440764/ä b#%.png"),
    ]
    assert len(contents(archive)) == 3


def test_trees_of_any_depth_are_looked_into(tmp_path: Path) -> None:
    paths = ["a.JPEG", "fish/n01/b.JPEG", "fish/c.JPEG", "fish/n02/x/y/d.JPEG"]
    archive = write(tmp_path, dict.fromkeys(paths, b"x"))
    assert found(archive) == {
        "a.JPEG": ("", 1),
        "fish/c.JPEG": ("fish", 1),
        "fish/n01/b.JPEG": ("fish/n01", 1),
        "fish/n02/x/y/d.JPEG": ("fish/n02/x/y", 1),
    }
    names = [container.name for container in find_folders(archive)]
    assert names == ["", "fish", "n01", "n02", "x", "y"]


def test_what_is_no_image_is_counted(tmp_path: Path) -> None:
    archive = write(
        tmp_path,
        {
            "n01/n01_1.JPEG": b"image",
            "n01/.DS_Store": b"x",
            "n01/._n01_1.JPEG": b"x",
            "n01/n01_1.JPEG~": b"x",
            "n01/labels.txt": b"x",
            "n01/.thumbs/n01_1.JPEG": b"x",
            "__MACOSX/n01/n01_1.JPEG": b"x",
            ".git/a.JPEG": b"x",
            "list.csv": b"x",
        },
    )
    os.mkfifo(tmp_path / "n01" / "pipe")
    assert found(archive) == {"n01/n01_1.JPEG": ("n01", 5)}
    assert [table.skipped for table in tables_of(archive)] == [
        Skipped(directories=3, others=1),
        Skipped(directories=1, links=1, leftovers=3, others=1),
    ]


def test_a_folder_without_anything_is_empty(tmp_path: Path) -> None:
    (table,) = tables_of(write(tmp_path, {}))
    assert (table.members.num_rows, table.skipped) == (0, Skipped())
    assert table.members.schema.names[0] == "name"


# --- Links ----------------------------------------------------------------------------


def test_links_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", TREE)
    root = tmp_path / "root"
    archive = write(root, {"n03/own.JPEG": b"own"})
    (root / "n02").symlink_to(tmp_path / "elsewhere" / "n02")
    (root / "n03" / "link.JPEG").symlink_to("own.JPEG")
    assert contents(archive) == {
        ("n02", "n02_1.JPEG"): b"a" * 700,
        ("n02", "n02_2.JPEG"): b"b",
        ("n03", "own.JPEG"): b"own",
        ("n03", "link.JPEG"): b"own",
    }


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    archive = write(tmp_path, TREE)
    link = tmp_path / "n01" / "gone.JPEG"
    (tmp_path / "n01" / "README").symlink_to("none")  # nobody needs it
    assert len(found(archive)) == 4
    link.symlink_to("none")
    with pytest.raises(ArchiveError) as caught:
        tables_of(archive)
    assert str(caught.value) == (
        f"{link} is called an image, but is no file, or a link that leads nowhere. "
        "Take it out or restore what it leads to."
    )


def test_a_link_that_leads_back_is_told(tmp_path: Path) -> None:
    archive = write(tmp_path, TREE)
    (tmp_path / "n01" / "back").symlink_to(tmp_path / "n01")
    with pytest.raises(ArchiveError) as caught:
        tables_of(archive)
    deep = "/".join(["n01", *["back"] * 11])
    assert str(caught.value) == (
        f"{tmp_path}/{deep} lies more than 11 folders deep in {tmp_path}. Is one of "
        "these a link that leads back? Take it out."
    )


# --- What changes ---------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"C" * 512, b"c" * 511, b"c" * 513, b"", None])
def test_an_image_that_changed_since_it_was_listed_is_not_read(
    data: bytes | None, tmp_path: Path
) -> None:
    archive = write(tmp_path, TREE)
    (row,) = tables_of(archive)[1].members.slice(1).to_pylist()
    path = tmp_path / row["file"]
    assert path.name == "n01_9.JPEG"
    time.sleep(0.02)  # the clock of files moves every 4 ms
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    place = Place(0, row["file"], row["offset"], row["size"], row["detail"])
    with (
        open_members([archive]) as reader,
        pytest.raises(StorageError, match=r"/n01/n01_9\.JPEG has changed since "),
    ):
        list(reader.read_all([place]))


def test_a_folder_that_is_removed_is_told(tmp_path: Path) -> None:
    archive = write(tmp_path, TREE)
    (tmp_path / "n03").mkdir()
    containers = find_folders(archive)
    (tmp_path / "n03").rmdir()
    with pytest.raises(StorageError) as caught:
        list_folders(archive, containers)
    assert str(caught.value) == (
        f"{tmp_path}/n03 was removed since the build began. Rerun when it is at rest."
    )


def test_a_name_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    archive = write(tmp_path, TREE)
    name = os.fsdecode(b"n01_\xff.JPEG")
    (tmp_path / "n01" / name).write_bytes(b"x")
    with pytest.raises(ArchiveError) as caught:
        tables_of(archive)
    assert str(caught.value) == (
        rf"The name of {tmp_path}/n01/n01_\udcff.JPEG is not UTF-8. Rename it."
    )


# --- As a tar -------------------------------------------------------------------------

FOLDER = st.sampled_from(["n01", "n02", "train", "a b", "ä"])
NAME = st.from_regex(
    r"\A(n\d{8}_\d{1,5}(_n\d{8})?\.(JPEG|jpg|Jpeg)|\.?[a-zÄ ]{1,4}\.?(png|txt|JPEG~|)"
    r"|ILSVRC2012_val_\d{8}\.JPEG)\Z"
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.tuples(st.lists(FOLDER, max_size=3).map(tuple), NAME),
        st.binary(max_size=20),
        max_size=6,
    )
)
def test_a_tar_of_the_same_files_has_the_same_images(
    files: dict[tuple[tuple[str, ...], str], bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("same")
    paths = {"/".join((*above, name)): data for (above, name), data in files.items()}
    paths = {
        path: data
        for path, data in paths.items()
        if not any(other.startswith(f"{path}/") for other in paths)
    }
    archive = write(directory / "root", {"n01/first.png": b"1", **paths})
    with tarfile.open(directory / "root.tar", "w") as packed:
        for path, data in {"n01/first.png": b"1", **paths}.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    file = storage.file_info(str(directory / "root.tar"))
    of_tar = Archive("train", file, "tar")
    assert len(contents(archive)) >= 1
    assert contents(archive) == contents(of_tar)


# --- Recognition ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "class_names", "held"),
    [
        (["n01/a.JPEG"], ["n01"], True),
        (["n01/a.JPEG", "list.txt"], ["n01", "n02"], True),
        (["n01/a.JPEG"], ["n02"], False),  # it is looked into
        (["train/n01/a.JPEG", "val/a.JPEG"], ["n01"], False),
        (["a.JPEG"], [], True),
        (["a.JPEG", "b.png", "sub/c.JPEG"], [], True),
        (["preview.png", "sub/c.JPEG"], ["n01"], False),
        ([".a.JPEG", "a.JPEG~", "list.txt"], [], False),
        (["README", "b.tar"], [], False),
        ([], [], False),
    ],
)
def test_which_folders_hold_images(
    files: list[str], class_names: list[str], held: bool, tmp_path: Path
) -> None:
    write(tmp_path, dict.fromkeys(files, b"x"))
    entries = list(storage.list_entries(str(tmp_path)))
    assert is_image_folder(entries, class_names) is held


def test_a_sample_has_an_image_of_each_kind_of_name(tmp_path: Path) -> None:
    files = ["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"]
    files += ["n01440764/notes.txt", "n01440765/n01440765_9.JPEG"]
    files += [
        "n01440765/n01440765_36.JPEG",
        "n01440766/x.JPEG",
        "ILSVRC2012_test_1.JPEG",
    ]
    assert sample_folder(write(tmp_path, dict.fromkeys(files, b"x"))) == [
        *("ILSVRC2012_test_1.JPEG", "ILSVRC2012_val_00000001.JPEG"),
        "n01440765/n01440765_36.JPEG",
    ]
