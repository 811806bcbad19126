"""What is found in a directory, and what is said of what is not."""

import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from tests.helpers.archives import image, tar
from transforms.archives.recognition import (
    FoundArchive,
    Search,
    read_file_within,
    recognise,
    search,
)
from transforms.errors import ArchiveError

CLASSES = ("n01440764", "n01443537")
TRAIN = tar([("n01440764/n01440764_1.JPEG", image(1))])
PICTURE = image(2)


def found(
    directory: Path, files: Mapping[str, bytes]
) -> tuple[list[list[tuple[str, str]]], Search]:
    """Returns the forms and the paths beneath a directory that a search finds."""
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    searched = search(str(directory), CLASSES)
    shown = [
        [(each.form, each.file.uri.removeprefix(f"{directory}/")) for each in archives]
        for archives in searched.archives
    ]
    return shown, searched


def only(searched: Search) -> FoundArchive:
    ((archive,),) = searched.archives
    return archive


def test_parts_that_cannot_be_read_are_noted_with_those_that_can(
    tmp_path: Path,
) -> None:
    shown, searched = found(
        tmp_path,
        {
            "train_1.tar": TRAIN,
            "train_2.tar": b"<html>Sign in</html>",
            "train_3.tar": b"BZh91AY&SY" + b"x" * 600,
            "other.tar": b"<html>Sign in</html>",
        },
    )
    assert shown == [[("tar", "train_1.tar")]]
    lacking = only(searched).lacking
    assert len(lacking) == 2
    assert lacking[0] == f"{tmp_path}/train_2.tar is no archive of images."
    assert lacking[1].startswith(f"{tmp_path}/train_3.tar is compressed")


def test_folders_that_are_not_looked_into_are_noted(tmp_path: Path) -> None:
    files = {f"part{number:02}/x.txt": b"" for number in range(33)}
    _, searched = found(tmp_path, files | {"part00/train.tar": TRAIN})
    assert searched.unseen == (f"{tmp_path}/part32",)
    deep = tmp_path / "part00/a/b/c/d/e/f/g"
    deep.mkdir(parents=True)
    (deep / "train.tar").write_bytes(TRAIN)
    assert search(str(tmp_path), CLASSES).unseen == (
        f"{tmp_path}/part00/a/b/c/d/e/f",
        f"{tmp_path}/part32",
    )


def test_classes_of_a_folder_are_those_of_its_own_form(tmp_path: Path) -> None:
    for name, data in {
        "train/n01440764/n01440764_1.JPEG": PICTURE,
        "train/n01443537.tar": TRAIN,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    folder = recognise(str(tmp_path / "train"), CLASSES)
    assert folder is not None
    assert (folder.form, folder.classes) == ("folder", frozenset({"n01440764"}))


def test_a_picture_beside_archives_does_not_hide_them(tmp_path: Path) -> None:
    shown, _ = found(tmp_path, {"figure.png": PICTURE, "train.tar": TRAIN})
    assert shown == [[("tar", "train.tar")]]


def test_archives_beside_class_folders_are_found(tmp_path: Path) -> None:
    val = tar([("ILSVRC2012_val_00000001.JPEG", PICTURE)])
    shown, _ = found(
        tmp_path,
        {
            "n01440764/n01440764_1.JPEG": PICTURE,
            "n01440764/extra.tar": TRAIN,
            "ILSVRC2012_img_val.tar": val,
        },
    )
    assert shown == [
        [("folder", str(tmp_path))],
        [("tar", "ILSVRC2012_img_val.tar")],
    ]


def zipped(members: Sequence[tuple[str, bytes]]) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


@pytest.mark.parametrize(
    "pack", [tar, zipped, lambda members: gzip.compress(tar(members))]
)
def test_a_list_is_read_from_an_archive_of_any_form(
    pack: Callable[[Sequence[tuple[str, bytes]]], bytes], tmp_path: Path
) -> None:
    members = [
        ("./food/images/pie/1.jpg", PICTURE),
        ("./food/meta/train.json", b"{}"),
        ("./food/meta/test.json", b"[]"),
    ]
    path = tmp_path / "food"
    path.write_bytes(pack(members))

    def read(name: str) -> bytes | None:
        return read_file_within(str(path), name, str(tmp_path / "index"))

    assert read("food/meta/train.json") == b"{}"
    assert read("food/images/pie/1.jpg") == PICTURE
    assert read("meta/train.json") is None
    assert read("food/meta") is None


def test_of_two_lists_of_one_path_the_later_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lists.tar"
    path.write_bytes(tar([("list.txt", b"old"), ("other", b""), ("list.txt", b"new")]))
    assert read_file_within(str(path), "list.txt", "") == b"new"


def test_what_is_no_archive_has_no_list(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"a.jpg 0\n")
    assert read_file_within(str(tmp_path / "list.txt"), "list.txt", "") is None


def test_a_damaged_archive_of_lists_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lists.tar"
    path.write_bytes(tar([("a.txt", b""), ("b.txt", bytes(2000))])[:1500])
    with pytest.raises(ArchiveError, match=r"lists\.tar is damaged at byte 512 after"):
        read_file_within(str(path), "b.txt", "")
