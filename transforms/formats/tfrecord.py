"""TFRecord files: a length, a record, and a checksum of each.

    length   uint64   little-endian
    check    uint32   masked CRC-32C of the eight bytes of the length
    record
    check    uint32   masked CRC-32C of the record

A mask keeps a checksum of data that holds checksums from degenerating (source:
tensorflow's ``core/lib/io/record_writer.h`` and ``core/lib/hash/crc32c.h``).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

import google_crc32c

from transforms.errors import FormatError
from transforms.formats.format import Features, from_stream, in_tfds_style, to_stream
from transforms.formats.records import (
    FEATURES,
    DamagedRecords,
    Example,
    Schema,
    undamaged,
)
from transforms.formats.tf_example import codec_of
from transforms.storage import Sink

_LENGTH: Final = struct.Struct("<Q")
_CHECK: Final = struct.Struct("<I")
_HEAD_SIZE: Final = _LENGTH.size + _CHECK.size
_MOST_BYTES: Final = (1 << 31) - 1  # of a record; protobuf takes no longer ones


class TFRecordWriter:
    """Writes Examples to a TFRecord file."""

    def __init__(self, file: Sink, schema: Schema) -> None:
        """Writes to ``file``, which stays open, records with the schema's features."""
        self._file = file
        self._encode = codec_of(schema.features).encode

    def write(self, example: Example) -> None:
        """Appends an Example."""
        parts = self._encode(example)
        size = sum(map(len, parts))
        check = 0
        for part in parts:
            check = google_crc32c.extend(check, part)
        head, image, tail = parts
        self._file.write(frame_head(size) + head)
        self._file.write(image)
        self._file.write(tail + _CHECK.pack(mask(check)))

    def close(self) -> None:
        """Does nothing: a TFRecord file has no end mark."""


def read_tfrecord(file: BinaryIO, features: Features = FEATURES) -> Iterator[Example]:
    """Yields the Examples of a TFRecord file.

    Raises:
        FormatError: A record is cut off, fails its checksum or is no Example.
    """
    return undamaged(scan_tfrecord(file, features))


def scan_tfrecord(
    file: BinaryIO, features: Features = FEATURES
) -> Iterator[Example | DamagedRecords]:
    """Yields the Examples of a TFRecord file, and goes on after damaged ones.

    Raises:
        FormatError: A record is cut off, or its length fails its checksum.
    """
    decode = codec_of(features).decode
    while head := file.read(_HEAD_SIZE):
        offset = file.tell() - len(head)
        if len(head) < _HEAD_SIZE:
            raise FormatError(f"The record at byte {offset:,} is cut off.")
        (size,) = _LENGTH.unpack_from(head)
        if head != frame_head(size):
            raise FormatError(f"The length at byte {offset:,} fails its checksum.")
        if size > _MOST_BYTES:
            raise FormatError(
                f"The record at byte {offset:,} would have {size:,} bytes, more than "
                "an Example can."
            )
        record, check = file.read(size), file.read(_CHECK.size)
        if len(record) < size or len(check) < _CHECK.size:
            raise FormatError(f"The record at byte {offset:,} is cut off.")
        if check != _CHECK.pack(mask(google_crc32c.value(record))):
            reason = f"The record at byte {offset:,} fails its checksum."
            yield DamagedRecords(1, reason)
            continue
        try:
            yield decode(record)
        except FormatError as error:
            yield DamagedRecords(1, str(error))


def frame_head(size: int) -> bytes:
    """Returns the twelve bytes before a record of a length."""
    length = _LENGTH.pack(size)
    return length + _CHECK.pack(mask(google_crc32c.value(length)))


def mask(crc: int) -> int:
    """Returns a CRC-32C as TFRecord stores it."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFF_FFFF


file_name = in_tfds_style("tfrecord")
publish = to_stream(TFRecordWriter)
read = from_stream(read_tfrecord)
scan = from_stream(scan_tfrecord)
