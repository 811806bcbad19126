"""Any bytes: a zip that ``zipfile`` lists and reads alike, or refused."""

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import suppress

import atheris

from tests.suites.fuzz.harness import fuzz

with atheris.instrument_imports(include=["transforms", "tests.helpers.zips"]):
    from tests.helpers.zips import Part, bodies, check_zip, end_record, pack, zip64_end
    from transforms.archives.zip.records import ZipFormatError


def check(data: bytes) -> None:
    """Checks the bytes; the first one says in pieces of what size to read them."""
    piece = 1 + data[0] * 8 if data else 1
    with suppress(ZipFormatError):
        check_zip(data[1:], piece)


def _seeds() -> Iterator[bytes]:
    parts = [
        Part(b"d/", b""),
        Part(b"d/a.JPEG", method=8),
        Part("é".encode(), entry=(("flags", 1 << 11),), local=(("flags", 1 << 11),)),
        Part(b"b", entry_extra=b"UT\5\0\1abcd" + struct.pack("<HHBL", 0x7075, 5, 1, 0)),
        Part(
            b"c",
            entry_extra=struct.pack("<HHQ", 1, 8, 5),
            entry=(("size", 0xFFFF_FFFF),),
        ),
        Part(b"e", local=(("flags", 8), ("crc", 0)), after=bytes(16)),
    ]
    for piece in (b"\1", b"\xff"):
        yield piece + pack(parts, b"comment")
        yield piece + pack(parts[:1])
    members, directory = bodies(parts)
    at = len(members) + len(directory)
    wide = zip64_end(len(parts), len(directory), len(members), at)
    yield (
        b"\xff"
        + members
        + directory
        + wide
        + end_record(0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF)
    )
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as packed:
            for name in ("train/n01/n01_1.JPEG", "é", "empty"):
                with packed.open(name, "w", force_zip64=name == "é") as member:
                    member.write(name.encode() * 9)
        yield b"\x20" + file.getvalue()


if __name__ == "__main__":
    fuzz("zip", check, _seeds())
