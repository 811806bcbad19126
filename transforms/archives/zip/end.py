"""How a zip ends: with records that say where its directory lies.

Readers look for the end record from the file's end, and differ in what they do where a
comment holds a second one, where its numbers contradict those of the zip64 record, or
where other bytes stand before the zip. Each of these is refused, so that nobody else
sees other members than these.
"""

from typing import Final, NamedTuple

from transforms.archives.zip.records import (
    END,
    END64,
    END64_SIGNATURE,
    END_SIGNATURE,
    ENTRY_SIZE,
    FULL_16,
    FULL_32,
    LOCATOR,
    LOCATOR_SIGNATURE,
    ReadMany,
    ZipFormatError,
)

# The longest comment, with the records before it: what one request has to get.
_TAIL: Final = LOCATOR.size + END64.size + END.size + FULL_16
_FULL: Final = (*4 * (FULL_16,), *2 * (FULL_32,))  # where zip64's numbers count
_MOST_ENTRIES: Final = 1 << 26  # five times those of all of ImageNet
_REPACK: Final = "Unpack it and pack it again as one plain zip."
_SPLIT: Final = "it is a part of a split zip"
_JOIN: Final = "Join its parts first (zip --split-size=0 PARTS.zip --out WHOLE.zip)."


class ZipEnd(NamedTuple):
    """Where the directory of a zip lies.

    Attributes:
        offset: Where it begins in the file.
        size: Its length in bytes.
        entries: Number of members that it should list.
    """

    offset: int
    size: int
    entries: int


def find_end(read_many: ReadMany, size: int) -> ZipEnd:
    """Returns where the directory lies, in one request.

    Args:
        read_many: Returns exactly the bytes of each range.
        size: Length of the file in bytes.

    Raises:
        ZipFormatError: There is no end record, or one that is ambiguous, that states
            what can't be, or is of a split zip.
    """
    start = max(0, size - _TAIL)
    (tail,) = read_many([(start, size - start)])
    at = _only_end(tail, start)
    _, disk, first_disk, here, entries, length, offset, _ = END.unpack_from(tail, at)
    stated = [disk, first_disk, here, entries, length, offset]
    end = start + at
    if at >= LOCATOR.size and tail.startswith(LOCATOR_SIGNATURE, at - LOCATOR.size):
        end, found = _zip64_end(tail, start, at)
        for narrow, wide, full in zip(stated, found, _FULL, strict=True):
            if narrow not in (wide, full):
                reason = f"its end records contradict each other: {narrow:,}, {wide:,}"
                raise ZipFormatError(start + at, reason, remedy=_REPACK)
        stated = found
    return _check(end, *stated)


def _only_end(tail: bytes, start: int) -> int:
    """Returns where in the tail the end record begins, which no other may contest."""
    at = tail.rfind(END_SIGNATURE)
    if at < 0:
        end = start + len(tail)
        raise ZipFormatError(end, "it does not end as a zip: its end is cut off")
    if at + END.size > len(tail):
        raise ZipFormatError(start + at, "its end record is cut off")
    comment = END.unpack_from(tail, at)[-1]
    follows = len(tail) - at - END.size
    if comment != follows:
        raise ZipFormatError(
            start + at,
            f"its end record states a comment of {comment:,} bytes, and {follows:,} "
            "bytes follow",
        )
    other = tail.find(END_SIGNATURE)
    while other < at:
        if END.unpack_from(tail, other)[-1] == len(tail) - other - END.size:
            reason = "it has two end records, and readers of zips do not agree which"
            raise ZipFormatError(start + other, f"{reason} counts", remedy=_REPACK)
        other = tail.find(END_SIGNATURE, other + 1)
    return at


def _zip64_end(tail: bytes, start: int, at: int) -> tuple[int, list[int]]:
    """Returns where the zip64 end record begins, and the numbers that it states.

    It stands right before its locator. The format lets other data stand between them,
    which no usual writer puts there and not every reader passes over.
    """
    locator = at - LOCATOR.size
    _, disk, offset, disks = LOCATOR.unpack_from(tail, locator)
    if disk or disks > 1:
        raise ZipFormatError(start + locator, _SPLIT, remedy=_JOIN)
    record = locator - END64.size
    found = END64.unpack_from(tail, record) if record >= 0 else (b"", 0)
    signature, rest = found[:2]
    if (signature, rest, offset) != (END64_SIGNATURE, END64.size - 12, start + record):
        reason = f"no zip64 end record is at byte {offset:,} and right before it"
        raise ZipFormatError(start + locator, reason, remedy=_REPACK)
    return offset, list(found[4:])


def _check(
    end: int,
    disk: int,
    first_disk: int,
    here: int,
    entries: int,
    size: int,
    offset: int,
) -> ZipEnd:
    """Returns where the directory lies, if what is stated can be."""
    if disk or first_disk or here != entries:
        raise ZipFormatError(end, _SPLIT, remedy=_JOIN)
    if offset + size != end:
        raise ZipFormatError(
            end,
            f"its directory should lie at byte {offset:,} and have {size:,} bytes, but "
            "does not end here. Either bytes are missing, or others stand before the "
            "zip, as in one that extracts itself",
            remedy="Compare its size and checksum with the published ones; if they are "
            "right, unpack it and pack it again as one plain zip.",
        )
    if entries * ENTRY_SIZE > size or entries > _MOST_ENTRIES:
        reason = f"a directory of {size:,} bytes can't list {entries:,} members"
        raise ZipFormatError(end, reason)
    return ZipEnd(offset, size, entries)
