"""Records with other features than ImageNet's, in every format."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from transforms.formats.records import Example, Feature, Schema
from transforms.formats.table import FORMATS
from transforms.formats.tf_example import (
    decode_example,
    encode_example,
    example_sizes,
    list_sizes,
)

SEVERAL = (
    Feature("photo", "image", "A photo.", "jpeg"),
    Feature("first", "label", "Its class."),
    Feature("all", "label_list", "All its classes."),
    Feature("a_name", "text", "Its name."),
)
NAMELESS = (Feature("image", "image", "A photo."), Feature("label", "label", "Class."))
RECORDS = [
    Example("b.jpg", b"\xff\xd8" + bytes(300), 1, (0, 1, 2)),
    Example("a.jpg", b"\xff\xd8" + bytes(5), -1, ()),
]


@pytest.mark.parametrize("name", FORMATS)
def test_records_with_a_list_of_classes_are_read_back(
    name: str, tmp_path: Path
) -> None:
    codec, uri = FORMATS[name].codec, str(tmp_path / "file")
    with codec.publish(uri, Schema(("x", "y", "z"), features=SEVERAL)) as file:
        for record in RECORDS:
            file.writer.write(record)
    assert list(codec.read(uri, SEVERAL)) == RECORDS


@pytest.mark.parametrize("name", FORMATS)
def test_a_name_that_is_no_feature_is_kept_where_there_are_columns(
    name: str, tmp_path: Path
) -> None:
    codec, uri = FORMATS[name].codec, str(tmp_path / "file")
    with codec.publish(uri, Schema(("x", "y"), features=NAMELESS)) as file:
        file.writer.write(Example("b.jpg", b"\xff\xd8", 1))
    (found,) = codec.read(uri, NAMELESS)
    assert (found.image, found.label) == (b"\xff\xd8", 1)
    assert found.file_name == ("b.jpg" if FORMATS[name].layout == "hub" else "")


def test_sizes_are_those_of_what_is_written() -> None:
    lists = pa.array([r.labels for r in RECORDS], pa.list_(pa.int64()))
    columns = [[len(r.file_name) for r in RECORDS], [len(r.image) for r in RECORDS]]
    names, images = (np.array(column, np.int64) for column in columns)
    labels = np.array([r.label for r in RECORDS], np.int64)
    sizes = example_sizes(names, images, labels, SEVERAL, list_sizes(lists))
    encoded = [b"".join(encode_example(r, SEVERAL)) for r in RECORDS]
    assert sizes.tolist() == [len(record) for record in encoded]
    assert [decode_example(record, SEVERAL) for record in encoded] == RECORDS


def test_no_class_is_an_empty_list_of_numbers() -> None:
    # What TFDS writes for a sequence of no values.
    record = b"".join(encode_example(RECORDS[1], SEVERAL))
    assert b"\x0a\x03all\x12\x02\x1a\x00" in record
