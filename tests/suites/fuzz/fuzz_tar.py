"""Any bytes: a tar that ``tarfile`` lists alike, links too, or refused."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import suppress

import atheris

from tests.suites.fuzz.harness import fuzz

with atheris.instrument_imports(include=["transforms", "tests.helpers.oracles"]):
    from tests.helpers.oracles import check_links, check_walk
    from transforms.archives.tar.header import BLOCK, TarFormatError

_MEMBERS = [  # of all kinds: name, type, and what a link leads to
    ("a.JPEG", tarfile.REGTYPE, ""),
    ("d/", tarfile.AREGTYPE, ""),
    ("é" * 60, tarfile.DIRTYPE, ""),
    ("d/b.JPEG", tarfile.SYMTYPE, "../a.JPEG"),
    ("c.JPEG", tarfile.LNKTYPE, "d/b.JPEG"),
    ("d/" + "n" * 150, tarfile.LNKTYPE, "a.JPEG"),
    ("y" * 120, tarfile.SYMTYPE, "x" * 300),
    ("x" * 300, tarfile.REGTYPE, ""),
]


def check(data: bytes) -> None:
    """Checks the bytes as they are or, if the first is odd, with their sums put right.

    Without that hardly any change would get past the checksum of the first header.
    """
    archive = data[1:]
    if data[:1] and data[0] & 1:
        archive = _seal(archive)
    with suppress(TarFormatError):
        check_walk(archive)
        check_links(archive)


def _seal(archive: bytes) -> bytes:
    """Returns an archive with the sum of each header that can be found."""
    sealed = bytearray(archive)
    at = 0
    while at + BLOCK <= len(sealed) and any(sealed[at : at + BLOCK]):
        sealed[at + 148 : at + 156] = b" " * 8
        total = sum(sealed[at : at + BLOCK])
        sealed[at + 148 : at + 156] = b"%06o\0 " % total
        size = 0
        with suppress(tarfile.HeaderError, IndexError):
            size = tarfile.nti(sealed[at + 124 : at + 136])
        if sealed[at + 156] in b"12345V":
            size = 0
        at += BLOCK + max(0, -(-size // BLOCK) * BLOCK)
    return bytes(sealed)


def _seeds() -> Iterator[bytes]:
    for tar_format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        for first in (0, 1):
            yield bytes([first]) + _pack(tar_format, {})
        yield b"\1" + _pack(tar_format, {"comment": "by git archive"})
    yield b"\1" + _pack(tarfile.PAX_FORMAT, {"path": "all"})
    whole = _pack(tarfile.GNU_FORMAT, {})
    yield b"\1" + whole.rstrip(b"\0").ljust(len(whole) - 1024, b"\0")  # no end
    yield b"\1" + whole + bytes(20_000)
    yield b"\1" + whole + whole
    hole = len(whole) // 2 // BLOCK * BLOCK
    yield b"\1" + whole[:hole] + bytes(4096) + whole[hole + 4096 :]


def _pack(tar_format: int, global_headers: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=tar_format, pax_headers=global_headers
    ) as tar:
        for name, kind, target in _MEMBERS:
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, target
            header.size = 5 if header.isreg() else 0
            if tar_format == tarfile.PAX_FORMAT:
                header.pax_headers = {"size": str(header.size), "mtime": "1.5"}
            tar.addfile(header, io.BytesIO(b"bytes"))
    return file.getvalue().rstrip(b"\0") + bytes(-len(file.getvalue()) % BLOCK + 1024)


if __name__ == "__main__":
    fuzz("tar", check, _seeds())
