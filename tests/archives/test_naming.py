"""What images of a split are called, by where they lie."""

import pytest

from tests.helpers.plans import member_rows
from transforms.archives.containers import Archive, Container, MemberTable
from transforms.archives.naming import images_of_split
from transforms.storage import FileInfo

NAMES = ["n01440764_36.JPEG", "b.c.jpg", "plain"]


def table_of(
    folder: str = "", *, name: str = "", uri: str = "/data/x.tar", **archive: str
) -> MemberTable:
    members = member_rows(NAMES, [0, 1, 2], [9, 9, 9])
    container = Container(
        *(name or folder.rpartition("/")[2], 0, 9, 0, 1), folder=folder
    )
    file = FileInfo(uri, 9, "1")
    return MemberTable(Archive("train", file, "tar", **archive), container, members)


def names_of(table: MemberTable) -> list[str]:
    found: list[str] = images_of_split(table).members["name"].to_pylist()
    return found


def test_images_go_by_their_files_unless_said_otherwise() -> None:
    table = table_of("a/n01440764")
    assert images_of_split(table) is table


@pytest.mark.parametrize(
    ("naming", "names"),
    [
        ("{class}/{file}", ["f/n01440764_36.JPEG", "f/b.c.jpg", "f/plain"]),
        ("{class}_{stem}", ["f_n01440764_36", "f_b.c", "f_plain"]),
        ("{path}", ["e/f/n01440764_36.JPEG", "e/f/b.c.jpg", "e/f/plain"]),
        ("{root}/{path}", ["d/e/f/n01440764_36.JPEG", "d/e/f/b.c.jpg", "d/e/f/plain"]),
    ],
)
def test_a_template_names_them_by_their_place(naming: str, names: list[str]) -> None:
    assert names_of(table_of("top/d/e/f", root="d", naming=naming)) == names


@pytest.mark.parametrize("folder", ["e/f", "d/e/f", "old/d/e/f"])
def test_a_folder_that_is_the_root_gives_the_names_of_an_archive(folder: str) -> None:
    uri = "/data/d" if folder == "e/f" else "/data/other"
    table = table_of(folder, uri=uri, root="d", naming="{path}")
    assert names_of(table) == ["e/f/n01440764_36.JPEG", "e/f/b.c.jpg", "e/f/plain"]


@pytest.mark.parametrize("folder", ["", "other/f", "dd/f"])
def test_what_lies_elsewhere_is_not_of_the_split(folder: str) -> None:
    assert names_of(table_of(folder, root="d")) == []


def test_a_class_tar_counts_as_a_folder() -> None:
    table = table_of(name="n01440764", naming="{path}")
    assert names_of(table)[1] == "n01440764/b.c.jpg"


def test_patterns_go_by_files_whatever_images_are_called() -> None:
    table = table_of("f", names="n*_*", naming="{class}/{file}")
    assert names_of(table) == ["f/n01440764_36.JPEG"]
