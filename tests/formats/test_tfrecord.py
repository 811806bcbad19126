"""TFRecord files."""

import io
from pathlib import Path

import pytest

from transforms.errors import FormatError
from transforms.formats.records import Example, Schema
from transforms.formats.tf_example import encode_example
from transforms.formats.tfrecord import TFRecordWriter, frame_head, mask, read_tfrecord

RECORDS = [
    Example("n01440764_36.JPEG", b"JPEGBYTES", 0),
    Example("ü.JPEG", b"", -1),
    Example("a", b"\xff" * 300, 999),
]


SCHEMA = Schema(("n01440764",))
SIZES = [78, 68, 359]  # of the records, serialised


def write(records: list[Example]) -> bytes:
    file = io.BytesIO()
    writer = TFRecordWriter(file, SCHEMA)
    for record in records:
        writer.write(record)
    writer.close()
    return file.getvalue()


def read(data: bytes) -> list[Example]:
    return list(read_tfrecord(io.BytesIO(data)))


def test_frame_is_that_of_tensorflow() -> None:
    # The record b"abc" as tf.io.TFRecordWriter writes it.
    known = bytes.fromhex("0300000000000000b099490e6162636e57f121")
    assert frame_head(3) == known[:12]
    crc_of_abc = 0x364B3FB7
    assert mask(crc_of_abc).to_bytes(4, "little") == known[-4:]


def test_file_is_the_framed_records() -> None:
    data = write(RECORDS)
    encoded = [b"".join(encode_example(record)) for record in RECORDS]
    assert [len(record) for record in encoded] == SIZES
    assert len(data) == sum(SIZES) + 16 * len(RECORDS)
    place = 0
    for record in encoded:
        assert data[place : place + 12] == frame_head(len(record))
        assert data[place + 12 : place + 12 + len(record)] == record
        place += 16 + len(record)
    assert read(data) == RECORDS


def test_writer_appends_to_what_is_there_and_leaves_the_file_open() -> None:
    file = io.BytesIO(b"before")
    file.seek(0, io.SEEK_END)
    writer = TFRecordWriter(file, SCHEMA)
    writer.write(RECORDS[0])
    writer.close()
    assert file.getvalue() == b"before" + write(RECORDS[:1])


def test_an_empty_file_has_no_records() -> None:
    assert write([]) == b""
    assert read(b"") == []


def test_every_changed_byte_is_noticed() -> None:
    data = write(RECORDS[:2])
    for place in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[place] ^= flip
            with pytest.raises(FormatError):
                read(bytes(damaged))


def test_every_truncation_ends_at_a_record_or_is_noticed() -> None:
    data = write(RECORDS)
    borders = [sum(size + 16 for size in SIZES[:n]) for n in range(len(SIZES) + 1)]
    for cut in range(len(data)):
        if cut in borders:
            assert read(data[:cut]) == RECORDS[: borders.index(cut)]
            continue
        start = max(border for border in borders if border < cut)
        with pytest.raises(FormatError) as caught:
            read(data[:cut])
        assert str(caught.value) == f"The record at byte {start:,} is cut off."


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (94 + 3, "The length at byte 94 fails its checksum."),
        (94 + 9, "The length at byte 94 fails its checksum."),
        (94 + 40, "The record at byte 94 fails its checksum."),
        (94 + 12 + 68, "The record at byte 94 fails its checksum."),
    ],
    ids=["length", "its-check", "record", "its-check-too"],
)
def test_damage_is_told_with_its_place(place: int, message: str) -> None:
    data = bytearray(write(RECORDS))
    data[place] ^= 4
    with pytest.raises(FormatError) as caught:
        read(bytes(data))
    assert str(caught.value) == message


@pytest.mark.parametrize("size", [1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1])
def test_a_record_longer_than_any_is_not_waited_for(size: int, tmp_path: Path) -> None:
    path = tmp_path / "huge.tfrecord"
    path.write_bytes(write(RECORDS[:1]) + frame_head(size) + b"abc")
    with path.open("rb") as file, pytest.raises(FormatError) as caught:
        list(read_tfrecord(file))
    assert str(caught.value) == (
        f"The record at byte 94 would have {size:,} bytes, more than an Example can."
    )


def test_records_before_the_damage_are_read() -> None:
    data = write(RECORDS)
    records = read_tfrecord(io.BytesIO(data[:-1]))
    assert [next(records), next(records)] == RECORDS[:2]
    with pytest.raises(FormatError):
        next(records)
