"""Structs of Thrift's compact protocol, against a writer of the tests' own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.parquet import Struct, thrift, varint
from transforms.archives.parquet.thrift import Incomplete, read_struct

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
VALUES = st.recursive(
    st.booleans() | NUMBERS | st.binary(max_size=30) | st.lists(NUMBERS, max_size=20),
    lambda inner: st.dictionaries(st.integers(1, 300), inner, max_size=4),
    max_leaves=8,
)
STRUCTS = st.dictionaries(st.integers(1, 300), VALUES, max_size=6)


def depth(value: object) -> int:
    if not isinstance(value, dict):
        return 1 if isinstance(value, list) else 0
    return 1 + max(map(depth, value.values()), default=0)


@given(STRUCTS, st.binary(max_size=5))
def test_what_is_written_is_read(struct: Struct, after: bytes) -> None:
    data = thrift(struct)
    if depth(struct) > 15:
        return
    assert read_struct(data + after) == (struct, len(data))


@given(STRUCTS, st.data())
def test_what_is_cut_off_is_incomplete(struct: Struct, data: st.DataObject) -> None:
    whole = thrift(struct)
    if depth(struct) > 15:
        return
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Incomplete):
        read_struct(whole[:cut])


def test_numbers_of_fields_may_count_on() -> None:
    # Fields 1 and 4 by their distance from the one before, as pyarrow writes them.
    assert read_struct(b"\x15\x0a\x35\x03\0") == ({1: 5, 4: -2}, 5)


def test_a_double_a_byte_and_a_list_of_bools_are_passed_over() -> None:
    data = b"\x17" + bytes(8) + b"\x13\x07\x19\x21\x01\x02\0"
    assert read_struct(data) == ({1: bytes(8), 2: 7, 3: [1, 2]}, len(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x15\x0a\x05\x02\x0a\0", "two fields have the number 1"),
        (b"\x1c" * 17 + bytes(17), "it is nested too deeply"),
        (b"\x19" * 18, "it is nested too deeply"),
        (b"\x1b\0\0", "it has a map, which Parquet has none of"),
        (b"\x1d\0", "it has a value of the unknown type 13"),
        (b"\x15" + b"\xff" * 10, "it has a number of more than 64 bits"),
    ],
)
def test_what_is_no_struct_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        read_struct(data)
    assert str(caught.value) == reason


def test_a_length_beyond_all_bytes_is_incomplete() -> None:
    with pytest.raises(Incomplete):
        read_struct(b"\x18" + varint((1 << 64) - 1))
