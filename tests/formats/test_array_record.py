"""ArrayRecord files, as the format's own library writes and reads them."""

import errno
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from array_record.python.array_record_module import ArrayRecordReader
from array_record.python.array_record_module import ArrayRecordWriter as LibraryWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.errors import FormatError, StorageError
from transforms.formats.array_record import ArrayRecordWriter, read_array_record
from transforms.formats.records import Example, Schema
from transforms.formats.tf_example import encode_example

SCHEMA = Schema(())

RECORDS = [
    Example(f"n{label}_ü.JPEG", random.Random(label).randbytes(9_000), label)
    for label in (-1, 0, 127, 128, 999)
] * 4

EXAMPLES = st.lists(
    st.builds(Example, st.text(), st.binary(max_size=300), st.integers(-1, 999))
)


def write(path: Path, records: list[Example]) -> bytes:
    writer = ArrayRecordWriter(str(path), SCHEMA)
    for record in records:
        writer.write(record)
    writer.close()
    return path.read_bytes()


def encoded(records: list[Example]) -> list[bytes]:
    return [b"".join(encode_example(record)) for record in records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_file_is_that_of_the_library(path: Path, tmp_path: Path) -> None:
    library = LibraryWriter(str(tmp_path / "library"), "group_size:1")
    for record in encoded(RECORDS):
        library.write(record)
    library.close()
    data = write(path, RECORDS)
    assert data == (tmp_path / "library").read_bytes()
    assert len(data) % (64 << 10) == 0
    assert list(read_array_record(str(path))) == RECORDS


def test_library_reads_records_in_any_order(path: Path) -> None:
    write(path, RECORDS)
    reader = ArrayRecordReader(str(path))
    assert "group_size:1," in reader.writer_options_string()
    assert reader.num_records() == len(RECORDS)
    places = [7, 0, 19, 7]
    assert reader.read(places) == [encoded(RECORDS)[place] for place in places]
    reader.close()


@settings(deadline=None, max_examples=50)
@given(records=EXAMPLES)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, records: list[Example]
) -> None:
    path = tmp_path_factory.mktemp("round") / "file"
    assert len(write(path, records)) % (64 << 10) == 0
    assert list(read_array_record(str(path))) == records


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        pytest.param(0, 0, "ArrayRecord file should be at least 64KB big", id="empty"),
        pytest.param(0, 999, "ArrayRecord file should be at least 64KB", id="start"),
        pytest.param(0, 65_536, "its end is missing.", id="first-block"),
        pytest.param(0, -65_536, "Invalid Riegeli/records file: ", id="last-block-off"),
        pytest.param(0, -1, "Invalid Riegeli/records file: ", id="last-byte-off"),
        pytest.param(1, None, "Corrupted Riegeli/records file: ", id="shifted"),
    ],
)
def test_a_cut_off_file_is_an_error(
    path: Path, start: int, end: int | None, message: str
) -> None:
    path.write_bytes(write(path, RECORDS)[start:end])
    with pytest.raises(FormatError) as caught:
        list(read_array_record(str(path)))
    assert str(caught.value).startswith(f"Damaged, or no ArrayRecord file: {message}")


def test_another_file_is_an_error(path: Path) -> None:
    path.write_bytes(b"not an ArrayRecord" * 10_000)
    with pytest.raises(FormatError, match=r"^Damaged, or no ArrayRecord file: "):
        list(read_array_record(str(path)))


def test_a_changed_byte_is_an_error_behind_the_records_before_it(path: Path) -> None:
    data = bytearray(write(path, RECORDS))
    data[data.index(RECORDS[2].image[:100])] ^= 1
    path.write_bytes(data)
    records = read_array_record(str(path))
    assert [next(records), next(records)] == RECORDS[:2]
    with pytest.raises(FormatError, match="chunk data hash mismatch"):
        next(records)


def test_a_record_that_is_no_example_is_an_error(path: Path) -> None:
    library = LibraryWriter(str(path), "group_size:1")
    library.write(b"\x0a\x05cut")
    library.close()
    with pytest.raises(FormatError, match=r"^An Example is cut off\.$"):
        list(read_array_record(str(path)))


def test_what_the_system_refuses_is_no_matter_of_format(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Is a directory"):
        list(read_array_record(str(tmp_path)))
    with pytest.raises(IsADirectoryError):
        ArrayRecordWriter(str(tmp_path), SCHEMA)
    with pytest.raises(FileNotFoundError):
        ArrayRecordWriter(str(tmp_path / "missing" / "file"), SCHEMA)


def test_a_closed_writer_can_be_closed_again(path: Path) -> None:
    writer = ArrayRecordWriter(str(path), SCHEMA)
    writer.write(RECORDS[0])
    writer.close()
    data = path.read_bytes()
    writer.close()
    assert path.read_bytes() == data


def test_a_full_disk_is_told_at_the_end() -> None:
    writer = ArrayRecordWriter("/dev/full", SCHEMA)
    writer.write(RECORDS[0])
    with pytest.raises(OSError, match="No space left on device") as caught:
        writer.close()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")
    writer.close()


@pytest.fixture
def small_files() -> Iterator[None]:
    """Lets no file grow beyond 200 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_failed_write_is_the_systems_error_and_ends_the_file(path: Path) -> None:
    writer = ArrayRecordWriter(str(path), SCHEMA)

    def write_many() -> None:
        for record in RECORDS * 100:
            writer.write(record)

    with pytest.raises(OSError, match="File too large") as caught:
        write_many()
    assert caught.value.errno == errno.EFBIG
    writer.close()
