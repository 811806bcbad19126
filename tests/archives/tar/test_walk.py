"""The tar walk: the same as ``tarfile``, and every damage noticed."""

import io
import tarfile
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.oracles import (
    check_walk,
    kind_of,
    members_of_tarfile,
    walk,
    walk_whole,
)
from transforms.archives.tar.end import TarEnd
from transforms.archives.tar.header import BLOCK, Range, TarFormatError
from transforms.archives.tar.members import TarMember
from transforms.archives.tar.walk import TarWalk, walk_tars

END_OF_ARCHIVE = bytes(2 * BLOCK)
POSIX_MAGIC = b"ustar\x0000"
GNU_MAGIC = b"ustar  \0"
V7_MAGIC = bytes(8)


def pack(
    members: list[tuple[str, bytes | None]], tar_format: int = tarfile.GNU_FORMAT
) -> bytes:
    """Returns a tar of files and, where the content is None, of directories."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return buffer.getvalue()


def fault(data: bytes) -> TarFormatError:
    with pytest.raises(TarFormatError) as caught:
        walk(data)
    return caught.value


def header(
    name: bytes,
    size: bytes | int,
    kind: bytes = b"0",
    magic: bytes = POSIX_MAGIC,
    prefix: bytes = b"",
    signed: bool = False,
    target: bytes = b"",
) -> bytes:
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[124:136] = b"%011o\0" % size if isinstance(size, int) else size
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(target)] = target
    block[257:265] = magic
    block[345 : 345 + len(prefix)] = prefix
    values = (byte - 256 if signed and byte > 127 else byte for byte in block)
    block[148:156] = b"%06o\0 " % sum(values)
    return bytes(block)


def blocks(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def extended(kind: bytes, body: bytes) -> bytes:
    return header(b"extended", len(body), kind) + blocks(body)


def pax_record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(b"%d" % length) + len(key) + len(value) + 3 != length:
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


# --- The same as tarfile --------------------------------------------------------------

FORMATS = {
    "ustar": tarfile.USTAR_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}
LETTERS = st.characters(codec="utf-8", exclude_characters="/\0", min_codepoint=33)
SHORT = st.text(LETTERS, min_size=1, max_size=12)
# Around the 100 bytes of the name field, the 155 of the prefix, and beyond both.
LONG = st.tuples(SHORT, st.integers(90, 300)).map(lambda t: (t[0] * 300)[: t[1]])
NAMES = st.lists(SHORT | LONG, min_size=1, max_size=3).map("/".join)
SIZES = st.sampled_from([0, 1, 511, 512, 513, 1024, 1536]) | st.integers(0, 3000)
KINDS = st.just(tarfile.REGTYPE) | st.sampled_from(
    [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)


@pytest.mark.parametrize("tar_format", FORMATS.values(), ids=FORMATS)
@settings(deadline=None, max_examples=60)
@given(
    wanted=st.lists(st.tuples(NAMES, KINDS, SIZES, NAMES), max_size=6),
    start=st.integers(0, 2000),
)
def test_members_are_those_tarfile_lists(
    tar_format: int, wanted: list[tuple[str, bytes, int, str]], start: int
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for name, kind, size, target in wanted:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = target
            elif kind == tarfile.REGTYPE:
                info.size = size
            try:
                tar.addfile(info, io.BytesIO(b"x" * size))
            except ValueError:  # ustar has no room for every name
                assert tar_format == tarfile.USTAR_FORMAT
    archive = buffer.getvalue()

    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as tar:
        # tarfile takes the slash off directories.
        expected = [
            (
                *(info.name, start + info.offset_data, info.size, kind_of(info)),
                info.linkname,
            )
            for info in tar.getmembers()
        ]
    found = walk(b"\xff" * start + archive, start)
    assert [
        (
            m.name.rstrip("/") if m.kind == "directory" else m.name,
            m.offset,
            m.size,
            m.kind,
            m.target,
        )
        for m in found
    ] == expected


# --- Headers by hand ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "size"),
    [
        pytest.param(b"00000000005\0", 5, id="octal"),
        pytest.param(b"000000000012", 10, id="octal-in-all-twelve-bytes"),
        pytest.param(b"         12 ", 10, id="spaces-around"),
        pytest.param(b"12\0garbage..", 10, id="ends-at-nul"),
        pytest.param(bytes(12), 0, id="empty"),
        pytest.param(b"\x80" + (300).to_bytes(11, "big"), 300, id="base-256"),
    ],
)
def test_size_fields(field: bytes, size: int) -> None:
    archive = header(b"a", field) + blocks(b"x" * size) + END_OF_ARCHIVE
    assert walk(archive) == [TarMember("a", 512, size, "file")]


def test_base_256_size_of_a_tebibyte_is_skipped_over_unread() -> None:
    size = (1 << 40) + 1
    second = BLOCK + (1 << 40) + BLOCK
    pieces = {
        (0, BLOCK): header(b"huge", b"\x80" + size.to_bytes(11, "big")),
        # So near to the end all that is left is read at once.
        (second, 4 * BLOCK): header(b"after", 3) + blocks(b"abc") + END_OF_ARCHIVE,
        (second + 2 * BLOCK, 2 * BLOCK): END_OF_ARCHIVE,
    }

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        return [pieces[wanted] for wanted in ranges]

    (found,) = walk_tars(read_many, [(0, second + 4 * BLOCK)])
    assert found.members == [
        TarMember("huge", BLOCK, size, "file"),
        TarMember("after", second + BLOCK, 3, "file"),
    ]


def test_tars_of_one_file_are_walked_side_by_side() -> None:
    tars = [
        pack([("a", b"1"), ("b", b"2" * 600), ("c", None)]),
        pack([]),
        pack([("d" * 150, b"3")]),
    ]
    file = b"".join(tars)
    starts = [0, len(tars[0]), len(tars[0] + tars[1])]
    rounds = []

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        rounds.append([start for start, _ in ranges])
        return [file[start : start + size] for start, size in ranges]

    found = walk_tars(
        read_many, [(start, len(tar)) for start, tar in zip(starts, tars, strict=True)]
    )
    assert [tar.members for tar in found] == [
        [
            TarMember("a", 512, 1, "file"),
            TarMember("b", 1536, 600, "file"),
            TarMember("c/", 3072, 0, "directory"),
        ],
        [],
        [TarMember("d" * 150, starts[2] + 1536, 1, "file")],
    ]
    third = starts[2]
    assert rounds == [
        starts,
        [1024, third + 512],  # the long name's body
        [2560, third + 1024],
        [3072, third + 2048],
    ]


def test_no_tar_is_no_members() -> None:
    assert walk_tars(lambda ranges: [b"" for _ in ranges], []) == []


def test_v7_headers_name_directories_with_a_slash() -> None:
    archive = (
        header(b"d/", 0, b"\0", V7_MAGIC)
        + header(b"d/a", 2, b"\0", V7_MAGIC)
        + blocks(b"hi")
        + END_OF_ARCHIVE
    )
    assert walk(archive) == [
        TarMember("d/", 512, 0, "directory"),
        TarMember("d/a", 1024, 2, "file"),
    ]


def test_file_of_a_newer_kind_may_end_with_a_slash() -> None:
    archive = header(b"a/", 2, b"0") + blocks(b"hi") + END_OF_ARCHIVE
    assert walk(archive) == [TarMember("a/", 512, 2, "file")]


def test_directory_with_a_size_has_no_body() -> None:
    archive = header(b"d", 700, b"5") + header(b"a", 0) + END_OF_ARCHIVE
    assert walk(archive) == [
        TarMember("d", 512, 0, "directory"),
        TarMember("a", 1024, 0, "file"),
    ]


def test_checksum_over_signed_bytes_is_accepted() -> None:
    name = "é".encode()
    archive = header(name, 0, signed=True) + END_OF_ARCHIVE
    assert archive[:BLOCK] != header(name, 0)
    assert walk(archive) == [TarMember("é", 512, 0, "file")]


@pytest.mark.parametrize(
    ("magic", "prefix", "name"),
    [
        pytest.param(POSIX_MAGIC, b"dir", "dir/a", id="posix"),
        pytest.param(POSIX_MAGIC, b"777", "777/a", id="posix-digits"),
        # As Go's writer had it before version 1.8.
        pytest.param(GNU_MAGIC, b"b" * 30, f"{'b' * 30}/a", id="gnu-by-go"),
        pytest.param(GNU_MAGIC, b"14112345670\0" * 2, "a", id="gnu-times"),
        pytest.param(GNU_MAGIC, b"\x80" + bytes(9) + b"\1\2", "a", id="gnu-base-256"),
        pytest.param(GNU_MAGIC, b"\xff" * 24, "a", id="gnu-before-1970"),
    ],
)
def test_a_prefix_is_part_of_the_name_where_the_header_has_no_times(
    magic: bytes, prefix: bytes, name: str
) -> None:
    archive = header(b"a", 0, magic=magic, prefix=prefix) + END_OF_ARCHIVE
    assert check_walk(archive) == [TarMember(name, 512, 0, "file")]


def test_a_prefix_in_a_header_that_has_none_is_refused() -> None:
    error = fault(FIRST + header(b"a", 0, magic=V7_MAGIC, prefix=b"dir"))
    assert error.reason == "a prefix of its name in a header that has none"
    assert (error.offset, error.member) == (len(FIRST), "first")


def test_name_that_is_not_utf8_is_escaped() -> None:
    archive = header(b"a\xff", 0) + END_OF_ARCHIVE
    assert walk(archive) == [TarMember("a\\xff", 512, 0, "file")]


SIZE_7 = pax_record(b"size", b"7")


@pytest.mark.parametrize(
    ("before", "member"),
    [
        pytest.param(
            extended(b"x", pax_record(b"path", "ü/long".encode())),
            TarMember("ü/long", 1536, 0, "file"),
            id="pax-path",
        ),
        pytest.param(
            extended(b"x", SIZE_7), TarMember("a", 1536, 7, "file"), id="pax-size"
        ),
        pytest.param(
            extended(b"X", SIZE_7), TarMember("a", 1536, 7, "file"), id="solaris-x"
        ),
        pytest.param(
            extended(b"x", pax_record(b"mtime", b"1.5") + SIZE_7 + bytes(9)),
            TarMember("a", 1536, 7, "file"),
            id="other-records-and-padding",
        ),
        pytest.param(
            extended(b"L", b"a long name\0"),
            TarMember("a long name", 1536, 0, "file"),
            id="gnu-long-name",
        ),
        pytest.param(
            extended(b"K", b"a long target\0"),
            TarMember("a", 1536, 0, "file"),
            id="gnu-long-link-of-a-file",
        ),
        pytest.param(
            extended(b"g", pax_record(b"comment", b"a1b2c3")),  # by git archive
            TarMember("a", 1536, 0, "file"),
            id="global-header",
        ),
        pytest.param(
            extended(b"L", b"first\0") + extended(b"x", SIZE_7),
            TarMember("first", 2560, 7, "file"),
            id="two-extended-headers",
        ),
    ],
)
def test_extended_headers_apply_to_the_next_member_alone(
    before: bytes, member: TarMember
) -> None:
    body = blocks(b"x" * member.size)
    archive = before + header(b"a", 0) + body + header(b"b", 0) + END_OF_ARCHIVE
    following = TarMember("b", member.offset + len(body) + BLOCK, 0, "file")
    assert walk(archive) == [member, following]


@pytest.mark.parametrize(
    ("before", "field", "target"),
    [
        pytest.param(b"", b"b", "b", id="field"),
        pytest.param(b"", b"b" * 100, "b" * 100, id="whole-field"),
        pytest.param(extended(b"K", b"long\0"), b"b", "long", id="gnu-long-link"),
        pytest.param(
            extended(b"x", pax_record(b"linkpath", b"long")), b"b", "long", id="pax"
        ),
        pytest.param(b"", b"\xff", "\\xff", id="no-utf-8"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "name"), [(b"1", "hard link"), (b"2", "symbolic link")], ids=["1", "2"]
)
def test_the_target_of_a_link(
    kind: bytes, name: str, before: bytes, field: bytes, target: str
) -> None:
    archive = before + header(b"a", 0, kind, target=field) + END_OF_ARCHIVE
    offset = len(before) + BLOCK
    assert check_walk(archive) == [TarMember("a", offset, 0, name, target)]


# --- Damage ---------------------------------------------------------------------------

FIRST = header(b"first", 3) + blocks(b"abc")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(
            header(b"a", 0)[:-1] + b"!", "the header's checksum is wrong", id="checksum"
        ),
        pytest.param(b"\1" * BLOCK, "the header's checksum is wrong", id="no-header"),
        pytest.param(
            header(b"a", b"\xff" * 12),
            r"its size field reads b'\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'",
            id="negative-base-256-size",
        ),
        pytest.param(
            header(b"a", b"0000000 9xyz"),
            "its size field reads b'0000000 9xyz'",
            id="garbage-size",
        ),
        pytest.param(
            header(b"a", b"-0000000005\0"),
            r"its size field reads b'-0000000005\x00'",
            id="negative-octal-size",
        ),
        pytest.param(
            header(b"a", 2000),
            "a needs 2,000 bytes and only 1,024 are there",
            id="longer-than-the-archive",
        ),
        pytest.param(
            header(b"a", 0, b"S"),
            "a GNU sparse file, which is not supported",
            id="gnu-sparse",
        ),
        pytest.param(
            header(b"a", 0, b"M"),
            "a multi-volume part, which is not supported",
            id="multi-volume",
        ),
        pytest.param(
            header(b"a", 0, b"?"),
            "a member of unknown type '?', which is not supported",
            id="unknown-type",
        ),
        pytest.param(
            extended(b"L", b"n" * ((1 << 20) + 1)),
            "an extended header of 1,048,577 bytes",
            id="oversize-extended-header",
        ),
        pytest.param(
            header(b"a", 1025, b"x"),  # one byte more than there is
            "an extended header of 1,025 bytes",
            id="extended-header-cut-off",
        ),
        pytest.param(
            extended(b"x", pax_record(b"GNU.sparse.major", b"1")),
            "a sparse file, which is not supported",
            id="pax-sparse",
        ),
        pytest.param(
            extended(b"x", pax_record(b"size", b"1e3")),
            "a PAX size of b'1e3'",
            id="pax-size-no-number",
        ),
        pytest.param(
            header(b"a", b"0000000_010\0"),  # a number to Python, to nobody else
            r"its size field reads b'0000000_010\x00'",
            id="size-with-an-underscore",
        ),
        pytest.param(
            header(b"a", b"+0000000005\0"),
            r"its size field reads b'+0000000005\x00'",
            id="size-with-a-sign",
        ),
        pytest.param(
            header(b"a", b"\x80" + b"\xff" * 11),
            "a needs 309,485,009,821,345,068,724,781,055 bytes and only 1,024 are "
            "there",
            id="base-256-size-of-88-bits",
        ),
        pytest.param(
            header(b"a", b"\x80" + (1 << 63).to_bytes(11, "big")),
            "a needs 9,223,372,036,854,775,808 bytes and only 1,024 are there",
            id="base-256-size-of-64-bits",
        ),
        pytest.param(
            extended(b"x", pax_record(b"size", b"1" * 20)),
            "a PAX size of b'11111111111111111111'",
            id="pax-size-of-more-than-64-bits",
        ),
        pytest.param(
            extended(b"x", pax_record(b"size", b"-5")),
            "a PAX size of b'-5'",
            id="pax-size-negative",
        ),
        pytest.param(
            extended(b"x", pax_record(b"path", b"a\0b")),
            r"the long name 'a\x00b', which no file can have",
            id="pax-path-with-nul",
        ),
        pytest.param(
            extended(b"L", b"\0"),
            "the long name '', which no file can have",
            id="no-long-name",
        ),
        pytest.param(
            header(b"a", 0, b"L"),
            "the long name '', which no file can have",
            id="long-name-without-a-body",
        ),
        pytest.param(
            header(b"a", 3, b"L") + b"abcdef".ljust(BLOCK, b"\0"),
            "an extended header that does not end",
            id="long-name-that-goes-on-in-the-padding",
        ),
        *(
            pytest.param(
                extended(b"g", pax_record(key, b"7")),
                "a global header that names members, or gives their size",
                id=f"global-{key.decode()}",
            )
            for key in (b"path", b"linkpath", b"size")
        ),
        *(
            pytest.param(
                header(b"a", 512, kind) + bytes(BLOCK),
                f"a is {what} and states a size of 512 bytes: readers of tars do not "
                "agree whether they follow",
                id=f"{what.split()[-1]}-with-a-size",
            )
            for kind, what in {
                b"1": "a hard link",
                b"2": "a symbolic link",
                b"3": "a character device",
                b"4": "a block device",
                b"6": "a FIFO",
                b"V": "a volume's label",
            }.items()
        ),
        pytest.param(
            header(b"\x1b[2Jnow" + b"\n" * 30, 2000),
            r"\x1b[2Jnow" + r"\n" * 30 + " needs 2,000 bytes and only 1,024 are there",
            id="name-that-would-clear-the-terminal",
        ),
        *(
            pytest.param(extended(b"x", body), "a malformed PAX record", id=name)
            for name, body in {
                "pax-no-space": b"9path=a\n\n",
                "pax-length-no-number": b"x path=a\n",
                "pax-length-zero": b"0 path=a\n",
                "pax-length-too-short": b"8 path=a\n",
                "pax-length-too-long": b"99 path=a\n",
                "pax-no-equals": b"9 patha!\n",
                "pax-no-key": b"5 =a\n",
                "pax-no-newline": b"9 path=a!",
            }.items()
        ),
    ],
)
def test_fault_names_its_offset_and_the_member_before(bad: bytes, reason: str) -> None:
    error = fault(FIRST + bad + END_OF_ARCHIVE)
    assert (error.reason, error.offset, error.member) == (reason, len(FIRST), "first")


NAME_TWICE = extended(b"L", b"one\0") + extended(b"x", pax_record(b"path", b"two"))


@pytest.mark.parametrize(
    ("before", "bad", "reason"),
    [
        pytest.param(
            extended(b"x", pax_record(b"size", b"9" * 19)),
            header(b"a", 0),
            "a needs 9,999,999,999,999,999,999 bytes and only 1,024 are there",
            id="pax-size-of-64-bits",
        ),
        pytest.param(
            extended(b"K", b"target\0"),
            b"",
            "an extended header without a member",
            id="nothing-but-the-end",
        ),
        pytest.param(
            NAME_TWICE[: 2 * BLOCK],
            NAME_TWICE[2 * BLOCK :],
            "two long names for one member",
            id="two-names",
        ),
        pytest.param(
            extended(b"x", SIZE_7),
            extended(b"x", pax_record(b"size", b"8")),
            "two PAX sizes for one member",
            id="two-sizes",
        ),
        pytest.param(
            extended(b"g", pax_record(b"comment", b"a")) * 16,
            extended(b"g", pax_record(b"comment", b"a")) * 1000,
            "more than 16 extended headers in a row",
            id="no-end-of-them",
        ),
        pytest.param(
            extended(b"x", pax_record(b"size", b"5")),
            header(b"a", 0, b"1"),
            "a is a hard link and states a size of 5 bytes: readers of tars do not "
            "agree whether they follow",
            id="link-with-a-pax-size",
        ),
        pytest.param(
            extended(b"K", b"one\0"),
            extended(b"x", pax_record(b"linkpath", b"two")),
            "two targets for one link",
            id="two-targets",
        ),
        pytest.param(
            extended(b"L", b"a/\0"),
            header(b"a", 5, b"\0", V7_MAGIC),
            "a file by one of its names, a directory by the other",
            id="directory-by-its-long-name-alone",
        ),
        pytest.param(
            extended(b"x", SIZE_7),
            header(b"a", b"garbage....."),
            "its size field reads b'garbage.....'",
            id="garbage-behind-a-pax-size",
        ),
    ],
)
def test_fault_behind_an_extended_header_names_the_place_of_its_own(
    before: bytes, bad: bytes, reason: str
) -> None:
    error = fault(FIRST + before + bad + END_OF_ARCHIVE)
    place = len(FIRST) + len(before)
    assert (error.reason, error.offset, error.member) == (reason, place, "first")


def test_sixteen_extended_headers_are_read() -> None:
    before = extended(b"K", b"target\0") * 15 + extended(b"L", b"name\0")
    found = walk(before + header(b"a", 0) + END_OF_ARCHIVE)
    assert found == [TarMember("name", len(before) + BLOCK, 0, "file")]


def test_sum_that_is_off_by_what_adler_32_cannot_tell_is_wrong() -> None:
    block = bytearray(header(b"a", 0))
    block[200:456] = b"\xff" * 256
    stated = sum(block[:148]) + 8 * 32 + sum(block[156:]) - 65521
    block[148:156] = b"%06o\0 " % stated
    assert fault(bytes(block) + END_OF_ARCHIVE).reason == (
        "the header's checksum is wrong"
    )


def test_pax_size_with_more_digits_than_python_converts_is_a_fault() -> None:
    error = fault(
        extended(b"x", pax_record(b"size", b"9" * 5000))
        + header(b"a", 0)
        + END_OF_ARCHIVE
    )
    assert error.offset == 0


def test_garbage_size_of_an_extended_header_behind_a_pax_size_is_a_fault() -> None:
    bad = header(b"a", b"garbage.....", b"L")
    error = fault(extended(b"x", SIZE_7) + bad + END_OF_ARCHIVE)
    assert (error.reason, error.offset) == (
        "its size field reads b'garbage.....'",
        2 * BLOCK,
    )


@pytest.mark.parametrize(
    ("magic", "name"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "zip"),
    ],
    ids=["gzip", "bzip2", "xz", "zstd", "zip"],
)
def test_compressed_data_is_called_so(magic: bytes, name: str) -> None:
    error = fault(magic + b"\1" * 2000)
    assert (error.reason, error.offset, error.member) == (
        f"it is compressed with {name}",
        0,
        "",
    )


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(FIRST + bytes(511), id="part-of-a-block"),
        pytest.param(FIRST[:-1], id="part-of-the-padding"),
    ],
)
def test_an_archive_that_ends_elsewhere_than_after_a_member_is_refused(
    data: bytes,
) -> None:
    error = fault(data)
    assert error.reason == "it ends without an end-of-archive block"
    end = min(len(data), len(FIRST))
    assert (error.offset, error.member) == (end, "first" if data else "")


def test_an_archive_that_ends_exactly_after_a_member_is_taken_with_a_remark() -> None:
    first = TarMember("first", 512, 3, "file")
    assert walk_whole(FIRST) == TarWalk([first], TarEnd(unmarked=1))
    assert walk_whole(FIRST + bytes(BLOCK)) == TarWalk([first], TarEnd())
    assert members_of_tarfile(FIRST) == [first]


@pytest.mark.parametrize("tar_format", FORMATS.values(), ids=FORMATS)
def test_every_cut_before_the_end_of_the_end_block_is_noticed(tar_format: int) -> None:
    members: list[tuple[str, bytes | None]] = [
        ("d", None),
        ("d/a", b"x" * 600),
        ("d/" + "n" * 98 + ("" if tar_format == tarfile.USTAR_FORMAT else "é"), b""),
        ("b", b"y" * 512),
    ]
    archive = pack(members, tar_format)
    found = walk(archive)
    # At the end of a member the members before it are read, as by all readers.
    ends = {m.offset + (m.size + 511) // 512 * 512: i for i, m in enumerate(found, 1)}
    for cut in range(max(ends) + BLOCK):
        if cut in ends:
            here = walk_whole(archive[:cut])
            assert here == TarWalk(found[: ends[cut]], TarEnd(unmarked=1))
        else:
            assert 0 <= fault(archive[:cut]).offset <= cut
    assert walk_whole(archive[: max(ends) + BLOCK]) == TarWalk(found, TarEnd())


def test_every_flipped_bit_of_a_header_is_noticed() -> None:
    archive = pack([("a", b"x"), ("é" * 60, b"yz"), ("d", None)], tarfile.PAX_FORMAT)
    members = walk(archive)
    headers = {member.offset - BLOCK for member in members} | {2 * BLOCK}  # PAX's own
    assert len(headers) == 4
    unnoticed = []
    for block in sorted(headers):
        for place in range(BLOCK):
            for bit in range(8):
                damaged = bytearray(archive)
                damaged[block + place] ^= 1 << bit
                try:
                    found = walk(bytes(damaged))
                except TarFormatError as error:
                    noticed = error.offset == block
                else:
                    # The sum may be written in several ways, and does no harm.
                    noticed = 148 <= place < 156 and found == members
                if not noticed:
                    unnoticed.append((block, place, bit))
    assert unnoticed == []


PLACES = st.one_of(  # in a header: anywhere, and where it counts
    st.integers(0, BLOCK - 1),
    st.integers(124, 135),
    st.just(156),
    st.integers(257, 264),
    st.integers(345, 400),
)
BYTES = st.integers(0, 255) | st.sampled_from([*b"\0 /0157LKxgV", 0x80])


@settings(deadline=None, max_examples=150)
@given(
    tar_format=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    edits=st.lists(
        st.tuples(st.integers(0, 20), PLACES, BYTES, st.booleans()), max_size=4
    ),
    cut=st.none() | st.integers(0, 10_000),
)
def test_damage_that_keeps_checksums_gives_the_members_of_tarfile_or_an_error(
    tar_format: int, edits: list[tuple[int, int, int, bool]], cut: int | None
) -> None:
    names = [("a", b"x"), ("é" * 60, b"yz" * 300), ("d", None), ("n" * 150, b"z")]
    archive = bytearray(pack(names, tar_format).rstrip(b"\0"))
    archive += bytes(-len(archive) % BLOCK) + END_OF_ARCHIVE
    for block, place, value, keeps_checksum in edits:
        at = block * BLOCK % len(archive)
        archive[at + place] = value
        if keeps_checksum:
            archive[at + 148 : at + 156] = b" " * 8
            total = sum(archive[at : at + BLOCK])
            archive[at + 148 : at + 156] = b"%06o\0 " % total
    with suppress(TarFormatError):
        check_walk(bytes(archive[:cut]))


MEMBERS = st.builds(
    lambda name, size, kind, magic, prefix, body: (
        header(name, size, kind, magic, prefix) + blocks(body)
    ),
    st.sampled_from([b"a", b"d/", b"", b"d/a"]),
    st.sampled_from([0, 5, 600, b"\x80" + bytes(10) + b"\5", b"5 ", b"5_0", b"-1"]),
    st.sampled_from([bytes([kind]) for kind in b"\x000123567VSDN"]),
    st.sampled_from([POSIX_MAGIC, GNU_MAGIC, V7_MAGIC]),
    st.sampled_from([b"", b"p", b"777", b"\x80", b"p" * 155]),
    st.sampled_from([b"", b"bytes", bytes(600)]),
)
RECORDS = st.sampled_from(
    [
        *(pax_record(b"path", name) for name in (b"one", b"two/", b"", b"a\0b")),
        *(pax_record(b"size", size) for size in (b"0", b"5", b"600", b"-1", b"1_0")),
        pax_record(b"comment", b"a"),
        pax_record(b"linkpath", b"one"),
        pax_record(b"hdrcharset", b"BINARY"),
        b"5 =a\n",
        b"9 path=a\n\0",
        b"junk",
    ]
)
EXTENDED = st.builds(
    extended,
    st.sampled_from([b"L", b"K"]),
    st.sampled_from([b"one\0", b"one", b"two/\0", b"\0", b"n" * 512, b"a\0b\0"]),
) | st.builds(
    extended,
    st.sampled_from([b"x", b"X", b"g"]),
    st.lists(RECORDS, max_size=2).map(b"".join),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(MEMBERS | EXTENDED, max_size=4).map(b"".join))
def test_headers_of_any_kind_are_read_as_tarfile_does_or_refused(start: bytes) -> None:
    with suppress(TarFormatError):
        check_walk(start + END_OF_ARCHIVE)
