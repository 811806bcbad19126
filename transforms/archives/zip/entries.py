"""The entries of a zip's directory, parsed by the hundred thousand.

Where an entry begins is known from the lengths in the one before it, and a loop finds
that; everything else is taken from all entries at once, as columns.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives.zip.records import (
    DEFLATED,
    ENCRYPTED,
    ENTRY_SIGNATURE,
    ENTRY_SIZE,
    FULL_16,
    FULL_32,
    LENGTHS,
    LENGTHS_AT,
    LOCAL,
    PATCH,
    STORED,
    UNICODE_PATH,
    UTF_8,
    ZIP64,
    ZipFormatError,
)

# What an entry begins with; times and attributes that nobody asks for are left out.
_ENTRY: Final = np.dtype(
    {
        "names": [
            *("signature", "system", "flags", "method", "crc", "compressed", "size"),
            *("name", "extra", "comment", "disk", "mode", "offset"),
        ],
        "formats": [
            *("S4", "u1", "<u2", "<u2", "<u4", "<u4", "<u4"),
            *("<u2", "<u2", "<u2", "<u2", "<u2", "<u4"),
        ],
        "offsets": [0, 5, 8, 10, 16, 20, 24, 28, 30, 32, 34, 40, 42],
        "itemsize": ENTRY_SIZE,
    }
)
_UNIX: Final = 3  # the system whose modes the attributes hold
_KIND: Final = 0o170000  # of a mode
_LINK: Final = 0o120000
_MOST_RATIO: Final = 1032  # of deflate: 258 bytes from two bits

_UNLOCK: Final = "Unpack it with its password and pack it again without one."
_PLAIN: Final = "Unpack it and pack it again as one plain zip (zip -r)."
_Mask = npt.NDArray[np.bool_]
_Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of a directory, a value of each column for each.

    Attributes:
        names: Paths as stored.
        name_crc: CRC-32 of the names' bytes, uint32.
        offset: Where the local headers begin, int64.
        compressed: Lengths of the data as they lie there, int64.
        size: Lengths of the data, int64.
        method: ``STORED`` or ``DEFLATED``, uint8.
        crc: CRC-32 of the data, uint32.
        least_end: The first byte that surely is another one's, int64: local headers may
            have longer extra fields than the directory tells.
        is_directory: Whether an entry is a folder.
    """

    names: pa.StringArray
    name_crc: npt.NDArray[np.uint32]
    offset: _Numbers
    compressed: _Numbers
    size: _Numbers
    method: npt.NDArray[np.uint8]
    crc: npt.NDArray[np.uint32]
    least_end: _Numbers
    is_directory: _Mask


class _Refuse(Protocol):
    """Raises ZipFormatError for the first entry where something is wrong."""

    def __call__(
        self, bad: _Mask, reason: Callable[[int], str], remedy: str = ""
    ) -> None: ...


class _Extras(NamedTuple):
    """Where the extra fields lie that matter: -1 where an entry has none."""

    zip64: _Numbers
    zip64_end: _Numbers
    unicode_path: _Numbers
    unicode_path_end: _Numbers


def find_entries(data: bytes) -> tuple[list[int], int]:
    """Returns where the whole entries begin in some bytes, and where the last ends."""
    starts = []
    at = 0
    last = len(data) - ENTRY_SIZE
    unpack = LENGTHS.unpack_from
    while at <= last:
        name, extra, comment = unpack(data, at + LENGTHS_AT)
        end = at + ENTRY_SIZE + name + extra + comment
        if end > len(data):
            break
        starts.append(at)
        at = end
    return starts, at


def parse_entries(data: bytes, starts: list[int], base: int, end: int) -> Entries:
    """Returns the entries that begin at some places.

    Args:
        data: A part of the directory.
        starts: Where the entries begin in it.
        base: Where it lies in the file.
        end: Where the directory begins, in front of which all members lie.

    Raises:
        ZipFormatError: An entry is malformed, or of a kind that can't be read in place.
    """
    at = np.array(starts, np.int64)
    rows = _take(data, at, _ENTRY)
    names_end = at + ENTRY_SIZE + rows["name"]
    raw = [
        data[start:stop]
        for start, stop in zip(
            (at + ENTRY_SIZE).tolist(), names_end.tolist(), strict=True
        )
    ]

    def refuse(bad: _Mask, reason: Callable[[int], str], remedy: str = "") -> None:
        if bad.any():
            row = int(bad.argmax())
            shown = raw[row].decode("utf-8", "backslashreplace")
            raise ZipFormatError(base + starts[row], reason(row), shown, remedy)

    _check_kinds(rows, refuse)
    extras = _find_extras(data, names_end, names_end + rows["extra"], refuse)
    size, compressed, offset, disk = _numbers(data, rows, extras, refuse)
    refuse(disk != 0, lambda _: "it lies in another part of a split zip", _PLAIN)
    names = _decode(data, raw, (rows["flags"] & UTF_8) != 0, extras, refuse)
    is_directory = pc.ends_with(names, "/").to_numpy(zero_copy_only=False)
    _check_sizes(rows["method"], size, compressed, is_directory, refuse)
    least_end = offset + LOCAL.size + rows["name"] + compressed
    refuse(
        (offset > end) | (compressed > end) | (least_end > end),
        lambda row: (
            f"its {compressed[row]:,} bytes from byte {offset[row]:,} on do "
            f"not lie before the directory, which begins at byte {end:,}"
        ),
    )
    return Entries(
        names=names,
        name_crc=np.fromiter(map(zlib.crc32, raw), np.uint32, len(raw)),
        offset=offset,
        compressed=compressed,
        size=size,
        method=rows["method"].astype(np.uint8),
        crc=rows["crc"].astype(np.uint32),
        least_end=least_end,
        is_directory=is_directory,
    )


def _check_kinds(rows: npt.NDArray[Any], refuse: _Refuse) -> None:
    refuse(rows["signature"] != ENTRY_SIGNATURE, lambda _: "no entry begins here")
    flags, method, mode = rows["flags"], rows["method"], rows["mode"]
    refuse((flags & ENCRYPTED) != 0, lambda _: "it is encrypted", _UNLOCK)
    refuse(
        ((flags & PATCH) != 0) | ((method != STORED) & (method != DEFLATED)),
        lambda row: (
            f"it is compressed by method {method[row]}, and only stored (0) "
            "and deflated (8) members can be read"
        ),
        _PLAIN,
    )
    is_link = (rows["system"] == _UNIX) & ((mode & _KIND) == _LINK)
    refuse(
        is_link,
        lambda _: "it is a symbolic link",
        "Pack the zip again with the files themselves (zip -r, without -y).",
    )


def _find_extras(
    data: bytes, start: _Numbers, end: _Numbers, refuse: _Refuse
) -> _Extras:
    """Walks the extra fields of all entries side by side, a field of each at a time."""
    none = np.full(len(start), -1)
    extras = _Extras(none, none.copy(), none.copy(), none.copy())
    at = start.copy()
    rows = np.flatnonzero(at + 4 <= end)
    while rows.size:
        kind = _take(data, at[rows], "<u2")
        size = _take(data, at[rows] + 2, "<u2")
        body = at[rows] + 4
        at[rows] = body + size
        if (at[rows] > end[rows]).any():
            refuse(at > end, lambda _: "one of its extra fields is cut off")
        for number, place, place_end in (
            (ZIP64, extras.zip64, extras.zip64_end),
            (UNICODE_PATH, extras.unicode_path, extras.unicode_path_end),
        ):
            found = rows[kind == number]
            if (place[found] >= 0).any():
                twice = np.isin(np.arange(len(at)), found) & (place >= 0)
                refuse(twice, lambda _: "it has two extra fields of one kind", _PLAIN)
            place[found] = body[kind == number]
            place_end[found] = at[found]
        rows = rows[at[rows] + 4 <= end[rows]]
    return extras


def _take(data: bytes, at: _Numbers, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Returns the values of a type that stand at some places, which may be odd ones."""
    kind = np.dtype(kind)
    if not at.size:
        return np.empty(0, kind)
    everywhere: npt.NDArray[Any] = np.ndarray(
        len(data) - kind.itemsize + 1, kind, data, strides=(1,)
    )
    return everywhere[at]


def _numbers(
    data: bytes,
    rows: npt.NDArray[Any],
    extras: _Extras,
    refuse: _Refuse,
) -> tuple[_Numbers, _Numbers, _Numbers, _Numbers]:
    """Returns sizes, compressed sizes, offsets and disks; of zip64 where they are."""
    at = extras.zip64.copy()
    numbers = []
    for name, full, wide in (
        *(("size", FULL_32, "<i8"), ("compressed", FULL_32, "<i8")),
        *(("offset", FULL_32, "<i8"), ("disk", FULL_16, "<u4")),
    ):
        column = rows[name].astype(np.int64)
        asked = (column == full) & (at >= 0)
        place = at[asked]
        at[asked] += np.dtype(wide).itemsize
        refuse(at > extras.zip64_end, lambda _: "its zip64 field is too short")
        column[asked] = _take(data, place, wide)
        refuse(column < 0, lambda _: "a number in it exceeds 63 bits")
        numbers.append(column)
    size, compressed, offset, disk = numbers
    return size, compressed, offset, disk


def _decode(
    data: bytes, raw: list[bytes], is_utf_8: _Mask, extras: _Extras, refuse: _Refuse
) -> pa.StringArray:
    """Returns names as text: UTF-8 where an entry says so, else code page 437."""
    impossible = [not name or b"\0" in name for name in raw]
    refuse(np.array(impossible), lambda _: "no file can have its name", _PLAIN)
    is_ascii = np.fromiter(map(bytes.isascii, raw), np.bool_, len(raw))
    renamed = extras.unicode_path >= 0
    texts = list(raw)  # in UTF-8
    wrong = np.zeros(len(raw), np.bool_)
    for row in np.flatnonzero(~is_ascii | renamed).tolist():
        field = data[extras.unicode_path[row] : extras.unicode_path_end[row]]
        # Another version, or of another name: a tool that renames left it there.
        valid = b"\1" + zlib.crc32(raw[row]).to_bytes(4, "little")
        if field.startswith(valid):
            texts[row] = field[len(valid) :]
        elif not is_utf_8[row]:
            texts[row] = raw[row].decode("cp437").encode()
        wrong[row] = not _is_name(texts[row])
    refuse(wrong, lambda _: "its name is not the UTF-8 that it should be", _PLAIN)
    return pa.array(texts, pa.binary()).cast(pa.string())


def _is_name(text: bytes) -> bool:
    try:
        return "\0" not in text.decode("utf-8") and bool(text)
    except UnicodeDecodeError:
        return False


def _check_sizes(
    method: npt.NDArray[np.uint16],
    size: _Numbers,
    compressed: _Numbers,
    is_directory: _Mask,
    refuse: _Refuse,
) -> None:
    def said(row: int) -> str:
        return f"{size[row]:,} bytes, and {compressed[row]:,} as they lie there"

    refuse(
        (method == STORED) & (size != compressed),
        lambda row: f"it should be stored as it is, but states {said(row)}",
    )
    # Rounded up, for the product may not fit.
    refuse(
        (method == DEFLATED) & (-(-size // _MOST_RATIO) > compressed),
        lambda row: f"it states {said(row)}, which deflate can't have made",
    )
    refuse(
        is_directory & (size > 0),
        lambda row: f"it is a directory by its name, and has {size[row]:,} bytes",
        _PLAIN,
    )
