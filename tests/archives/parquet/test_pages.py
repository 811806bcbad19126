"""Pages put together by hand: what is found, and what is refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.helpers.parquet import thrift, values
from transforms.archives.parquet.pages import (
    Chunk,
    Page,
    ParquetFormatError,
    Range,
    UnsupportedParquetError,
    run_walks,
    walk_pages,
)

DATA, INDEX, DICTIONARY, DATA_V2 = range(4)
START = 100  # where the chunk begins in its file


def header(kind: int, size: int, **changes: Any) -> bytes:
    """Returns the header of a page of one plain value, with a null for no entry."""
    fields = {
        DATA: {5: {1: 1, 2: 0, 3: 3, 4: 3}},
        INDEX: {6: {}},
        DICTIONARY: {7: {1: 1, 2: 0}},
        DATA_V2: {8: {1: 1, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0, 7: False}},
    }
    struct = {1: kind, 2: size, 3: size, **fields.get(kind, {})}
    struct |= {int(name[1:]): value for name, value in changes.items()}
    return thrift({name: value for name, value in struct.items() if value is not None})


def pages_of(
    data: bytes, values: int = 1, deepest: int = 2, codec: str = "UNCOMPRESSED"
) -> list[Page]:
    file = bytes(START) + data

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        assert all(at >= START and at + size <= len(file) for at, size in ranges)
        return [file[at : at + size] for at, size in ranges]

    chunk = Chunk("image.bytes", START, len(data), values, codec, deepest)
    (found,) = run_walks(read_many, [walk_pages(chunk)])
    return found


BODY = values(b"abc")
DAMAGED = "a page's header is damaged: "
PLAIN = header(DATA, len(BODY)) + BODY


def test_pages_of_every_kind_are_found() -> None:
    levelled = thrift(
        {1: DATA_V2, 2: 9, 3: 9, 4: -1, 8: {1: 1, 2: 0, 3: 1, 4: 8, 5: 2, 6: 0}}
    )
    heads = [header(DICTIONARY, 7), header(INDEX, 3), header(DATA, 7), levelled]
    sizes = (7, 3, 7, 9)
    data, starts = b"", []
    for head, size in zip(heads, sizes, strict=True):
        starts.append(START + len(data) + len(head))
        data += head + bytes(size)
    assert pages_of(data, values=2) == [
        Page(0, starts[0], 7, 0, 7, "UNCOMPRESSED", None, 1, False),
        Page(1, starts[2], 7, 0, 7, "UNCOMPRESSED", None, 1, False),
        Page(2, starts[3], 9, 2, 7, "UNCOMPRESSED", 0xFFFFFFFF, 1, True),
    ]


def test_a_page_of_version_2_may_be_left_as_it_is() -> None:
    plain = header(DATA_V2, 7) + BODY
    packed = header(DATA_V2, 7, _8={1: 1, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0, 7: True}) + BODY
    pages = pages_of(plain + packed, values=2, codec="ZSTD")
    assert [page.codec for page in pages] == ["UNCOMPRESSED", "ZSTD"]


def test_a_column_without_values_has_no_pages() -> None:
    assert pages_of(b"", values=0) == []


@pytest.mark.parametrize("length", [200, 3_000, 100_000])
def test_long_statistics_do_not_matter(length: int) -> None:
    statistics = {1: bytes(length), 3: 0}
    head = thrift({1: DATA, 2: 7, 3: 7, 5: {1: 1, 2: 0, 3: 3, 4: 3, 5: statistics}})
    (page,) = pages_of(head + BODY)
    assert page.offset == START + len(head)


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (PLAIN[:-1], 0, "a page of 7 bytes is longer than its column"),
        (PLAIN[:5], 0, "a page's header is cut off"),
        (PLAIN + b"\x15", len(PLAIN), "a page's header is cut off"),
        (
            PLAIN + b"\x1b\0\0",
            len(PLAIN),
            DAMAGED + "it has a map, which Parquet has none of",
        ),
        (
            header(DATA, 2 << 20, _5={5: bytes(2 << 20)}) + bytes(2 << 20),
            0,
            "a page's header is cut off",
        ),
        (
            PLAIN + header(DICTIONARY, 7) + BODY,
            len(PLAIN),
            "a dictionary comes after other pages",
        ),
        (PLAIN * 2, 0, "the pages of a column have 2 values, expected 1"),
        (
            header(7, 7) + BODY,
            0,
            DAMAGED + "its page is of the unknown type 7",
        ),
        (
            header(DATA, 7, _5=None) + BODY,
            0,
            DAMAGED + "a part is missing",
        ),
        (
            header(DATA, 7, _3=None) + BODY,
            0,
            DAMAGED + "a number is missing",
        ),
        (
            header(DATA, 7, _1=True) + BODY,
            0,
            DAMAGED + "a number is missing",
        ),
        (
            header(DATA, 7, _3=-7) + BODY,
            0,
            DAMAGED + "-7 stands for a size or number",
        ),
        (
            header(DATA, 7, _2=8) + BODY,
            0,
            DAMAGED + "it has 7 bytes, 0 of them levels, for 8",
        ),
        (
            header(DATA_V2, 7, _8={1: 1, 2: 0, 3: 1, 4: 0, 5: 8, 6: 0}) + BODY,
            0,
            DAMAGED + "it has 7 bytes, 8 of them levels, for 7",
        ),
        (
            header(DATA_V2, 7, _8={1: 1, 2: 0, 3: 1, 4: 0, 5: 0, 6: 1}) + BODY,
            0,
            DAMAGED + "it has repetition levels, and its column none",
        ),
    ],
)
def test_what_no_column_has_is_refused(data: bytes, offset: int, reason: str) -> None:
    with pytest.raises(ParquetFormatError) as caught:
        pages_of(data)
    assert (caught.value.offset, caught.value.reason) == (START + offset, reason)
    assert not isinstance(caught.value, UnsupportedParquetError)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {1: 1, 2: 6, 3: 3, 4: 3},
            "image.bytes has values encoded as DELTA_LENGTH_BYTE_ARRAY",
        ),
        ({1: 1, 2: 99, 3: 3, 4: 3}, "image.bytes has values encoded as number 99"),
        ({1: 1, 2: 0, 3: 4, 4: 3}, "image.bytes has levels encoded as BIT_PACKED"),
    ],
)
def test_what_is_not_read_here_is_named(fields: dict[int, int], reason: str) -> None:
    with pytest.raises(UnsupportedParquetError) as caught:
        pages_of(PLAIN + header(DATA, 7, _5=fields) + BODY, values=2)
    assert (caught.value.offset, caught.value.reason) == (START + len(PLAIN), reason)


def test_levels_that_are_not_there_may_have_any_encoding() -> None:
    head = header(DATA, 7, _5={1: 1, 2: 0, 3: 4, 4: 4})
    assert len(pages_of(head + BODY, deepest=0)) == 1
