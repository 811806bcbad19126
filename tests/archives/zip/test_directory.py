"""The zip's directory: the same as ``zipfile``, and every contradiction noticed."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.zips import (
    FULL_16,
    FULL_32,
    Part,
    bodies,
    check_zip,
    deflate,
    end_record,
    everything,
    list_bytes,
    pack,
    read_all,
    zip64_end,
)
from transforms.archives.zip.directory import ZIP_SCHEMA, ZipListing, list_zip
from transforms.archives.zip.records import Range, ZipFormatError

A, B = Part(b"a"), Part(b"b")
SIZE_A = 30 + 1 + 5  # bytes of a's local header, name and content
ENTRY_A = 46 + 1


def fault(data: bytes) -> ZipFormatError:
    with pytest.raises(ZipFormatError) as caught:
        read_all(data, list_bytes(data))
    return caught.value


def names(listing: ZipListing) -> list[str]:
    found: list[str] = listing.members["name"].to_pylist()
    return found


# --- The same as zipfile --------------------------------------------------------------


class _Unseekable(io.RawIOBase):
    """A pipe: zipfile writes sizes and sums after the data then."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\\"), min_size=1, max_size=9
)
NAMES = st.lists(TEXTS, min_size=1, max_size=3).map("/".join)
MEMBERS = st.lists(
    st.tuples(
        NAMES,
        st.binary(max_size=300) | st.integers(0, 3000).map(bytes),
        st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
        st.booleans(),  # numbers of 64 bits in the local header
        st.booleans(),  # a directory
        st.sampled_from([b"", b"UT\5\0\1abcd", b"ab\0\0xy\3\0xyz"]),
        st.binary(max_size=30),
    ),
    max_size=6,
    unique_by=lambda member: member[0],
)


@settings(deadline=None, max_examples=150)
@given(
    members=MEMBERS,
    comment=st.binary(max_size=40) | st.integers(0, 65_535).map(bytes),
    streamed=st.booleans(),
    zip64=st.booleans(),
    piece=st.integers(1, 400),
)
def test_members_are_those_zipfile_lists(
    members: list[tuple[str, bytes, int, bool, bool, bytes, bytes]],
    comment: bytes,
    streamed: bool,
    zip64: bool,
    piece: int,
) -> None:
    file: Any = _Unseekable() if streamed else io.BytesIO()
    limit = 20 if zip64 else (1 << 31) - 1
    with (
        patch.object(zipfile, "ZIP64_LIMIT", limit),
        patch.object(zipfile, "ZIP_FILECOUNT_LIMIT", 2 if zip64 else FULL_16),
        zipfile.ZipFile(file, "w") as packed,
    ):
        for name, content, method, wide, is_directory, extra, note in members:
            info = zipfile.ZipInfo(f"{name}/" if is_directory else name)
            info.compress_type, info.extra, info.comment = method, extra, note
            if is_directory:
                packed.writestr(info, b"", zipfile.ZIP_STORED)
                continue
            with packed.open(info, "w", force_zip64=wide or zip64) as member:
                member.write(content)
        packed.comment = comment
    data = bytes(file.data) if streamed else file.getvalue()

    listing = check_zip(data, piece)
    assert read_all(data, listing) == {
        name: content
        for name, content, _, _, is_directory, _, _ in members
        if not is_directory
    }


# --- Names, numbers and requests by hand ----------------------------------------------


def test_every_column_of_a_listing() -> None:
    content = b"hello " * 9
    parts = [
        Part(b"d/", b""),
        Part(b"d/a.JPEG", content, method=8),
        Part(b"d/b.xml"),
        Part(b"d/c.JPEG", local_extra=b"ab\2\0xy"),
    ]
    data = pack(parts)
    first = 30 + 2
    squeezed = len(deflate(content))

    def wanted(names: pa.StringArray) -> pa.BooleanArray:
        return pc.ends_with(names, ".JPEG")

    listing = list_zip(lambda r: [data[o : o + s] for o, s in r], len(data), wanted)
    rows = [
        ("d/a.JPEG", first, 38 + squeezed, 8, squeezed, 54, content),
        ("d/c.JPEG", first + 80 + squeezed, 49, 0, 5, 5, b"bytes"),
    ]
    assert listing == ZipListing(
        pa.Table.from_pylist(
            [
                {
                    "name": name,
                    "offset": offset,
                    "span": span,
                    "method": method,
                    "compressed": compressed,
                    "size": size,
                    "crc": zlib.crc32(held),
                    "name_crc": zlib.crc32(name.encode()),
                }
                for name, offset, span, method, compressed, size, held in rows
            ],
            ZIP_SCHEMA,
        ),
        files=3,
        directories=1,
    )


UP = struct.pack("<HHBL", 0x7075, 5 + 2, 1, zlib.crc32(b"a")) + "é".encode()
UTF_8_FLAG = (("flags", 1 << 11),)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        pytest.param(Part(b"\x82.x"), "é.x", id="code-page-437"),
        pytest.param(Part("é".encode()), "├⌐", id="code-page-437-of-utf-8"),
        pytest.param(
            Part("é".encode(), entry=UTF_8_FLAG, local=UTF_8_FLAG), "é", id="utf-8"
        ),
        pytest.param(Part(b"a", entry_extra=UP), "é", id="unicode-path"),
        pytest.param(Part(b"b", entry_extra=UP), "b", id="unicode-path-of-another"),
        pytest.param(
            Part(b"a", entry_extra=UP.replace(b"\1", b"\2")), "a", id="other-version"
        ),
        pytest.param(Part(b"a\\b"), "a\\b", id="backslash"),
        pytest.param(Part(b"../a"), "../a", id="leads-out"),
    ],
)
def test_names(part: Part, name: str) -> None:
    data = pack([part])
    assert names(check_zip(data)) == [name]
    assert read_all(data, list_bytes(data)) == {name: b"bytes"}


def test_an_empty_zip_has_no_members() -> None:
    assert list_bytes(end_record(0, 0, 0)) == ZipListing(
        ZIP_SCHEMA.empty_table(), files=0, directories=0
    )


def test_numbers_of_64_bits() -> None:
    # In the order of the format: size, compressed size, offset, disk, where asked for.
    members, _ = bodies([A, B])
    wide = Part(
        b"b",
        entry_extra=b"ab\1\0x" + struct.pack("<HHQQQL", 1, 28, 5, 5, SIZE_A, 0),
        entry=(
            *(("size", FULL_32), ("compressed", FULL_32)),
            *(("offset", FULL_32), ("disk", FULL_16)),
        ),
    )
    some = Part(
        b"a",
        entry_extra=struct.pack("<HHQ", 1, 8, 5),
        entry=(("compressed", FULL_32),),
    )
    directory = some.entry_record(0) + wide.entry_record(0)
    at = len(members) + len(directory)
    data = members + directory
    data += zip64_end(2, len(directory), len(members), at)
    data += end_record(FULL_16, FULL_32, FULL_32)
    listing = check_zip(data)
    assert listing.members["offset"].to_pylist() == [0, SIZE_A]
    assert listing.members["compressed"].to_pylist() == [5, 5]
    assert read_all(data, listing) == {"a": b"bytes", "b": b"bytes"}


def test_a_terabyte_is_listed_in_two_requests() -> None:
    tail = FULL_16 + 22 + 20 + 56
    far = (1 << 40) + 5
    huge = Part(
        b"huge",
        entry_extra=struct.pack("<HHQQ", 1, 16, far, far),
        entry=(("size", FULL_32), ("compressed", FULL_32)),
    )
    last = Part(
        b"last",
        entry_extra=struct.pack("<HHQ", 1, 8, far + 34),
        entry=(("offset", FULL_32),),
    )
    start = far + 34 + 39
    directory = huge.entry_record(0) + last.entry_record(0)
    ending = directory + zip64_end(2, len(directory), start, start + len(directory))
    ending += end_record(2, len(directory), FULL_32, b"comment")
    size = start + len(ending)
    asked: list[Range] = []

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        asked.extend(ranges)
        return [
            b"".join([b"?" * (start - o), ending[max(0, o - start) : o - start + s]])
            for o, s in ranges
        ]

    listing = list_zip(read_many, size, everything)
    assert asked == [(size - tail, tail), (start, len(directory))]
    found = listing.members.select(["name", "offset", "span", "size"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("huge", 0, far + 34, far),
        ("last", far + 34, 39, 5),
    ]


def test_a_directory_is_read_in_pieces() -> None:
    parts = [Part(b"%d" % number) for number in range(1000)]
    members, directory = bodies(parts)
    data = pack(parts)
    asked: list[Range] = []

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        asked.extend(ranges)
        return [data[o : o + s] for o, s in ranges]

    listing = list_zip(read_many, len(data), everything, piece=20_000)
    assert names(listing) == [str(number) for number in range(1000)]
    assert asked[1:] == [
        (len(members) + at, min(20_000, len(directory) - at))
        for at in range(0, len(directory), 20_000)
    ]


def test_a_directory_may_be_in_any_order() -> None:
    long = Part(b"a", content=b"longer bytes")
    members, _ = bodies([long, B])
    directory = B.entry_record(SIZE_A + 7) + long.entry_record(0)
    data = members + directory + end_record(2, len(directory), len(members))
    listing = check_zip(data)
    assert names(listing) == ["b", "a"]
    assert listing.members["span"].to_pylist() == [SIZE_A, SIZE_A + 7]
    assert read_all(data, listing) == {"a": b"longer bytes", "b": b"bytes"}


def test_a_streamed_member_has_its_sizes_after_it() -> None:
    descriptor = struct.pack("<4sLLL", b"PK\7\x08", zlib.crc32(b"bytes"), 5, 5)
    zeros = (("flags", 8), ("crc", 0), ("compressed", 0), ("size", 0))
    parts = [
        Part(b"a", local=zeros, entry=(("flags", 8),), after=descriptor),
        B,
    ]
    data = pack(parts)
    assert list_bytes(data).members["span"].to_pylist() == [SIZE_A + 16, SIZE_A]
    assert read_all(data, check_zip(data)) == {"a": b"bytes", "b": b"bytes"}


# --- The end --------------------------------------------------------------------------

REPACK = "Unpack it and pack it again as one plain zip."
MEMBERS_AB, DIRECTORY_AB = bodies([A, B])
AT = len(MEMBERS_AB + DIRECTORY_AB)  # where the end record of both begins
WHOLE = pack([A, B])


def ending(*records: bytes) -> bytes:
    return MEMBERS_AB + DIRECTORY_AB + b"".join(records)


def end_ab(**changed: int) -> bytes:
    numbers = {"entries": 2, "size": len(DIRECTORY_AB), "offset": len(MEMBERS_AB)}
    return end_record(**(numbers | changed))


def zip64_ab(**changed: int) -> bytes:
    numbers = {"entries": 2, "size": len(DIRECTORY_AB), "offset": len(MEMBERS_AB)}
    return zip64_end(**(numbers | {"at": AT} | changed))


SPLIT = "it is a part of a split zip"
OUTSIDE = "does not end here"


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        pytest.param(b"", 0, "its end is cut off", id="nothing"),
        pytest.param(WHOLE[:-22], AT, "its end is cut off", id="cut"),
        pytest.param(WHOLE[:-1], AT, "its end record is cut off", id="cut-within"),
        pytest.param(
            WHOLE + bytes(9),
            AT,
            "states a comment of 0 bytes, and 9 bytes follow",
            id="longer",
        ),
        pytest.param(
            ending(end_ab(stated=9)),
            AT,
            "states a comment of 9 bytes, and 0 bytes follow",
            id="comment-cut",
        ),
        pytest.param(
            ending(end_ab(stated=22), end_record(0, 0, AT + 22)),
            AT,
            "two end records",
            id="two-ends",
        ),
        pytest.param(
            pack([A], b"PK\5\6" + bytes(30)),
            SIZE_A + ENTRY_A + 22,
            "states a comment of 0 bytes, and 12 bytes follow",
            id="signature-in-the-comment",
        ),
        pytest.param(ending(end_ab(disk=1)), AT, SPLIT, id="disk"),
        pytest.param(ending(zip64_ab(disks=2), end_ab()), AT + 56, SPLIT, id="disks"),
        pytest.param(b"prefix" + WHOLE, AT + 6, OUTSIDE, id="prefix"),
        pytest.param(WHOLE[7:], AT - 7, OUTSIDE, id="start-missing"),
        pytest.param(WHOLE + WHOLE, AT * 2 + 22, OUTSIDE, id="two-zips"),
        pytest.param(ending(end_ab(size=9)), AT, OUTSIDE, id="directory-size"),
        pytest.param(
            ending(end_ab(offset=1 << 30)), AT, OUTSIDE, id="directory-offset"
        ),
        pytest.param(
            ending(end_ab(entries=3)), AT, "can't list 3 members", id="too-many"
        ),
        pytest.param(
            ending(end_ab(entries=1)),
            len(MEMBERS_AB),
            "lists more than the 1 members",
            id="more-than-counted",
        ),
        pytest.param(
            ending(zip64_ab(), end_ab(entries=3)),
            AT + 76,
            "contradict each other: 3, 2",
            id="two-counts",
        ),
        pytest.param(
            ending(zip64_ab(), end_ab(size=FULL_16)),
            AT + 76,
            "contradict each other: 65,535, 94",
            id="full-in-a-shorter-field",
        ),
        pytest.param(
            ending(zip64_ab(at=AT - 1), end_ab()),
            AT + 56,
            f"no zip64 end record is at byte {AT - 1} and",
            id="zip64-elsewhere",
        ),
        pytest.param(
            ending(zip64_ab(rest=45), end_ab()),
            AT + 56,
            f"no zip64 end record is at byte {AT} and",
            id="zip64-longer",
        ),
        pytest.param(
            zip64_ab()[1:] + end_ab(), 55, "no zip64 end record", id="zip64-cut"
        ),
        pytest.param(
            ending(zip64_ab(at=1 << 60), end_ab()),
            AT + 56,
            f"no zip64 end record is at byte {1 << 60:,} and",
            id="zip64-outside",
        ),
    ],
)
def test_an_end_is_refused(data: bytes, offset: int, reason: str) -> None:
    error = fault(data)
    assert reason in error.reason
    assert (error.offset, error.member) == (offset, "")


def test_fewer_members_than_counted() -> None:
    long = Part(b"a" * 60)
    members, directory = bodies([long])
    data = members + directory + end_record(2, len(directory), len(members))
    error = fault(data)
    assert error.reason == "its directory lists 1 members, and its end record counts 2"
    assert error.offset == len(members)


def test_bytes_after_the_last_entry() -> None:
    data = MEMBERS_AB + DIRECTORY_AB + b"PK\5\5"
    data += end_record(2, len(DIRECTORY_AB) + 4, len(MEMBERS_AB))
    assert fault(data).reason == "its directory ends within an entry"
    assert fault(data).offset == AT


# --- Entries --------------------------------------------------------------------------

ZIP64_SHORT = struct.pack("<HHL", 1, 4, 5)
ZIP64_LARGEST = struct.pack("<HHQ", 1, 8, (1 << 63) - 1)
ZIP64_HUGE = struct.pack("<HHQ", 1, 8, 1 << 63)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        pytest.param(Part(b"x", entry=(("signature", 1),)), "no entry", id="signature"),
        *(
            pytest.param(
                Part(b"x", entry=(("flags", flag),)), "it is encrypted", id=f"{flag:x}"
            )
            for flag in (1, 1 << 6, 1 << 13)
        ),
        pytest.param(
            Part(b"x", entry=(("flags", 1 << 5),)), "method 0, and only", id="patch"
        ),
        pytest.param(Part(b"x", method=12), "method 12, and only", id="bzip2"),
        pytest.param(
            Part(b"x", entry=(("mode", 0o120777),)), "a symbolic link", id="link"
        ),
        pytest.param(
            Part(b"x", entry=(("disk", 1),)), "another part of a split zip", id="disk"
        ),
        pytest.param(
            Part(b"x", entry_extra=b"ab\xff\xff12"), "extra fields is cut", id="extra"
        ),
        pytest.param(
            Part(b"x", entry_extra=b"\1\0\0\0" * 2),
            "two extra fields of one kind",
            id="extra-twice",
        ),
        pytest.param(
            Part(b"x", entry=(("size", FULL_32),), entry_extra=ZIP64_SHORT),
            "zip64 field is too short",
            id="zip64-short",
        ),
        pytest.param(
            Part(b"x", entry=(("size", FULL_32),), entry_extra=ZIP64_HUGE),
            "exceeds 63 bits",
            id="zip64-huge",
        ),
        pytest.param(Part(b"x\0y"), "no file can have its name", id="nul"),
        pytest.param(Part(b""), "no file can have its name", id="no-name"),
        pytest.param(
            Part(b"\xff", entry=UTF_8_FLAG), "not the UTF-8 that it", id="utf-8"
        ),
        pytest.param(
            Part(b"a", entry_extra=UP[:-2] + b"x\0"), "not the UTF-8", id="path-nul"
        ),
        pytest.param(
            Part(b"x", entry=(("size", 6),)),
            "stored as it is, but states 6 bytes, and 5 as they lie there",
            id="stored-size",
        ),
        pytest.param(
            Part(b"x", method=8, data=b"12", entry=(("size", 2065),)),
            "states 2,065 bytes, and 2 as they lie there, which deflate can't",
            id="bomb",
        ),
        pytest.param(Part(b"x/"), "a directory by its name, and has 5", id="folder"),
        pytest.param(
            Part(b"x", entry=(("offset", 1 << 31),)), "do not lie before", id="outside"
        ),
        pytest.param(
            Part(b"x", entry=(("size", 30), ("compressed", 30))),
            "do not lie before",
            id="reaches-into-the-directory",
        ),
        pytest.param(
            Part(b"x", entry=(("offset", FULL_32),), entry_extra=ZIP64_LARGEST),
            "do not lie before",
            id="the-largest-offset",
        ),
    ],
)
def test_an_entry_is_refused(part: Part, reason: str) -> None:
    error = fault(pack([A, part]))
    assert reason in error.reason
    members, _ = bodies([A, part])
    assert error.offset == len(members) + ENTRY_A
    assert error.member == part.name.decode("utf-8", "backslashreplace")


def test_an_entry_of_two_pieces_is_named_by_its_place() -> None:
    with pytest.raises(ZipFormatError) as caught:
        list_bytes(pack([A, Part(b"x", entry=(("flags", 1),))]), piece=50)
    assert caught.value.offset == 2 * SIZE_A + ENTRY_A


@pytest.mark.parametrize(
    ("parts", "offset", "reason"),
    [
        pytest.param(
            [A, Part(b"a", entry=(("offset", 0),))],
            0,
            "reaches into what follows, at byte 0",
            id="one-twice",
        ),
        pytest.param(
            [
                Part(b"a", content=B.local_record()),
                Part(b"b", entry=(("offset", 31),)),
            ],
            0,
            "reaches into what follows, at byte 31",
            id="one-within-another",
        ),
        pytest.param(
            [Part(b"a", after=bytes(65_560)), B],
            SIZE_A,
            "65,560 bytes from here on belong to no member",
            id="a-gap",
        ),
    ],
)
def test_members_that_overlap_or_leave_gaps(
    parts: list[Part], offset: int, reason: str
) -> None:
    error = fault(pack(parts))
    assert reason in error.reason
    assert (error.offset, error.remedy) == (offset, REPACK)


def test_bytes_before_the_first_member() -> None:
    # As `zip -A` puts the offsets of a zip right that extracts itself.
    members, directory = bodies([A], start=9)
    data = bytes(9) + members + directory
    error = fault(data + end_record(1, len(directory), 9 + len(members)))
    assert error.reason == "9 bytes stand before its first member"


# --- Members --------------------------------------------------------------------------

CRC = zlib.crc32(b"bytes")
NO_ZIP64 = (("compressed", FULL_32), ("size", FULL_32))


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        pytest.param(
            Part(b"x", local=(("signature", 1),)), "no member begins", id="signature"
        ),
        pytest.param(
            Part(b"x", local=(("name", b"y"),)), "another name for it", id="name"
        ),
        pytest.param(
            Part(b"x", local=(("method", 8),)), "states method 8 and", id="method"
        ),
        pytest.param(
            Part(b"x", local=(("flags", 1),)), "and flags 0x0001", id="encrypted"
        ),
        pytest.param(Part(b"x", local=(("crc", 1),)), "as (1, 5, 5), the", id="crc"),
        pytest.param(
            Part(b"x", local=(("size", 6),)), f"as ({CRC}, 5, 6), the", id="size"
        ),
        pytest.param(
            Part(b"x", local=(("compressed", 6),)), f"({CRC}, 6, 5), the", id="packed"
        ),
        pytest.param(Part(b"x", local=NO_ZIP64), "lacks a zip64 field", id="no-zip64"),
        pytest.param(
            Part(b"x", local=NO_ZIP64, local_extra=b"\1\0\x09\0"),
            "an extra field of 9 bytes that is cut off",
            id="extra",
        ),
        pytest.param(
            Part(b"x", local=NO_ZIP64, local_extra=struct.pack("<HHQQ", 1, 16, 5, 6)),
            f"as ({CRC}, 6, 5), the directory as ({CRC}, 5, 5)",
            id="zip64",
        ),
        pytest.param(
            Part(b"x", data=b"bytes"[::-1]), f"and should be {CRC:08x}", id="bytes"
        ),
        pytest.param(
            Part(b"x", method=8, data=b"\xff" * 9), "can't be inflated", id="garbage"
        ),
        pytest.param(
            Part(b"x", method=8, data=deflate(b"byte")),
            "do not inflate to exactly 5",
            id="too-short",
        ),
        pytest.param(
            Part(b"x", method=8, data=deflate(b"bytes!")),
            "do not inflate to exactly 5",
            id="too-long",
        ),
        pytest.param(
            Part(b"x", method=8, data=deflate(b"bytes") + b"!"),
            "do not inflate to exactly 5",
            id="more-follows",
        ),
        pytest.param(
            Part(b"x", method=8, data=deflate(b"bytes")[:-1]),
            "do not inflate to exactly 5",
            id="cut",
        ),
    ],
)
def test_a_member_is_refused(part: Part, reason: str) -> None:
    error = fault(pack([A, part]))
    assert reason in error.reason
    assert error.offset == SIZE_A
    name = "y" if "another name" in reason else "x"
    assert error.member == ("" if "begins" in reason else name)


def test_a_local_header_that_reaches_into_the_next_member() -> None:
    members, directory = bodies([A, B])
    longer = members[:28] + b"\x09\0" + members[30:]
    data = longer + directory + end_record(2, len(directory), len(members))
    assert fault(data).reason == "it reaches into the next member"


def test_a_bomb_is_inflated_no_further_than_it_states() -> None:
    bomb = Part(b"x", method=8, data=deflate(bytes(50_000_000)))
    data = pack([bomb])
    listing = list_bytes(data)
    tracemalloc.start()
    with pytest.raises(ZipFormatError, match="do not inflate to exactly 5"):
        read_all(data, listing)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_more_members_than_anybody_has() -> None:
    many = (1 << 26) + 1
    size = 46 * many
    ends = zip64_end(many, size, 0, size) + end_record(FULL_16, FULL_32, FULL_32)

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        return [ends.rjust(length, b"\0") for _, length in ranges]

    with pytest.raises(ZipFormatError, match="can't list 67,108,865 members"):
        list_zip(read_many, size + len(ends), everything)
