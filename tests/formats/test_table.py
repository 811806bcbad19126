"""The table of formats: names, places, and that each reads what it writes."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from transforms import storage
from transforms.errors import FormatError, StorageError
from transforms.formats.records import DamagedRecords, Example, Schema
from transforms.formats.table import FORMATS, loader_line

SCHEMA = Schema(("n01440764", "n01443537"))
SCHEMA_OF_MANY = Schema(tuple(f"n{number:08d}" for number in range(1000)))
RECORDS = [
    Example("n01440764_36.JPEG", b"JPEGBYTES", 0),
    Example("n01440764_4.JPEG", b"", -1),
    Example("n01443537_8.JPEG", b"\xff" * 300, 1),
]


@pytest.mark.parametrize(
    ("format_name", "index", "count", "name"),
    [
        ("tfrecord", 0, 16, "d-train.tfrecord-00000-of-00016"),
        ("tfrecord", 15, 16, "d-train.tfrecord-00015-of-00016"),
        ("tfrecord", 0, 1, "d-train.tfrecord-00000-of-00001"),
        ("tfrecord", 99_998, 99_999, "d-train.tfrecord-99998-of-99999"),
        # Six digits as soon as the count has them.
        ("tfrecord", 7, 100_000, "d-train.tfrecord-000007-of-100000"),
        ("array_record", 1, 2, "d-train.array_record-00001-of-00002"),
        ("parquet", 1, 2, "train-00001-of-00002.parquet"),
        ("webdataset", 1, 2, "train-000001.tar"),
    ],
)
def test_file_names(format_name: str, index: int, count: int, name: str) -> None:
    assert FORMATS[format_name].codec.file_name("d", "train", index, count) == name


@pytest.mark.parametrize("name", FORMATS)
def test_a_pattern_takes_what_the_format_names(name: str) -> None:
    kind = FORMATS[name]
    assert kind.is_data_file("d[0]", kind.codec.file_name("d[0]", "train", 7, 16))
    assert not kind.is_data_file("d[0]", "d0-train")
    assert not kind.is_data_file("d[0]", "report.html")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_what_it_writes(name: str, tmp_path: Path) -> None:
    uri = str(tmp_path / "file")
    with FORMATS[name].codec.publish(uri, SCHEMA) as file:
        for record in RECORDS:
            file.writer.write(record)
        assert not storage.exists(uri)
    content = Path(uri).read_bytes()
    assert file.publication.tell() == len(content)
    assert file.publication.digest() == f"blake3:{blake3(content).hexdigest()}"
    assert list(FORMATS[name].codec.read(uri)) == RECORDS
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# What of a record is spoiled, so that its framing tells: the labels' members in a tar,
# which has no checksum of contents.
SPOILED = {
    "tfrecord": lambda record: record.image[:40],
    "array_record": lambda record: record.image[:40],
    "parquet": lambda record: record.image[:40],
    "webdataset": lambda record: f'label":{record.label}'.encode(),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_scan_goes_on_behind_damaged_records(name: str, tmp_path: Path) -> None:
    records = [
        Example(f"n{i}.JPEG", random.Random(i).randbytes(1000), 100 + i)
        for i in range(250)
    ]
    uri = str(tmp_path / "file")
    with FORMATS[name].codec.publish(uri, SCHEMA_OF_MANY) as file:
        for record in records:
            file.writer.write(record)
    content = bytearray(Path(uri).read_bytes())
    for number in (7, 230):
        content[content.index(SPOILED[name](records[number])) + 9] ^= 1
    Path(uri).write_bytes(content)

    found = list(FORMATS[name].codec.scan(uri))
    # A row group of Parquet, 100 records, is whole or not.
    lost = (range(7, 8), range(230, 231))
    if name == "parquet":
        lost = (range(100), range(200, 250))
    damaged = [item for item in found if isinstance(item, DamagedRecords)]
    assert [item.count for item in damaged] == [len(numbers) for numbers in lost]
    assert [item for item in found if isinstance(item, Example)] == [
        record
        for number, record in enumerate(records)
        if not any(number in numbers for numbers in lost)
    ]
    with pytest.raises(FormatError) as caught:
        list(FORMATS[name].codec.read(uri))
    assert str(caught.value) == damaged[0].reason


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_whose_records_fail_does_not_appear(name: str, tmp_path: Path) -> None:
    uri = str(tmp_path / "file")
    with (
        pytest.raises(ZeroDivisionError),
        FORMATS[name].codec.publish(uri, SCHEMA) as file,
    ):
        file.writer.write(replace(RECORDS[0], label=1 // 0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_place_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    uri = str(tmp_path / "missing" / "file")
    with (
        pytest.raises(StorageError, match=r"Can't write .*missing/file\. There is no"),
        FORMATS[name].codec.publish(uri, SCHEMA) as file,
    ):
        file.writer.write(RECORDS[0])


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tfrecord", 'tfds.load("d/c:1.0.0", data_dir="R")'),
        ("array_record", 'tfds.data_source("d/c:1.0.0", data_dir="R")'),
        ("parquet", 'datasets.load_dataset("R", "c")'),
        (
            "webdataset",
            'webdataset.WebDataset(sorted(glob.glob("R/c/train-*.tar")), '
            "shardshuffle=False)",
        ),
    ],
)
def test_the_line_that_loads_it(name: str, line: str) -> None:
    assert line == loader_line(
        name, root="R", name="d", config="c", version="1.0.0", split="train"
    )
