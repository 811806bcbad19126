"""The order of a split's records, against TFDS's."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.planning.order import key_halves, order_keys, sort_by_key


def ordered(names: list[str], split: str) -> list[str]:
    keys = pa.chunked_array([order_keys(names, split)])
    return [names[i] for i in sort_by_key(keys, np.zeros(len(names), np.int8))]


def fingerprint(names: list[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def test_key_is_the_md5_of_split_and_name() -> None:
    (key,) = order_keys(["n01440764_10026.JPEG"], "train").to_pylist()
    assert key.hex() == "79e67b1504cd9c1e933df5938000a2d6"
    (other,) = order_keys(["n01440764_10026.JPEG"], "validation").to_pylist()
    assert other == hashlib.md5(b"validationn01440764_10026.JPEG").digest()


def test_backslashes_count_as_slashes() -> None:
    back, slash = order_keys(["a\\b\\c.JPEG", "a/b/c.JPEG"], "train").to_pylist()
    assert back == slash == hashlib.md5(b"traina/b/c.JPEG").digest()


def test_names_count_as_utf8() -> None:
    (key,) = order_keys(["ü.JPEG"], "test").to_pylist()
    assert key == hashlib.md5(b"test\xc3\xbc.JPEG").digest()


def test_no_names_have_no_keys() -> None:
    keys = order_keys([], "train")
    assert (keys.type, len(keys)) == (pa.binary(16), 0)


# What TFDS 4.9.10 writes: the hash is over all names in order, joined by newlines.
@pytest.mark.parametrize(
    ("file", "count", "first", "last", "expected"),
    [
        (
            "1percent.txt",
            12_811,
            ["n03837869_3747.JPEG", "n03782006_4488.JPEG", "n02123597_5884.JPEG"],
            "n01728572_9503.JPEG",
            "1ccaa58693773dced2314bd01f886d70a46344edfcbb1fb39464e8460c6bdeb3",
        ),
        (
            "10percent.txt",
            128_116,
            ["n04125021_5078.JPEG", "n07697537_37711.JPEG", "n02692877_16062.JPEG"],
            "n04418357_6266.JPEG",
            "c1f51dae9a73ae09949804d792084e44d7b78b2926dd9bf975cf345d0f4f3999",
        ),
    ],
    ids=["1pct", "10pct"],
)
def test_order_of_the_published_lists(
    file: str, count: int, first: list[str], last: str, expected: str, shared: Path
) -> None:
    names = ordered((shared / "data" / file).read_text().split(), "train")
    assert (len(names), names[:3], names[-1]) == (count, first, last)
    assert fingerprint(names) == expected


def test_order_of_the_validation_images() -> None:
    names = ordered(
        [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 50_001)],
        "validation",
    )
    assert names[:3] == [
        "ILSVRC2012_val_00009670.JPEG",
        "ILSVRC2012_val_00036705.JPEG",
        "ILSVRC2012_val_00003545.JPEG",
    ]
    assert names[-1] == "ILSVRC2012_val_00001274.JPEG"
    assert fingerprint(names) == (
        "b27681eae15432276e74d0af57a95e2cebf3718cb5c09ac017c5d0ed8da46bf4"
    )


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20), st.integers(0, 20))
def test_keys_ascend_as_big_endian_numbers(keys: list[bytes], cut: int) -> None:
    chunks = [pa.array(part, pa.binary(16)) for part in (keys[:cut], keys[cut:])]
    places = sort_by_key(pa.chunked_array(chunks), np.zeros(len(keys), np.int8))
    numbers = [int.from_bytes(keys[i], "big") for i in places]
    assert numbers == sorted(int.from_bytes(key, "big") for key in keys)
    assert sorted(places) == list(range(len(keys)))


def test_keys_differ_in_either_half() -> None:
    keys = [bytes(15) + b"\2", b"\1" + bytes(15), bytes(15) + b"\1", bytes(16)]
    array = pa.chunked_array([pa.array(keys, pa.binary(16))])
    assert key_halves(array).tolist() == [[0, 2], [1 << 56, 0], [0, 1], [0, 0]]
    assert key_halves(array.slice(1, 2)).tolist() == [[1 << 56, 0], [0, 1]]
    assert key_halves(array.slice(4)).shape == (0, 2)
    assert sort_by_key(array, np.zeros(4, np.int8)).tolist() == [3, 2, 0, 1]


def test_of_equal_keys_the_higher_layer_comes_first() -> None:
    keys = [b"b" * 16, b"a" * 16, b"b" * 16, b"a" * 16, b"b" * 16]
    layers = np.array([0, 0, 2, 1, 1], np.int8)
    array = pa.chunked_array([pa.array(keys, pa.binary(16))])
    assert sort_by_key(array, layers).tolist() == [3, 1, 2, 4, 0]


def test_slashes_may_be_hashed_as_underscores() -> None:
    names = ["17/a/b.jpeg", "plain"]
    assert order_keys(names, "test", "underscored") == order_keys(
        ["17_a_b.jpeg", "plain"], "test"
    )
