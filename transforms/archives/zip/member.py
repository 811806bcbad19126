"""The bytes of one member of a zip, checked against what the directory says of it."""

import struct
import zlib
from typing import Final, NamedTuple

from transforms.archives.zip.records import (
    ENCRYPTED,
    FULL_32,
    LOCAL,
    LOCAL_SIGNATURE,
    STORED,
    STREAMED,
    ZIP64,
    ZipFormatError,
    extra_fields,
)

_RAW: Final = -15  # deflate without a header of zlib's, in a window of 32 KB


class ZipMember(NamedTuple):
    """What the directory says of a member; see ``directory.ZIP_SCHEMA``."""

    offset: int
    span: int
    method: int
    compressed: int
    size: int
    crc: int
    name_crc: int


def read_member(data: bytes, member: ZipMember) -> bytes:
    """Returns a member's bytes.

    No more than one byte above the stated size is ever inflated.

    Args:
        data: The ``span`` bytes from its local header on.
        member: What the directory says of it.

    Raises:
        ZipFormatError: The local header contradicts the directory, or the bytes are not
            of the length and the CRC-32 that it states.
    """
    try:
        start = _check_local(data, member)
        content = _content(data[start : start + member.compressed], member)
        if zlib.crc32(content) != member.crc:
            raise ValueError(
                f"the CRC-32 of its bytes is {zlib.crc32(content):08x}, and should be "
                f"{member.crc:08x}"
            )
    except ValueError as error:
        raise ZipFormatError(member.offset, str(error), _local_name(data)) from None
    return content


def _local_name(data: bytes) -> str:
    """Returns the name in a local header; empty where there is none."""
    if len(data) < LOCAL.size or not data.startswith(LOCAL_SIGNATURE):
        return ""
    *_, name_size, _ = LOCAL.unpack_from(data)
    return data[LOCAL.size : LOCAL.size + name_size].decode("utf-8", "backslashreplace")


def _check_local(data: bytes, member: ZipMember) -> int:
    """Returns where after the local header the data begin; ValueError: not there."""
    if len(data) < LOCAL.size or not data.startswith(LOCAL_SIGNATURE):
        raise ValueError("no member begins here, where the directory has one")
    _, _, flags, method, _, _, crc, compressed, size, name_size, extra_size = (
        LOCAL.unpack_from(data)
    )
    name_end: int = LOCAL.size + name_size
    start: int = name_end + extra_size
    if start + member.compressed > len(data):
        raise ValueError("it reaches into the next member")
    if zlib.crc32(data[LOCAL.size : name_end]) != member.name_crc:
        raise ValueError("the directory has another name for it")
    if flags & ENCRYPTED or method != member.method:
        raise ValueError(
            f"its local header states method {method} and flags {flags:#06x}, the "
            f"directory method {member.method} without encryption"
        )
    if not flags & STREAMED:
        size, compressed = _wide(size, compressed, data[name_end:start])
        here = (crc, compressed, size)
        stated = (member.crc, member.compressed, member.size)
        if here != stated:
            raise ValueError(
                f"its local header states CRC-32, compressed and full size as {here}, "
                f"the directory as {stated}"
            )
    return start


def _wide(size: int, compressed: int, extra: bytes) -> tuple[int, int]:
    """Returns sizes, those of the zip64 field where the header refers to it."""
    if FULL_32 not in (size, compressed):
        return size, compressed
    field = next((data for kind, data in extra_fields(extra) if kind == ZIP64), b"")
    numbers = struct.iter_unpack("<Q", field[: len(field) // 8 * 8])
    try:
        wide = [
            next(numbers)[0] if value == FULL_32 else value
            for value in (size, compressed)
        ]
    except StopIteration:
        raise ValueError("its local header lacks a zip64 field") from None
    return wide[0], wide[1]


def _content(data: bytes, member: ZipMember) -> bytes:
    """Returns what lies there, inflated; ValueError says that it can't be."""
    if member.method == STORED:
        return data
    inflater = zlib.decompressobj(_RAW)
    try:
        content = inflater.decompress(data, member.size + 1)
    except zlib.error as error:
        raise ValueError(f"its bytes can't be inflated: {error}") from None
    if len(content) != member.size or not inflater.eof or inflater.unused_data:
        raise ValueError(
            f"its {len(data):,} bytes do not inflate to exactly {member.size:,}"
        )
    return content
