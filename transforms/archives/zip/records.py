"""The records of a zip: their layouts, and the error of bytes that are none.

The format is described in PKWARE's APPNOTE.TXT 6.3.10; all numbers are little-endian.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Final

Range = tuple[int, int]  # offset and size, in bytes
ReadMany = Callable[[Sequence[Range]], list[bytes]]

# Signature, disk, disk of the directory, entries on this disk, entries, size and offset
# of the directory, length of the comment (APPNOTE 4.3.16).
END: Final = struct.Struct("<4s4H2LH")
END_SIGNATURE: Final = b"PK\5\6"
# Signature, disk of the zip64 end record, its offset, number of disks (4.3.15).
LOCATOR: Final = struct.Struct("<4sLQL")
LOCATOR_SIGNATURE: Final = b"PK\6\7"
# Signature, size of the rest, versions, disk, disk of the directory, entries on this
# disk, entries, size and offset of the directory (4.3.14).
END64: Final = struct.Struct("<4sQ2H2L4Q")
END64_SIGNATURE: Final = b"PK\6\6"
# Signature, version needed, flags, method, time, date, CRC-32, compressed size, size,
# lengths of name and extra field (4.3.7).
LOCAL: Final = struct.Struct("<4s5H3L2H")
LOCAL_SIGNATURE: Final = b"PK\3\4"
# An entry of the directory begins with 46 bytes; its lengths of name, extra field and
# comment stand at byte 28 (4.3.12).
ENTRY_SIZE: Final = 46  # bytes
ENTRY_SIGNATURE: Final = b"PK\1\2"
LENGTHS: Final = struct.Struct("<3H")
LENGTHS_AT: Final = 28

ENCRYPTED: Final = 1 | 1 << 6 | 1 << 13  # flags: encrypted, strongly, the directory too
STREAMED: Final = 1 << 3  # flag: CRC-32 and sizes follow the data
PATCH: Final = 1 << 5  # flag: the data are a difference to another file
UTF_8: Final = 1 << 11  # flag: the name is

STORED: Final = 0
DEFLATED: Final = 8

FULL_16: Final = 0xFFFF  # «look in the zip64 record», in a field of 16 bits
FULL_32: Final = 0xFFFF_FFFF  # and in one of 32
ZIP64: Final = 0x0001  # extra field: numbers of 64 bits
UNICODE_PATH: Final = 0x7075  # extra field: the name in UTF-8, and whose it is


class ZipFormatError(Exception):
    """A file does not hold a well-formed zip, or one that readers do not agree on.

    Attributes:
        offset: Where in the file the fault was found.
        reason: What is wrong there.
        member: The member that is at fault, or an empty string.
        remedy: What to do, as a sentence; empty where the file is damaged.
    """

    def __init__(
        self, offset: int, reason: str, member: str = "", remedy: str = ""
    ) -> None:
        """Keeps what the caller needs for a message that names the file."""
        super().__init__(offset, reason, member, remedy)
        self.offset = offset
        self.reason = reason
        self.member = member
        self.remedy = remedy


def extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the identifier and the data of each extra field (APPNOTE 4.5.1).

    Up to three bytes at the end that are no field are passed over, as all readers do.

    Raises:
        ValueError: A field is longer than what is left.
    """
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        at += 4 + size
        if at > len(extra):
            raise ValueError(f"an extra field of {size:,} bytes that is cut off")
        yield kind, extra[at - size : at]
