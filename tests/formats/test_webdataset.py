"""WebDataset tars member by member, and the documents beside them."""

import io
import json
import tarfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms.errors import FormatError
from transforms.formats.listing import ConfigFacts, FileFacts, SplitFacts
from transforms.formats.records import Example, Schema
from transforms.formats.webdataset import (
    WebDatasetWriter,
    companions,
    read_webdataset,
    record_key,
)

PLAIN = Schema(("n01", "n02"))
WITH_SIZES = Schema(("n01", "n02"), dimensions=True)


def jpeg(width: int, height: int) -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (width, height)).save(encoded, "JPEG")
    return encoded.getvalue()


RECORDS = [
    Example("n01_1.JPEG", jpeg(5, 3), 0),
    Example("ILSVRC2012.val.ü.JPEG", b"", -1),
    Example(f"{'long' * 40}.JPEG", bytes(1024), 1),
]


def write(records: list[Example], schema: Schema = PLAIN) -> bytes:
    file = io.BytesIO()
    writer = WebDatasetWriter(file, schema)
    for record in records:
        writer.write(record)
    writer.close()
    return file.getvalue()


def read(data: bytes) -> list[Example]:
    return list(read_webdataset(io.BytesIO(data)))


def members(data: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = []
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found.append((member.name, content.read()))
    return found


# --- The tar --------------------------------------------------------------------------


def test_a_record_is_three_members() -> None:
    long = "long" * 40
    assert members(write(RECORDS)) == [
        ("n01_1.jpg", jpeg(5, 3)),
        ("n01_1.cls", b"0"),
        ("n01_1.json", b'{"file_name":"n01_1.JPEG","label":0,"class_name":"n01"}'),
        ("ILSVRC2012_val_ü.jpg", b""),
        ("ILSVRC2012_val_ü.cls", b"-1"),
        (
            "ILSVRC2012_val_ü.json",
            '{"file_name":"ILSVRC2012.val.ü.JPEG","label":-1,"class_name":""}'.encode(),
        ),
        (f"{long}.jpg", bytes(1024)),
        (f"{long}.cls", b"1"),
        (
            f"{long}.json",
            b'{"file_name":"%b.JPEG","label":1,"class_name":"n02"}' % long.encode(),
        ),
    ]


def test_json_has_the_dimensions_that_are_asked_for() -> None:
    found = dict(members(write(RECORDS, WITH_SIZES)))
    assert found["n01_1.json"] == (
        b'{"file_name":"n01_1.JPEG","label":0,"class_name":"n01","width":5,"height":3}'
    )
    assert found["ILSVRC2012_val_ü.json"].endswith(
        b'"class_name":"","width":null,"height":null}'
    )


def test_headers_say_nothing_of_who_wrote_them_and_when() -> None:
    with tarfile.open(fileobj=io.BytesIO(write(RECORDS))) as tar:
        for member in tar:
            assert (member.mode, member.mtime) == (0o444, 0)
            assert (member.uid, member.gid) == (0, 0)
            assert (member.uname, member.gname) == ("", "")
            assert member.isreg()


# With 17 records, 512 bytes are left of the last 10240: too few for the end.
@pytest.mark.parametrize("count", [0, 1, 7, 17])
def test_the_file_is_the_one_tarfile_writes(count: int) -> None:
    records = [Example(f"{i}", bytes(i * 100), 0) for i in range(count)]
    expected = io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members(write(records)):
            header = tarfile.TarInfo(name)
            header.size, header.mode = len(content), 0o444
            tar.addfile(header, io.BytesIO(content))
    assert write(records) == expected.getvalue()
    assert len(expected.getvalue()) % 10240 == 0


def test_two_writes_give_the_same_bytes() -> None:
    assert write(RECORDS, WITH_SIZES) == write(RECORDS, WITH_SIZES)


def test_writer_leaves_the_file_open() -> None:
    file = io.BytesIO()
    WebDatasetWriter(file, PLAIN).close()
    assert file.getvalue() == bytes(10240)
    assert read(file.getvalue()) == []


@pytest.mark.parametrize(
    ("file_name", "key"),
    [
        ("n01440764_36.JPEG", "n01440764_36"),
        ("a", "a"),
        ("a.b.c.JPEG", "a_b_c"),
        (".JPEG", "_JPEG"),
        ("a.", "a"),
    ],
)
def test_record_key(file_name: str, key: str) -> None:
    assert record_key(file_name) == key


def test_two_records_of_one_key_are_an_error() -> None:
    writer = WebDatasetWriter(io.BytesIO(), PLAIN)
    writer.write(Example("a.b.JPEG", b"", 0))
    with pytest.raises(FormatError) as caught:
        writer.write(Example("a_b.png", b"", 0))
    assert str(caught.value) == (
        "a.b.JPEG and a_b.png have the same key in a WebDataset tar, a_b, so they "
        "can't be in one."
    )


def test_the_same_record_twice_is_an_error() -> None:
    writer = WebDatasetWriter(io.BytesIO(), PLAIN)
    writer.write(RECORDS[0])
    with pytest.raises(FormatError, match=r"^n01_1\.JPEG and n01_1\.JPEG have"):
        writer.write(RECORDS[0])


# Whatever a file can be named; NUL and slashes can't be in a name.
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=150
)


@settings(deadline=None, max_examples=100)
@given(
    records=st.lists(
        st.builds(Example, NAMES, st.binary(max_size=600), st.integers(-1, 1)),
        unique_by=lambda record: record_key(record.file_name),
    ),
    dimensions=st.booleans(),
)
def test_what_is_written_is_read(records: list[Example], dimensions: bool) -> None:
    assert read(write(records, Schema(("n01", "n02"), dimensions))) == records


# --- Damage ---------------------------------------------------------------------------


def test_every_truncation_is_an_error() -> None:
    data = write(RECORDS[:2])
    end = len(data.rstrip(b"\0")) + 512 & ~511
    for cut in range(0, end + 1024, 64):
        with pytest.raises(FormatError):
            read(data[:cut])
    assert read(data[: end + 1024]) == RECORDS[:2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Damaged, or no tar: empty file."),
        (b"not a tar" * 1000, "Damaged, or no tar: invalid header."),
        (write(RECORDS[:1])[1:], "Damaged, or no tar: bad checksum."),
        (write(RECORDS[:1])[:1000], "Damaged, or no tar: unexpected end of data."),
    ],
    ids=["empty", "another", "shifted", "cut"],
)
def test_what_is_no_tar_is_an_error(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(data)
    assert str(caught.value) == message


def test_a_damaged_header_is_not_the_end() -> None:
    data = bytearray(write(RECORDS[:2]))
    place = data.index("ILSVRC2012_val_ü.jpg".encode())
    data[place] ^= 1
    records = read_webdataset(io.BytesIO(data))
    with pytest.raises(FormatError) as caught:
        list(records)
    assert str(caught.value) == (f"The tar is damaged or cut off at byte {place:,}.")


def tar(content: Mapping[str, bytes | None]) -> bytes:
    """Returns a tar of files and, where there is None, directories."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in content.items():
            header = tarfile.TarInfo(name)
            header.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            header.size = len(data or b"")
            archive.addfile(header, io.BytesIO(data or b""))
    return file.getvalue()


JSON = b'{"file_name":"a.JPEG","label":1}'
GOOD = {"a.jpg": b"x", "a.cls": b"1", "a.json": JSON}


def test_a_tar_of_another_writer_is_read() -> None:
    assert read(tar(GOOD)) == [Example("a.JPEG", b"x", 1)]


NO_JSON = "a has no label, or no JSON with one."
OTHER = "a.json is of another file or label."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            {"a.jpg": b"", "a.json": JSON},
            "a has [jpg, json], expected jpg, cls, json.",
            id="missing",
        ),
        pytest.param(
            GOOD | {"a.txt": b""},
            "a has [jpg, cls, json, txt], expected jpg, cls, json.",
            id="extra",
        ),
        pytest.param(
            {"a.cls": b"1", "a.jpg": b"", "a.json": JSON},
            "a has [cls, jpg, json], expected jpg, cls, json.",
            id="order",
        ),
        pytest.param(
            {"a.jpg": b"", "a.cls": b"1", "b.json": JSON, "a.json": JSON},
            "a has [jpg, cls], expected jpg, cls, json.",
            id="apart",
        ),
        pytest.param(
            {"a": b""}, "a has [a], expected jpg, cls, json.", id="no-extension"
        ),
        pytest.param({"a.jpg": None}, "a.jpg is no file.", id="directory"),
        pytest.param(GOOD | {"a.cls": b"2"}, OTHER, id="other-label"),
        pytest.param(
            GOOD | {"a.json": b'{"file_name":"b.JPEG","label":1}'},
            OTHER,
            id="other-file",
        ),
        pytest.param(GOOD | {"a.cls": b"one"}, OTHER, id="label-no-number"),
        pytest.param(GOOD | {"a.cls": b""}, OTHER, id="no-label"),
        pytest.param(GOOD | {"a.cls": b"0_1"}, OTHER, id="label-as-python-has-it"),
        *(
            pytest.param(
                GOOD | {"a.json": b'{"file_name":"a.JPEG","label":%b}' % label},
                "a.json has a label that is no class.",
                id=f"label-{number}",
            )
            for number, label in enumerate(
                (b"true", b"1.0", b'"1"', b"NaN", b"-2", b"9223372036854775808")
            )
        ),
        pytest.param(
            GOOD | {"a.json": b'{"file_name":"a.JPEG","label":%b}' % (b"1" * 5000)},
            NO_JSON,
            id="label-of-5000-digits",
        ),
        pytest.param(
            GOOD | {"a.json": b"[" * 100_000 + b"]" * 100_000}, NO_JSON, id="deep"
        ),
        pytest.param(
            GOOD | {"a.json": rb'{"file_name":"\ud800.JPEG","label":1}'},
            NO_JSON,
            id="half-a-character",
        ),
        pytest.param(
            GOOD | {f"a.{number}": b"" for number in range(100)},
            "a has [jpg, cls, json, 0], expected jpg, cls, json.",
            id="no-end-of-members",
        ),
        pytest.param(
            {"\x1b[2J.jpg": b""},
            r"\x1b[2J has [jpg], expected jpg, cls, json.",
            id="control-characters",
        ),
        pytest.param(GOOD | {"a.json": b"{"}, NO_JSON, id="no-json"),
        pytest.param(GOOD | {"a.json": b"\xff"}, NO_JSON, id="no-utf-8"),
        pytest.param(GOOD | {"a.json": b"[]"}, NO_JSON, id="a-list"),
        pytest.param(GOOD | {"a.json": b'{"label":1}'}, NO_JSON, id="no-name"),
        pytest.param(
            GOOD | {"a.json": b'{"file_name":3,"label":1}'}, NO_JSON, id="name-a-number"
        ),
    ],
)
def test_a_record_that_is_not_ours_is_an_error(
    content: dict[str, bytes | None], message: str
) -> None:
    with pytest.raises(FormatError) as caught:
        read(tar(content))
    assert str(caught.value) == message


def test_a_member_of_a_negative_size_is_an_error() -> None:
    data = bytearray(tar(GOOD))
    data[124:136] = b"\xff" * 11 + b"\x00"  # -256
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    # From Python 3.14 on, tarfile says so itself.
    with pytest.raises(FormatError, match=r"(?i)damaged"):
        read(bytes(data))


def test_a_changed_byte_is_an_error_or_does_no_harm_but_in_an_image() -> None:
    record = Example("a.JPEG", b"JPEG" * 20, 1)
    data = write([record])
    harmless = 0
    image = range(512, 512 + len(record.image))  # no checksum protects it
    for place in range(6 * 512):
        damaged = bytearray(data)
        damaged[place] ^= 0x41 if place % 2 else 0x80
        try:
            (found,) = read(bytes(damaged))
        except FormatError:
            assert place not in image
            continue
        if place in image:
            assert found == Example("a.JPEG", bytes(damaged[512:592]), 1)
        else:
            assert found == record
            harmless += 1
    # What fills the blocks up, the name of the class, and ways to write a sum.
    assert harmless > 3 * 512 - 150


# --- The documents --------------------------------------------------------------------


def split(name: str, *files: FileFacts) -> SplitFacts:
    return SplitFacts(name, sum(file.examples for file in files), 10, files)


TRAIN = split(
    "train",
    FileFacts("train-000000.tar", 20480, 3, ""),
    FileFacts("train-000001.tar", 10240, 2, ""),
)
TEST = split("test", FileFacts("test-000000.tar", 30720, 1, ""))

INFO = """\
{
  "splits": {
    "train": {
      "name": "train",
      "filenames": [
        "train-000000.tar",
        "train-000001.tar"
      ],
      "shard_lengths": [
        3,
        2
      ],
      "num_samples": 5
    },
    "test": {
      "name": "test",
      "filenames": [
        "test-000000.tar"
      ],
      "shard_lengths": [
        1
      ],
      "num_samples": 1
    }
  }
}
"""

TRAIN_INDEX = """\
{
  "__kind__": "wids-shard-index-v1",
  "wids_version": 1,
  "name": "d/small/train",
  "shardlist": [
    {
      "url": "train-000000.tar",
      "nsamples": 3,
      "filesize": 20480
    },
    {
      "url": "train-000001.tar",
      "nsamples": 2,
      "filesize": 10240
    }
  ]
}
"""


def test_companions_of_the_tars() -> None:
    small = companions("d", ConfigFacts("small", "", 0, (TRAIN, TEST)))
    assert list(small) == ["_info.json", "train-index.json", "test-index.json"]
    assert f"{json.dumps(small['_info.json'], indent=2)}\n" == INFO
    assert f"{json.dumps(small['train-index.json'], indent=2)}\n" == TRAIN_INDEX
    assert small["test-index.json"]["shardlist"] == [
        {"url": "test-000000.tar", "nsamples": 1, "filesize": 30720}
    ]
    large = companions("d", ConfigFacts("large", "", 0, (TRAIN,)))
    assert large["train-index.json"]["name"] == "d/large/train"
    assert set(large["_info.json"]["splits"]) == {"train"}
