"""Parquet files: what is in their footers, and that they come back."""

import errno
import gc
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms.errors import FormatError
from transforms.formats.parquet import ParquetWriter, arrow_schema, read_parquet
from transforms.formats.records import Example, Schema

PLAIN = Schema(("n01", "n02"))
WITH_SIZES = Schema(("n01", "n02"), dimensions=True)


def jpeg(width: int, height: int) -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (width, height)).save(encoded, "JPEG")
    return encoded.getvalue()


RECORDS = [
    Example("n01_1.JPEG", jpeg(5, 3), 0),
    Example("ü.JPEG", b"", -1),
    Example("n02_7.JPEG", jpeg(64, 300), 1),
]

EXAMPLES = st.lists(
    st.builds(Example, st.text(), st.binary(max_size=300), st.integers(-1, 999))
)


def write(
    records: list[Example], schema: Schema = PLAIN, group_bytes: int = 5_000_000
) -> bytes:
    file = io.BytesIO()
    writer = ParquetWriter(file, schema, group_bytes)
    for record in records:
        writer.write(record)
    writer.close()
    return file.getvalue()


def read(data: bytes) -> list[Example]:
    return list(read_parquet(io.BytesIO(data)))


def footer(data: bytes) -> pq.FileMetaData:
    return pq.read_metadata(io.BytesIO(data))


def group_rows(data: bytes) -> list[int]:
    found = footer(data)
    return [found.row_group(i).num_rows for i in range(found.num_row_groups)]


COLUMNS = [
    pa.field("file_name", pa.string()),
    pa.field(
        "image",
        pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())]),
    ),
    pa.field("label", pa.int64()),
]
SIZES = [pa.field("width", pa.int32()), pa.field("height", pa.int32())]
FEATURES = {
    "file_name": {"dtype": "string", "_type": "Value"},
    "image": {"_type": "Image"},
    "label": {"names": ["n01", "n02"], "_type": "ClassLabel"},
}
SIZE_FEATURES = {
    "width": {"dtype": "int32", "_type": "Value"},
    "height": {"dtype": "int32", "_type": "Value"},
}


@pytest.mark.parametrize(
    ("schema", "columns", "features"),
    [
        pytest.param(PLAIN, COLUMNS, FEATURES, id="plain"),
        pytest.param(
            WITH_SIZES, COLUMNS + SIZES, FEATURES | SIZE_FEATURES, id="with-sizes"
        ),
    ],
)
def test_schema_is_the_one_the_hub_recognises(
    schema: Schema, columns: list[pa.Field], features: dict[str, object]
) -> None:
    found = pq.read_schema(io.BytesIO(write(RECORDS, schema)))
    assert list(found) == columns
    assert all(field.nullable for field in found)
    assert all(field.nullable for field in found.field("image").type)
    assert list(found.metadata) == [b"huggingface"]
    hub = json.loads(found.metadata[b"huggingface"])
    assert hub == {"info": {"features": features}}
    assert list(hub["info"]["features"]) == found.names
    assert found.equals(arrow_schema(schema), check_metadata=True)


def test_rows_are_the_records() -> None:
    table = pq.read_table(io.BytesIO(write(RECORDS, WITH_SIZES)))
    assert table.to_pylist() == [
        {
            "file_name": record.file_name,
            "image": {"bytes": record.image, "path": record.file_name},
            "label": record.label,
            "width": width,
            "height": height,
        }
        for record, (width, height) in zip(
            RECORDS, [(5, 3), (None, None), (64, 300)], strict=True
        )
    ]


@pytest.mark.parametrize(
    ("count", "groups"),
    [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])],
)
def test_row_groups_have_at_most_100_rows(count: int, groups: list[int]) -> None:
    records = [Example(f"{i}.JPEG", b"%d" % i, i % 2) for i in range(count)]
    data = write(records)
    assert group_rows(data) == groups
    assert read(data) == records


def test_row_groups_have_few_bytes() -> None:
    sizes = [400, 600, 1, 999, 2000, 0, 0, 1001]
    records = [Example(f"{i}", bytes(size), 0) for i, size in enumerate(sizes)]
    data = write(records, group_bytes=1000)
    # One that is larger than a group has one alone.
    assert group_rows(data) == [2, 2, 1, 2, 1]
    assert read(data) == records


@pytest.mark.parametrize("schema", [PLAIN, WITH_SIZES], ids=["plain", "with-sizes"])
def test_only_images_are_stored_as_they_are(schema: Schema) -> None:
    group = footer(write(RECORDS, schema)).row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    found = {column.path_in_schema: column for column in columns}
    for name in ("image.bytes", "image.path"):
        column = found.pop(name)
        assert column.compression == "UNCOMPRESSED"
        assert set(column.encodings) == {"PLAIN", "RLE"}  # RLE: which are null
        assert not column.has_dictionary_page
        assert not column.is_stats_set
    assert list(found) == [
        name for name in arrow_schema(schema).names if name != "image"
    ]
    for column in found.values():
        assert column.compression == "SNAPPY"
        assert "RLE_DICTIONARY" in column.encodings
        assert column.has_dictionary_page
        assert column.is_stats_set
    label = found["label"].statistics
    assert (label.min, label.max, label.null_count) == (-1, 1, 0)


def test_pages_are_indexed() -> None:
    group = footer(write(RECORDS)).row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    assert [column.has_offset_index for column in columns] == [True] * 4
    # An index of least and greatest values, where there are statistics.
    assert [column.has_column_index for column in columns] == [True, False, False, True]


def test_a_page_has_about_a_mebibyte() -> None:
    images = [bytes([65 + i]) * 300_000 for i in range(10)]
    data = write([Example(f"{i}", image, 0) for i, image in enumerate(images)])
    # A page's header stands between its last image and the next one.
    between = [data.index(images[i]) - data.index(images[i - 1]) for i in range(1, 10)]
    pages = [i for i, gap in enumerate(between, 1) if gap != 300_004]
    assert pages == [4, 8]


def test_two_writes_give_the_same_bytes() -> None:
    assert write(RECORDS * 50, WITH_SIZES) == write(RECORDS * 50, WITH_SIZES)


@settings(deadline=None, max_examples=50)
@given(records=EXAMPLES, dimensions=st.booleans())
def test_what_is_written_is_read(records: list[Example], dimensions: bool) -> None:
    assert read(write(records, Schema(("n01",), dimensions))) == records


def test_a_writer_given_up_leaves_its_file_alone() -> None:
    file = io.BytesIO()
    writer = ParquetWriter(file, PLAIN)
    writer.write(RECORDS[0])
    del writer
    gc.collect()
    assert file.getvalue() == b""


class FullDisk:
    """A file that takes no more than a number of bytes."""

    def __init__(self, size: int) -> None:
        self.left = size

    def write(self, data: bytes) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)

    def tell(self) -> int:
        return 0


def test_a_full_disk_is_the_systems_error() -> None:
    writer = ParquetWriter(FullDisk(10_000), PLAIN)
    for i in range(100):
        writer.write(Example(f"{i}", bytes(200), 0))
    with pytest.raises(OSError, match="No space left") as caught:
        writer.close()
    assert caught.value.errno == errno.ENOSPC


# --- Damage ---------------------------------------------------------------------------

WHOLE = write(RECORDS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PAR1", id="start-alone"),
        pytest.param(b"not a Parquet file" * 100, id="another"),
        pytest.param(WHOLE[:-1], id="last-byte-off"),
        pytest.param(WHOLE[:-1] + b"2", id="end-mark"),
        pytest.param(WHOLE[1:], id="shifted"),
        pytest.param(WHOLE[: len(WHOLE) // 2], id="half"),
        pytest.param(WHOLE[:-8] + bytes(4) + b"PAR1", id="no-footer"),
    ],
)
def test_what_is_no_parquet_file_is_an_error(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"^Damaged, or no Parquet file: "):
        read(data)


def test_a_changed_byte_of_an_image_is_an_error() -> None:
    data = bytearray(WHOLE)
    data[data.index(RECORDS[2].image) + 300] ^= 1
    with pytest.raises(FormatError, match="checksum verification failed"):
        read(bytes(data))


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damage_is_noticed_or_does_no_harm(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        assert read(bytes(damaged)) == RECORDS
    except FormatError:
        return


def with_columns(**columns: pa.Array) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


NAMES = pa.array(["a", "b"])
IMAGES = pa.array([{"bytes": b"x", "path": "a"}] * 2, COLUMNS[1].type)
LABELS = pa.array([0, 1])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(
            with_columns(file_name=NAMES, image=IMAGES),
            "file_name: string, image: struct<bytes: binary, path: string>",
            id="no-label",
        ),
        pytest.param(
            with_columns(file_name=NAMES, image=IMAGES, label=LABELS.cast(pa.int32())),
            "file_name: string, image: struct<bytes: binary, path: string>, "
            "label: int32",
            id="other-type",
        ),
        pytest.param(
            with_columns(file_name=NAMES, image=IMAGES, label=LABELS, width=LABELS),
            "file_name: string, image: struct<bytes: binary, path: string>, "
            "label: int64, width: int64",
            id="one-more",
        ),
    ],
)
def test_other_columns_are_an_error(data: bytes, found: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(data)
    assert str(caught.value) == (
        f"Its columns are [{found}], expected file_name: string, image: "
        "struct<bytes: binary, path: string>, label: int64, and perhaps width: "
        "int32, height: int32, all nullable."
    )


@pytest.mark.parametrize(
    "columns",
    [
        {"file_name": pa.array(["a", None]), "image": IMAGES, "label": LABELS},
        {"file_name": NAMES, "image": IMAGES, "label": pa.array([0, None])},
        {
            "file_name": NAMES,
            "image": pa.array([{"bytes": b""}, None], IMAGES.type),
            "label": LABELS,
        },
        {
            "file_name": NAMES,
            "image": pa.array([{"bytes": b""}, {"path": "b"}], IMAGES.type),
            "label": LABELS,
        },
    ],
    ids=["name", "label", "image", "image-bytes"],
)
def test_a_null_is_an_error(columns: dict[str, pa.Array]) -> None:
    records = read_parquet(io.BytesIO(with_columns(**columns)))
    next(records)
    with pytest.raises(FormatError, match=r"^Row 1 of row group 0 has a null\.$"):
        next(records)


def test_a_name_that_is_not_utf_8_is_an_error() -> None:
    names = pa.array([b"\xff", b"b"]).view(pa.string())
    data = with_columns(file_name=names, image=IMAGES, label=LABELS)
    with pytest.raises(FormatError, match="can't decode byte 0xff"):
        read(data)


def test_the_systems_errors_are_not_the_formats() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error") as caught:
        list(read_parquet(Broken(WHOLE)))
    assert caught.value.errno == errno.EIO
