"""The members of a zip, from the directory at its end.

A zip of ImageNet has two million entries, in a directory of a quarter of a gigabyte. It
is read in pieces, each of which becomes a table at once, and only the members that the
caller wants are kept. What nobody wants is checked all the same: no two members may
share bytes, and no others than members may lie before the directory, for readers of
zips that go by the one or by the other would see different archives.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.archives.zip.end import ZipEnd, find_end
from transforms.archives.zip.entries import Entries, find_entries, parse_entries
from transforms.archives.zip.records import (
    FULL_16,
    ReadMany,
    ZipFormatError,
)

ZIP_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),  # path as stored
        pa.field("offset", pa.int64(), nullable=False),  # of the local header
        # Bytes from there that hold the header, the data and what may follow them.
        pa.field("span", pa.int64(), nullable=False),
        pa.field("method", pa.uint8(), nullable=False),  # 0 stored, 8 deflated
        pa.field("compressed", pa.int64(), nullable=False),  # bytes, as they lie there
        pa.field("size", pa.int64(), nullable=False),  # bytes
        pa.field("crc", pa.uint32(), nullable=False),  # CRC-32 of the bytes
        pa.field("name_crc", pa.uint32(), nullable=False),  # of the name as stored
    ]
)

Wanted = Callable[[pa.StringArray], pa.BooleanArray]

_PIECE: Final = 8 << 20  # bytes of a request; as entries they take ten times as much
# What a member may have besides its data: extra fields, and its descriptor.
_MOST_SLACK: Final = FULL_16 + 24
_REPACK: Final = "Unpack it and pack it again as one plain zip."


@dataclass(frozen=True, slots=True)
class ZipListing:
    """What a zip holds.

    Attributes:
        members: Rows of ``ZIP_SCHEMA``, the wanted files in the directory's order.
        files: Number of all files.
        directories: Number of entries that are directories.
    """

    members: pa.Table
    files: int
    directories: int


def list_zip(
    read_many: ReadMany, size: int, wanted: Wanted, piece: int = _PIECE
) -> ZipListing:
    """Returns the files of a zip: a request for its end, one for each piece.

    Args:
        read_many: Returns exactly the bytes of each range.
        size: Length of the file in bytes.
        wanted: Returns of the names of some files whether each is wanted.
        piece: Bytes of the directory that are read at a time.

    Raises:
        ZipFormatError: The zip is damaged, ambiguous, split, encrypted, or has members
            that can't be read in place.
    """
    end = find_end(read_many, size)
    columns = _Columns(end.entries)
    for found in _pieces(read_many, end, piece):
        files = np.flatnonzero(~found.is_directory)
        keep = wanted(found.names.take(pa.array(files)))
        columns.add(found, files[keep.to_numpy(zero_copy_only=False)])
    return ZipListing(
        columns.table(end.offset), columns.files, end.entries - columns.files
    )


class _Columns:
    """What is kept of entries, in room for all, of which only what is used is taken.

    Arrays for each piece would leave holes among those of parsing, of twice their size.

    Attributes:
        entries: Number of entries so far.
        files: Number of files among them.
    """

    def __init__(self, room: int) -> None:
        """Makes room for a number of entries."""
        self.entries = self.files = 0
        self._starts = np.empty(room, np.int64)
        self._ends = np.empty(room, np.int64)
        self._rows = np.empty(room, np.int64)
        self._kept = 0
        self._names: list[pa.StringArray] = []
        self._numbers = {
            field.name: np.empty(room, str(field.type))
            for field in ZIP_SCHEMA
            if field.name not in ("name", "span")
        }

    def add(self, found: Entries, rows: npt.NDArray[np.int64]) -> None:
        """Adds entries to those counted, and some of their rows to those kept."""
        new = slice(self.entries, self.entries + len(found.names))
        kept = slice(self._kept, self._kept + len(rows))
        self._starts[new] = found.offset
        self._ends[new] = found.least_end
        self._rows[kept] = self.entries + rows
        for name, numbers in self._numbers.items():
            numbers[kept] = getattr(found, name)[rows]
        self._names.append(found.names.take(pa.array(rows)))
        self.files += int(np.count_nonzero(~found.is_directory))
        self.entries, self._kept = new.stop, kept.stop

    def table(self, limit: int) -> pa.Table:
        """Returns what was kept; the members must end before the limit."""
        columns = {name: each[: self._kept] for name, each in self._numbers.items()}
        spans = _spans(self._starts, self._ends, limit)
        columns["span"] = spans[self._rows[: self._kept]]
        columns["name"] = pa.chunked_array(self._names, pa.string())
        return pa.table(columns, schema=ZIP_SCHEMA)


def _pieces(read_many: ReadMany, end: ZipEnd, piece: int) -> Iterator[Entries]:
    """Yields the directory's entries, as many at a time as lie whole in a piece."""
    left = b""
    entries = 0
    stop = end.offset + end.size
    for start in range(end.offset, stop, piece):
        (data,) = read_many([(start, min(piece, stop - start))])
        base = start - len(left)
        data = left + data
        places, whole = find_entries(data)
        entries += len(places)
        if entries > end.entries:
            reason = f"its directory lists more than the {end.entries:,} members that"
            raise ZipFormatError(end.offset, f"{reason} its end record counts")
        if places:
            yield parse_entries(data, places, base, end.offset)
        left = data[whole:]
    if entries < end.entries:
        reason = f"its directory lists {entries:,} members, and its end record"
        raise ZipFormatError(end.offset, f"{reason} counts {end.entries:,}")
    if left:
        raise ZipFormatError(stop - len(left), "its directory ends within an entry")


def _spans(
    starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], limit: int
) -> npt.NDArray[np.int64]:
    """Returns how many bytes each member has up to the next one.

    Args:
        starts: Where each begins, in the directory's order.
        ends: The first byte of each that may be another's.
        limit: Where the last one ends at the latest.
    """
    if not len(starts):
        return starts
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    nexts = np.append(starts[1:], limit)
    over = ends - nexts
    if starts[0]:
        reason = f"{starts[0]:,} bytes stand before its first member"
        raise ZipFormatError(0, reason, remedy=_REPACK)
    row = int(over.argmax())
    if over[row] > 0:
        reason = f"the member here reaches into what follows, at byte {nexts[row]:,}"
        raise ZipFormatError(int(starts[row]), reason, remedy=_REPACK)
    row = int(over.argmin())
    if over[row] < -_MOST_SLACK:
        reason = f"{-over[row]:,} bytes from here on belong to no member"
        raise ZipFormatError(int(ends[row]), reason, remedy=_REPACK)
    nexts -= starts
    spans = np.empty_like(starts)
    spans[order] = nexts
    return spans
