"""What listings and open files say of one object has to agree, as servers round."""

import pyarrow as pa
import pytest
from pyarrow import fs

from transforms.storage.backend import FileInfo, Part
from transforms.storage.remote import arrow

MODIFIED_NS = 1_795_779_504_000_000_000  # 2026-11-27T11:38:24Z


class Server:
    """Says ms where it lists, as MinIO does, and seconds of one object."""

    type_name = "s3"

    def get_file_info(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        kind, modified = fs.FileType.File, MODIFIED_NS + 789_000_000
        return [fs.FileInfo("bucket/file", kind, size=4, mtime_ns=modified)]

    def open_input_file(self, path: str) -> "Opened":
        return Opened(pa.BufferReader(b"data"))


class Opened:
    def __init__(self, data: pa.BufferReader) -> None:
        self._data = data
        self.read_at, self.size = data.read_at, data.size

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()

    def metadata(self) -> dict[str, bytes]:
        return {"Last-Modified": b"2026-11-27T11:38:24Z", "ETag": b'"5f3-1"'}


def test_a_listed_time_is_that_of_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_locate", lambda uri: (Server(), uri))
    (entry,) = arrow.list_entries("s3://bucket")
    assert entry == ("file", 4, str(MODIFIED_NS))
    file = FileInfo("s3://bucket/file", 4, entry.generation)
    assert arrow.open_files("s3://bucket").read(Part(file, 0, 4)) == b"data"
