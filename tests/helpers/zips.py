"""Zips made record by record, and what Python's zipfile makes of any.

The standard library and Arrow are all that is needed here, so that the fuzzer, which
has an environment of its own, shares the check with the tests.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives.zip.directory import ZipListing, list_zip
from transforms.archives.zip.member import ZipMember, read_member
from transforms.archives.zip.records import Range

FULL_16 = 0xFFFF
FULL_32 = 0xFFFF_FFFF


def deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


@dataclass(frozen=True)
class Part:
    """One member, true unless something is set otherwise.

    ``local`` and ``entry`` override fields of the two headers, by the names below.
    """

    name: bytes
    content: bytes = b"bytes"
    method: int = 0
    data: bytes | None = None
    local_extra: bytes = b""
    entry_extra: bytes = b""
    local: tuple[tuple[str, Any], ...] = ()
    entry: tuple[tuple[str, Any], ...] = ()
    after: bytes = b""

    def body(self) -> bytes:
        if self.data is not None:
            return self.data
        return deflate(self.content) if self.method else self.content

    def fields(self, changed: tuple[tuple[str, Any], ...], offset: int) -> Any:
        true = {
            "signature": 0x0403_4B50,
            "made_by": 0x0314,
            "flags": 0,
            "method": self.method,
            "crc": zlib.crc32(self.content),
            "compressed": len(self.body()),
            "size": len(self.content),
            "disk": 0,
            "mode": 0o100644,
            "offset": offset,
        }
        return true | dict(changed)

    def local_record(self) -> bytes:
        f = self.fields(self.local, 0)
        return (
            struct.pack(
                "<L5H3L2H",
                *(f["signature"], 20, f["flags"], f["method"], 0, 0),
                *(f["crc"], f["compressed"], f["size"]),
                *(len(self.name), len(self.local_extra)),
            )
            + f.get("name", self.name)
            + self.local_extra
            + self.body()
            + self.after
        )

    def entry_record(self, offset: int) -> bytes:
        f = self.fields((("signature", 0x0201_4B50), *self.entry), offset)
        return (
            struct.pack(
                "<L6H3L5H2L",
                *(f["signature"], f["made_by"], 20, f["flags"], f["method"], 0, 0),
                *(f["crc"], f["compressed"], f["size"]),
                *(len(self.name), len(self.entry_extra), 0),
                *(f["disk"], 0, f["mode"] << 16, f["offset"]),
            )
            + self.name
            + self.entry_extra
        )


def end_record(
    entries: int,
    size: int,
    offset: int,
    comment: bytes = b"",
    disk: int = 0,
    stated: int | None = None,
) -> bytes:
    length = len(comment) if stated is None else stated
    return (
        struct.pack(
            "<4s4H2LH",
            *(b"PK\5\6", disk, disk, entries, entries, size, offset, length),
        )
        + comment
    )


def zip64_end(
    entries: int, size: int, offset: int, at: int, disks: int = 1, rest: int = 44
) -> bytes:
    """Returns a zip64 end record and its locator, which states where it is."""
    return struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", rest, 45, 45, 0, 0, entries, entries, size, offset
    ) + struct.pack("<4sLQL", b"PK\6\7", 0, at, disks)


def bodies(parts: Iterable[Part], start: int = 0) -> tuple[bytes, bytes]:
    """Returns members, and the directory of them where they begin at some byte."""
    members = directory = b""
    for part in parts:
        directory += part.entry_record(start + len(members))
        members += part.local_record()
    return members, directory


def pack(parts: Sequence[Part], comment: bytes = b"") -> bytes:
    """Returns a zip."""
    members, directory = bodies(parts)
    end = end_record(len(parts), len(directory), len(members), comment)
    return members + directory + end


def list_bytes(data: bytes, piece: int = 8 << 20) -> ZipListing:
    """Returns what a zip lists, having seen that nothing beside it is read."""

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        for offset, size in ranges:
            assert 0 <= offset <= offset + size <= len(data)
        return [data[offset : offset + size] for offset, size in ranges]

    return list_zip(read_many, len(data), everything, piece)


def everything(names: pa.StringArray) -> pa.BooleanArray:
    return pc.is_valid(names)


def read_all(data: bytes, listing: ZipListing) -> dict[str, bytes]:
    """Returns the bytes of every member by its name."""
    found = {}
    for row in listing.members.to_pylist():
        name = row.pop("name")
        start = row["offset"]
        found[name] = read_member(data[start : start + row["span"]], ZipMember(**row))
    return found


def check_zip(data: bytes, piece: int = 8 << 20) -> ZipListing:
    """Lists and reads a zip and asserts that ``zipfile`` finds the same in it.

    Raises:
        ZipFormatError: The zip is refused, which it may be.
    """
    listing = list_bytes(data, piece)
    contents = read_all(data, listing)
    members = listing.members.to_pylist()
    with (
        # It refuses whatever asks for a version of the format that it does not know.
        suppress(NotImplementedError),
        zipfile.ZipFile(io.BytesIO(data)) as file,
    ):
        infos = file.infolist()
        files = [info for info in infos if not _name_of(info).endswith("/")]
        assert listing.directories == len(infos) - len(files)
        assert listing.files == len(files) == len(members)
        for row, info in zip(members, files, strict=True):
            assert row["name"] == _name_of(info)
            assert (row["offset"], row["size"]) == (info.header_offset, info.file_size)
            assert (row["compressed"], row["method"], row["crc"]) == (
                *(info.compress_size, info.compress_type, info.CRC),
            )
        ends = sorted((row["offset"], row["offset"] + row["span"]) for row in members)
        for (_, end), (start, _) in pairwise(ends):
            assert end <= start
        if len(contents) == len(files):  # else two have one name
            for info in files:
                if _header_names_alike(data, info):
                    assert file.read(info) == contents[_name_of(info)]
    return listing


def _header_names_alike(data: bytes, info: zipfile.ZipInfo) -> bool:
    """Returns whether both headers say alike how a name is encoded.

    zipfile refuses a member where they do not; its bytes are not in question.
    """
    flags = int.from_bytes(data[info.header_offset + 6 :][:2], "little")
    return not (flags ^ info.flag_bits) & 0x800 or info.orig_filename.isascii()


def _name_of(info: zipfile.ZipInfo) -> str:
    """Returns a member's name, by its Unicode path where that is valid.

    Python 3.11 knows of none.
    """
    extra = info.extra
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == 0x7075 and field[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return field[5:].decode()
    return info.orig_filename
