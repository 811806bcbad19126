"""Class names, their numbers, and which label an image gets."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.plans import member_rows
from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    MemberBatch,
    MemberTable,
)
from transforms.errors import LabelError, StorageError
from transforms.planning.labels import (
    LABEL_SCHEMA,
    LabelByContainer,
    LabelByIndex,
    LabelByName,
    Unlabelled,
    labels_by_name,
    read_class_names,
)
from transforms.storage.backend import FileInfo

CLASSES = ("n01", "n02", "n05")
ARCHIVE = Archive("validation", FileInfo("/data/val.tar", 1, "1"), "tar")


def table_of(*names: str, container: str = "") -> MemberBatch:
    zeros = [0] * len(names)
    members = member_rows(list(names), zeros, zeros)
    table = MemberTable(ARCHIVE, Container(container, 0, 1, 0, 1), members)
    return MemberBatch.of(ARCHIVE, [table])


def by_name(labels: dict[str, int], source: str) -> LabelByName:
    columns = [list(labels), list(labels.values())]
    return LabelByName(pa.table(columns, schema=LABEL_SCHEMA), source)


def write(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "lines.txt"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(("container", "label"), [("n01", 0), ("n02", 1), ("n05", 2)])
def test_container_names_the_class(container: str, label: int) -> None:
    labels = LabelByContainer(CLASSES).labels(table_of("a", "b", container=container))
    assert (labels.tolist(), labels.dtype) == ([label, label], np.int64)


def test_empty_container_has_no_labels() -> None:
    assert LabelByContainer(CLASSES).labels(table_of(container="n01")).tolist() == []


def test_container_of_no_class_is_refused() -> None:
    with pytest.raises(LabelError) as caught:
        LabelByContainer(CLASSES).labels(table_of("a", container="n03"))
    assert str(caught.value) == (
        "/data/val.tar holds a in n03, which is none of the 3 classes (n01 "
        "to n05). Name with class_names a list of classes that has it, or with subset "
        "a list of images that has none of it."
    )


def test_list_names_the_class_of_each_image() -> None:
    labeller = by_name({"a": 2, "b": 0, "c": 1}, "/data/labels.txt")
    labels = labeller.labels(table_of("c", "a"))
    assert (labels.tolist(), labels.dtype) == ([1, 2], np.int64)


def test_image_that_is_not_listed_is_refused() -> None:
    labeller = by_name({"a": 0}, "/data/labels.txt")
    with pytest.raises(LabelError) as caught:
        labeller.labels(table_of("u", "a", "v", "w", "x", "y", "z"))
    assert str(caught.value) == (
        "/data/val.tar holds 6 images that have no label in /data/labels.txt: "
        "u, v, w, x, y and 1 more. Is it the archive of the validation split?"
    )


def test_a_list_is_pickled_compressed() -> None:
    listed = {f"ILSVRC2012_val_{n:08d}.JPEG": n * 7 % 1000 for n in range(50_000)}
    labeller = by_name(listed, "/data/labels.txt")
    pickled = pickle.dumps(labeller)
    assert pickle.loads(pickled) == labeller
    assert len(pickled) < 250_000  # as it is, 2 MB


def test_unlabelled_images_get_minus_one() -> None:
    labels = Unlabelled().labels(table_of("a", "b"))
    assert (labels.tolist(), labels.dtype) == ([-1, -1], np.int64)


@pytest.mark.parametrize(
    "content",
    [
        b"n01\nn02\nn05\n",
        b"n01\nn02\nn05",
        b"n01\r\nn02\r\nn05\r\n",
        b"\xef\xbb\xbfn01\nn02\nn05\n",  # as Windows marks UTF-8
    ],
)
def test_class_names_are_lines(content: bytes, tmp_path: Path) -> None:
    assert read_class_names(write(tmp_path, content)) == CLASSES


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"n01\nn02\nn01\n"], ids=["empty", "blank", "twice"]
)
def test_class_names_that_are_none_or_repeated_are_refused(
    content: bytes, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(LabelError) as caught:
        read_class_names(path)
    assert str(caught.value) == f"{path} should name each class once, one on a line."


def test_missing_class_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(
        StorageError, match=r"Can't find .*none\.txt\. There is no such"
    ):
        read_class_names(str(tmp_path / "none.txt"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"n01\n\xff\xfe\n", "byte 4 is not UTF-8."),
        ("n01\n".encode("utf-16"), "byte 0 is not UTF-8."),
        (b"\xef\xbb\xbfn01\n\0\n", "byte 7 is NUL."),
    ],
    ids=["no-utf-8", "utf-16", "nul"],
)
def test_lines_that_are_no_text_are_refused(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(LabelError) as caught:
        read_class_names(path)
    assert str(caught.value) == f"{path} is not a text file: {reason}"


def test_a_file_that_is_no_list_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"n01\n")
    os.truncate(path, 10**12)
    with pytest.raises(LabelError) as caught:
        read_class_names(path)
    assert str(caught.value) == (
        f"{path} has 1,000,000,000,000 bytes or more; a list of names is taken up to "
        "536,870,912. Is it the right file?"
    )


def test_names_tell_classes() -> None:
    names = ["n01_1.JPEG", "n05_", "n02", "_n02", "n02-1.JPEG", "val_n01_1", "n03_1"]
    for table in (pa.array(names), pa.chunked_array([names[:3], names[3:]])):
        assert labels_by_name(table, CLASSES).to_pylist() == [
            *(0, 2, 1),
            *(None, None, None, None),
        ]
    assert labels_by_name(pa.array(names), ()).null_count == len(names)
    assert labels_by_name(pa.array([], pa.string()), CLASSES).to_pylist() == []


def test_a_list_that_folders_or_names_contradict_is_refused() -> None:
    names = [f"ILSVRC2012_val_0000000{i}.JPEG" for i in range(3)]
    columns = [names, [0, 1, 2]]
    listed = pa.table(columns, schema=LABEL_SCHEMA)
    by_list = LabelByName(listed, "list.txt", CLASSES)
    sorted_right = table_of(*names[1:2], container=CLASSES[1])
    assert by_list.labels(sorted_right).tolist() == [1]
    assert by_list.labels(table_of(*names, container="val")).tolist() == [0, 1, 2]
    wrong = table_of(*names, container=CLASSES[1])
    with pytest.raises(LabelError) as caught:
        by_list.labels(wrong)
    assert str(caught.value) == (
        "/data/val.tar gives 2 images of the validation split another class than "
        "list.txt: ILSVRC2012_val_00000000.JPEG n02 instead of n01, "
        f"ILSVRC2012_val_00000002.JPEG n02 instead of {CLASSES[2]}. Sort them again, "
        "or pass --set splits.validation.labels=container to take the classes that it "
        "gives."
    )
    # A list of the user's own decides, whatever folders say.
    assert LabelByName(listed, "list.txt").labels(wrong).tolist() == [0, 1, 2]
    # What follows the name in its file's name counts more than the folder.
    position = wrong.members.schema.get_field_index("class_name")
    suffixed = replace(
        wrong,
        members=wrong.members.set_column(
            position, MEMBER_SCHEMA.field("class_name"), pa.array(list(CLASSES))
        ),
    )
    assert by_list.labels(suffixed).tolist() == [0, 1, 2]


def test_a_file_name_that_ends_with_another_class_than_its_folder_is_refused() -> None:
    table = table_of("n01_1.JPEG", "n01_2.JPEG", container="n01")
    position = table.members.schema.get_field_index("class_name")
    field = MEMBER_SCHEMA.field("class_name")
    for endings, labels in ((["n01", ""], [0, 0]), (["", "n02"], None)):
        members = table.members.set_column(position, field, pa.array(endings))
        suffixed = replace(table, members=members)
        if labels is not None:
            assert LabelByContainer(CLASSES).labels(suffixed).tolist() == labels
            continue
        with pytest.raises(LabelError) as caught:
            LabelByContainer(CLASSES).labels(suffixed)
        assert str(caught.value) == (
            "/data/val.tar holds 1 images in n01 whose files end with another class: "
            "n01_2.JPEG with n02. Sort them again, or rename them."
        )


@pytest.mark.parametrize(("folder", "said"), [("3", "folder 3"), ("", "no folder")])
def test_a_folder_of_no_number_is_refused(folder: str, said: str) -> None:
    with pytest.raises(LabelError) as caught:
        LabelByIndex(CLASSES).labels(table_of("README", container=folder))
    assert str(caught.value) == (
        f"/data/val.tar holds README in {said}, expected folders 0 to 2, the numbers "
        "of classes."
    )
