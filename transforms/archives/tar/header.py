"""The fields of a tar's headers, each read as strictly as readers of tars agree on.

A header is a block of 512 bytes: ustar's, or that of the formats before it, with the
extensions of GNU (base-256 sizes, times where POSIX has a prefix). An extended header
has a body, which says more of the member after it.

The format is described in POSIX.1-2001 (pax) and in the GNU tar manual, "Basic Tar
Format".
"""

import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

BLOCK: Final = 512  # bytes
RECORD: Final = 20 * BLOCK  # bytes; what GNU tar and Python pad an archive to
ZERO_BLOCK: Final = bytes(BLOCK)

# What a compressed file begins with, the program's name, and how it unpacks to stdout.
COMPRESSIONS: Final = (
    (b"\x1f\x8b", "gzip", "gzip -dc"),
    (b"BZh", "bzip2", "bzip2 -dc"),
    (b"\xfd7zXZ\x00", "xz", "xz -dc"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
    (b"PK\x03\x04", "zip", "unzip -p"),
)

Range = tuple[int, int]  # offset and size, in bytes

_OCTAL: Final = b"01234567"
_POSIX: Final = b"ustar\0"
_GNU: Final = b"ustar  \0"
_NEGATIVE: Final = 0xFF  # begins a number below zero in base 256


class TarFormatError(Exception):
    """A range does not hold a well-formed tar.

    Attributes:
        offset: Where in the file the fault was found.
        reason: What is wrong there.
        member: The last member before the fault, or an empty string.
    """

    def __init__(self, offset: int, reason: str, member: str = "") -> None:
        """Keeps what the caller needs for a message that names the file."""
        super().__init__(offset, reason, member)
        self.offset = offset
        self.reason = reason
        self.member = member


def checksum_matches(header: bytes) -> bool:
    """Returns whether a header's bytes add up to the sum it states.

    The low half of Adler-32 is the byte sum, in which 256 bytes can't overflow, and
    six times as fast as ``sum``. The field itself counts as eight spaces.
    """
    written = header[148:156]
    try:
        stated = _octal(written)
    except ValueError:
        return False
    total = (zlib.adler32(header[:256]) & 0xFFFF) + (
        zlib.adler32(header[256:]) & 0xFFFF
    )
    field = sum(written) - 8 * 32
    if total - 2 - field == stated:
        return True
    # Some old writers summed signed bytes.
    signed = sum(byte - 256 if byte > 127 else byte for byte in header)
    return signed - field == stated


def marked_blocks(data: bytes) -> npt.NDArray[np.intp]:
    """Returns the numbers of the blocks of 512 bytes with the mark of a tar header."""
    whole = np.frombuffer(data, np.uint8, len(data) // BLOCK * BLOCK)
    marks = whole.reshape(-1, BLOCK)[:, 257:262]
    return np.flatnonzero((marks == np.frombuffer(b"ustar", np.uint8)).all(axis=1))


def corrupt_reason(header: bytes) -> str:
    """Returns what is wrong with a block that is no header."""
    for magic, name, _ in COMPRESSIONS:
        if header.startswith(magic):
            return f"it is compressed with {name}"
    return "the header's checksum is wrong"


def size_of(header: bytes) -> int:
    """Returns the size field's value; octal, or base-256 where the top bit is set.

    Raises:
        ValueError: The field is no number.
    """
    field = header[124:136]
    try:
        return _number(field)
    except ValueError:
        raise ValueError(f"its size field reads {field!r}") from None


def name_of(header: bytes) -> str:
    """Returns a member's name, with its prefix.

    POSIX's headers have a prefix where those of GNU have times. Go's writer before
    version 1.8 wrote a prefix there in GNU's headers too (golang.org/issue/21005), and
    Python and Go read one that can't be times.

    Raises:
        ValueError: A header that has no prefix has something in its place.
    """
    name = header[:100].partition(b"\0")[0]
    if header[345]:
        if header[257:263] == _POSIX:
            name = _prefix(header) + b"/" + name
        elif header[257:265] != _GNU:
            raise ValueError("a prefix of its name in a header that has none")
        elif not _has_times(header):
            name = _prefix(header) + b"/" + name
    return decode(name)


def own_name(header: bytes) -> bytes:
    """Returns the field of a member's name alone."""
    return header[:100].partition(b"\0")[0]


def target_of(header: bytes) -> str:
    """Returns the name that a link leads to."""
    return decode(header[157:257].partition(b"\0")[0])


def pax_records(data: bytes) -> dict[str, bytes]:
    """Returns the ``length key=value`` records of a PAX header's body.

    Raises:
        ValueError: A record is malformed.
    """
    records = {}
    at = 0
    while at < len(data) and data[at]:
        length, space, _ = data[at : at + 20].partition(b" ")
        if not space or not length.isdigit():
            raise ValueError("a malformed PAX record")
        record = data[at + len(length) + 1 : at + int(length)]
        key, equals, value = record.partition(b"=")
        whole = record[-1:] == b"\n" and at + int(length) <= len(data)
        if not key or not equals or not whole:
            raise ValueError("a malformed PAX record")
        records[decode(key)] = value[:-1]
        at += int(length)
    return records


def decode(name: bytes) -> str:
    """Returns a name as text, whatever its bytes."""
    return name.decode("utf-8", "backslashreplace")


def padded(size: int) -> int:
    """Returns a size rounded up to whole blocks."""
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _prefix(header: bytes) -> bytes:
    return header[345:500].partition(b"\0")[0]


def _has_times(header: bytes) -> bool:
    """Returns whether a GNU header's times of access and of change are numbers."""
    try:
        for field in (header[345:357], header[357:369]):
            if field[0] != _NEGATIVE:
                _number(field)
    except ValueError:
        return False
    return True


def _number(field: bytes) -> int:
    """Returns the number in a field of 12 bytes."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return _octal(field)


def _octal(field: bytes) -> int:
    """Returns a field's number; ``int`` alone would take signs and underscores too."""
    digits = field.partition(b"\0")[0]
    if not digits.isdigit():  # mostly there is nothing to strip
        digits = digits.strip(b" ")
        if digits.strip(_OCTAL):
            raise ValueError("no octal number")
    return int(digits or b"0", 8)
