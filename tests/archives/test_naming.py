"""What images of a split are called, by where they lie."""

import pytest

from tests.helpers.plans import member_rows
from transforms.archives.containers import Archive, Container, MemberBatch, MemberTable
from transforms.archives.naming import images_of_split
from transforms.storage import FileInfo

NAMES = ["n01440764_36.JPEG", "b.c.jpg", "plain"]


def table_of(
    folder: str = "", *, name: str = "", uri: str = "/data/x.tar", **archive: str
) -> MemberBatch:
    members = member_rows(NAMES, [0, 1, 2], [9, 9, 9])
    container = Container(
        *(name or folder.rpartition("/")[2], 0, 9, 0, 1), folder=folder
    )
    file = FileInfo(uri, 9, "1")
    whole = Archive("train", file, "tar", **archive)
    return MemberBatch.of(whole, [MemberTable(whole, container, members)])


def names_of(batch: MemberBatch) -> list[str]:
    found: list[str] = images_of_split(batch).members["name"].to_pylist()
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


def test_containers_together_are_named_as_each_by_itself() -> None:
    whole = Archive("train", FileInfo("/x", 9, "1"), "tar", root="d", naming="{path}")
    tables = [
        MemberTable(
            whole,
            Container(folder, 0, 9, position, 3, folder=folder),
            member_rows(names, [0] * len(names), [9] * len(names)),
        )
        for position, (folder, names) in enumerate(
            [("d/e", ["a", "b"]), ("other", ["c"]), ("d/f", ["a"])]
        )
    ]
    found = images_of_split(MemberBatch.of(whole, tables))
    assert found.members["name"].to_pylist() == ["e/a", "e/b", "f/a"]
    assert [each.rows for each in found.containers] == [2, 0, 1]
    each = [images_of_split(MemberBatch.of(whole, [table])) for table in tables]
    assert [*found.tables()] == [table for one in each for table in one.tables()]


@pytest.mark.parametrize(
    ("most", "rows"), [(-1, [[2], [0], [3], [1]]), (2, [[2, 0], [3], [1]]), (6, None)]
)
def test_parts_have_as_many_containers_as_rows_allow(
    most: int, rows: list[list[int]] | None
) -> None:
    archive = Archive("train", FileInfo("/x", 9, "1"), "tar")
    tables = [
        MemberTable(
            archive,
            Container(f"n{position}", 0, 9, position, 4),
            member_rows([f"{position}_{i}" for i in range(n)], [0] * n, [9] * n),
        )
        for position, n in enumerate([2, 0, 3, 1])
    ]
    whole = MemberBatch.of(archive, tables)
    assert [*whole.tables()] == tables
    parts = [*whole.parts(most)]
    shape = [[each.rows for each in part.containers] for part in parts]
    assert shape == (rows or [[2, 0, 3, 1]])
    assert [table for part in parts for table in part.tables()] == tables
