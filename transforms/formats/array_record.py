"""ArrayRecord files: records that can be read in any order.

The library that defines the format writes and reads it, from and to local files, with
TFDS's options: one record to a chunk, zstd. The files are those of TFDS, byte for byte,
and their lengths are multiples of 64 KiB. The library is an extra, so it is imported
only where such a file is written or read.

All its errors are ``RuntimeError``, and some come late: a file that can't be created or
read has no records, and only ``close`` reports the reason.
"""

import errno
import os
from collections.abc import Iterator
from typing import Any, Final

from transforms.errors import FormatError, StorageError
from transforms.formats.format import Features, from_path, in_tfds_style, to_path
from transforms.formats.records import (
    FEATURES,
    DamagedRecords,
    Example,
    Schema,
    undamaged,
)
from transforms.formats.tf_example import codec_of

# Other options give other bytes (source: TFDS's ``core/file_adapters.py``).
_WRITER_OPTIONS: Final = "group_size:1"
# Reading ahead in threads costs memory, and saves no time in sequential reading.
_READER_OPTIONS: Final = "readahead_buffer_size:0,max_parallelism:0"

_CODES: Final = {os.strerror(code): code for code in errno.errorcode}


class ArrayRecordWriter:
    """Writes Examples to an ArrayRecord file."""

    def __init__(self, path: str, schema: Schema) -> None:
        """Creates the file, or empties the one that is there.

        Args:
            path: A local path.
            schema: What its records have.

        Raises:
            OSError: It can't be created.
        """
        from array_record.python import array_record_module

        self._path = path
        self._encode = codec_of(schema.features).encode
        self._writer: Any = array_record_module.ArrayRecordWriter(path, _WRITER_OPTIONS)
        if not self._writer.ok():
            self.close()

    def write(self, example: Example) -> None:
        """Appends an Example.

        Raises:
            OSError: It, or one before it, can't be written.
        """
        try:
            self._writer.write(b"".join(self._encode(example)))
        except RuntimeError as error:
            self._writer = None
            raise _os_error(error, self._path) from error

    def close(self) -> None:
        """Finishes the file; does nothing after that, or after a failure.

        Raises:
            OSError: What is left can't be written.
        """
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
        except RuntimeError as error:
            raise _os_error(error, self._path) from error


def read_array_record(path: str, features: Features = FEATURES) -> Iterator[Example]:
    """Yields the Examples of an ArrayRecord file; one is in memory at a time.

    Raises:
        FormatError: It is no ArrayRecord file, is cut off or damaged, or a record is no
            Example.
        StorageError: The system can't read it.
    """
    return undamaged(scan_array_record(path, features))


def scan_array_record(
    path: str, features: Features = FEATURES
) -> Iterator[Example | DamagedRecords]:
    """Yields the Examples of an ArrayRecord file, and goes on after damaged ones.

    Raises:
        FormatError: It is no ArrayRecord file, or its beginning or end is damaged.
        StorageError: The system can't read it.
    """
    from array_record.python import array_record_module

    decode = codec_of(features).decode
    reader = array_record_module.ArrayRecordReader(path, _READER_OPTIONS)
    try:
        for number in range(reader.num_records()):
            try:
                # By its number: read front to back, the first damaged one is the last.
                (record,) = reader.read([number])
                yield decode(record)
            except RuntimeError as error:
                yield DamagedRecords(1, str(_format_error(error, path)))
            except FormatError as error:
                yield DamagedRecords(1, str(error))
        reader.close()
    except RuntimeError as error:
        raise _format_error(error, path) from error


def _format_error(error: RuntimeError, path: str) -> FormatError:
    """Returns what the library's error means, if the system is not its cause.

    Raises:
        StorageError: It is.
    """
    if "() failed: " in str(error):
        raise StorageError(f"Can't read {path}. It says: {error}.") from error
    reason = str(error) or "its end is missing"
    return FormatError(f"Damaged, or no ArrayRecord file: {reason}.")


def _os_error(error: RuntimeError, path: str) -> OSError:
    """Returns the system's error that the library reports as text.

    They are ``write() failed: No space left on device; writing ...``.
    """
    words = str(error).partition("() failed: ")[2].partition(";")[0]
    return OSError(_CODES.get(words, errno.EIO), str(error), path)


file_name = in_tfds_style("array_record")
publish = to_path(ArrayRecordWriter)
read = from_path(read_array_record)
scan = from_path(scan_array_record)
