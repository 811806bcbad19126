"""Where values lie in pages: numbers in runs, and pages put together by hand."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.parquet import values, varint
from transforms.archives.parquet.pages import (
    Chunk,
    NullValueError,
    Page,
    ParquetFormatError,
    Range,
    UnsupportedParquetError,
    run_walks,
)
from transforms.archives.parquet.stored import Spot
from transforms.archives.parquet.values import (
    PageValues,
    choose,
    decode_numbers,
    locate_values,
    read_values,
)

START = 1000
LONG = bytes(40_000)


def encode(runs: list[tuple[list[int], bool]], bits: int) -> bytes:
    """Writes runs, each packed or of one number; packed ones have eights of numbers."""
    data = b""
    for numbers, packed in runs:
        if packed:
            packs = sum(number << at * bits for at, number in enumerate(numbers))
            groups = len(numbers) // 8
            data += varint(groups << 1 | 1) + packs.to_bytes(groups * bits, "little")
        else:
            width = (bits + 7) // 8
            data += varint(len(numbers) << 1) + numbers[0].to_bytes(width, "little")
    return data


@st.composite
def runs_of_numbers(draw: st.DrawFn) -> tuple[list[tuple[list[int], bool]], int]:
    bits = draw(st.integers(0, 32))
    number = st.integers(0, (1 << bits) - 1)
    packed = st.integers(1, 3).flatmap(
        lambda groups: st.lists(number, min_size=groups * 8, max_size=groups * 8)
    )
    repeated = st.tuples(number, st.integers(1, 300)).map(lambda run: [run[0]] * run[1])
    run = packed.map(lambda run: (run, True)) | repeated.map(lambda run: (run, False))
    return draw(st.lists(run, max_size=5)), bits


@given(runs_of_numbers(), st.data())
def test_numbers_in_runs_are_read(
    written: tuple[list[tuple[list[int], bool]], int], data: st.DataObject
) -> None:
    runs, bits = written
    numbers = [number for run, _ in runs for number in run]
    count = data.draw(st.integers(0, len(numbers)))
    encoded = memoryview(encode(runs, bits))
    assert decode_numbers(encoded, bits, count).tolist() == numbers[:count]
    with pytest.raises(ValueError, match="are cut off"):
        decode_numbers(encoded, bits, len(numbers) + 1)


def test_numbers_of_more_than_32_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="have 33 bits"):
        decode_numbers(memoryview(bytes(50)), 33, 1)


def located(body: bytes, deepest: int = 2, **changes: object) -> PageValues[Spot]:
    """Locates the values of a page that starts at 1000, and is not compressed."""
    page = Page(1, START, len(body), 0, len(body), "UNCOMPRESSED", None, 2, False)
    page = page._replace(**changes)  # type: ignore[arg-type]
    file = bytes(START) + body

    def read_many(ranges: Sequence[Range]) -> list[bytes]:
        return [file[at : at + size] for at, size in ranges]

    chunk = Chunk("image.bytes", START, len(body), page.values, page.codec, deepest)
    (found,) = run_walks(read_many, [locate_values(chunk, page, 500)])
    return found


def levels(*numbers: int) -> bytes:
    runs = encode([([number], False) for number in numbers], 2)
    return len(runs).to_bytes(4, "little") + runs


@pytest.mark.parametrize("size", [3, 40_000])  # read as a whole, and hopped over
def test_plain_values_are_found(size: int) -> None:
    body = levels(2, 2) + values(bytes(size), bytes(2 * size))
    spots = [
        Spot(START + 12, size, ""),
        Spot(START + 16 + size, 2 * size, ""),
    ]
    assert located(body).values == spots
    assert located(body[8:], deepest=0).values == [
        spot._replace(offset=spot.offset - 8) for spot in spots
    ]
    # As a dictionary they have no levels; of version 2 these have no length.
    assert located(body[8:], version=0).values == located(body[8:], deepest=0).values
    second = {"version": 2, "lead": 4, "whole": len(body) - 8}
    assert located(body[4:], **second).values == [
        spot._replace(offset=spot.offset - 4) for spot in spots
    ]


def test_many_levels_are_read_whole() -> None:
    runs = b"".join(encode([([2], False)], 2) for _ in range(100))
    body = len(runs).to_bytes(4, "little") + runs + values(*[LONG] * 100)
    spots = located(body, values=100).values
    assert spots[99] == Spot(START + len(body) - len(LONG), len(LONG), "")


@pytest.mark.parametrize("image", [b"abc", LONG])
@pytest.mark.parametrize(
    ("change", "at", "reason"),
    [
        ("short", None, "a page ends before its values do"),
        ("long", 0, "the values of a page end at {end:,} of {size:,} bytes"),
        ("levels", 0, "the levels of a page are longer than the page"),
        ("no levels", 0, "the numbers in a page are cut off"),
    ],
)
def test_damage_is_found(
    image: bytes, change: str, at: int | None, reason: str
) -> None:
    body = levels(2, 2) + values(image, image)
    end = len(body)
    if change == "short":
        body = body[: -len(image) - 4]
    elif change == "long":
        body += b"."
    elif change == "levels":
        body = b"\xff\xff\xff\x0f" + body[4:]
    else:
        body = bytes(4) + body
    with pytest.raises(ParquetFormatError) as caught:
        located(body)
    assert caught.value.reason == reason.format(end=end, size=len(body))
    if at is not None:
        assert caught.value.offset == START + at


@pytest.mark.parametrize("image", [b"abc", LONG])
@pytest.mark.parametrize("level", [0, 1])
def test_a_null_is_found(image: bytes, level: int) -> None:
    with pytest.raises(NullValueError) as caught:
        located(levels(2, level) + values(image, image))
    assert (caught.value.row, caught.value.column) == (501, "image.bytes")


def test_values_are_read() -> None:
    body = levels(2, 2) + values(b"", b"abc")
    page = Page(1, 0, len(body), 0, len(body), "UNCOMPRESSED", None, 2, False)
    chunk = Chunk("image.path", 0, len(body), 2, "UNCOMPRESSED", 2)
    (found,) = run_walks(lambda _: [body], [read_values(chunk, page, 0)])
    assert found.values == [b"", b"abc"]


def indexed(bits: int, *numbers: int) -> bytes:
    return bytes([bits]) + encode([([number], False) for number in numbers], bits)


def test_indices_choose_from_the_dictionary() -> None:
    dictionary = [Spot(1, 1, ""), Spot(2, 2, "")]
    page = Page(1, START, 0, 0, 0, "UNCOMPRESSED", None, 2, True)
    found = located(levels(2, 2) + indexed(1, 1, 0), indexed=True)
    assert choose(dictionary, page, found) == [dictionary[1], dictionary[0]]
    found = located(levels(2, 2) + indexed(2, 1, 2), indexed=True)
    with pytest.raises(ParquetFormatError) as caught:
        choose(dictionary, page, found)
    assert caught.value.reason == (
        "a page has a value numbered 2, and the dictionary 2 values"
    )
    with pytest.raises(ParquetFormatError) as caught:
        located(levels(2, 2), indexed=True)
    assert caught.value.reason == "a page ends before its values do"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"values": (1 << 24) + 1}, "a page has 16,777,217 values"),
        ({"whole": (512 << 20) + 1, "codec": "ZSTD"}, "a page has 536,870,913 bytes"),
    ],
)
def test_pages_beyond_measure_are_refused(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(UnsupportedParquetError) as caught:
        located(b"", **changes)
    assert caught.value.reason == reason
