"""Images that are equal byte for byte."""

import json
import random
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from transforms.formats.records import Source
from transforms.statistics.duplicates import (
    HASHES,
    DuplicateGroup,
    Occurrence,
    content_hash,
    find_duplicates,
    find_equal_pixels,
    hash_table,
    hashes_from_json,
    hashes_to_json,
)

ONE, TWO = (xxhash.xxh3_128_hexdigest(data) for data in (b"one", b"two"))

Split = list[tuple[str, int, bytes]]  # name, label, image


def sources(split: Split) -> list[Source]:
    return [
        Source(name, label, f"{name[0]}.tar", 512 * i, len(data))
        for i, (name, label, data) in enumerate(split)
    ]


def rows(split: Split) -> pa.Table:
    digests = [content_hash(data) for _, _, data in split]
    return hash_table(sources(split), digests, [None] * len(digests))


def found_in(splits: Mapping[str, Split]) -> list[DuplicateGroup]:
    return find_duplicates({name: rows(split) for name, split in splits.items()})


def names(group: DuplicateGroup) -> list[str]:
    return [f"{image.split}/{image.source.name}" for image in group.images]


def test_the_hash_is_the_published_one() -> None:
    # Of nothing, as xxHash's own documentation has it.
    assert content_hash(b"").hex() == "99aa06d3014798d86001c324468d497f"


@pytest.mark.parametrize("size", [1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 300_001])
def test_an_image_is_hashed_whole(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert content_hash(data) == xxhash.xxh3_128_digest(data)


def test_equal_images_are_found_within_and_across_splits() -> None:
    found = found_in(
        {
            "train": [("b", 1, b"one"), ("c", 1, b"other"), ("a", 1, b"one")],
            "validation": [("e", 4, b"two"), ("d", 5, b"two"), ("f", 1, b"one")],
        }
    )
    assert found[0].images == (
        Occurrence("train", Source("a", 1, "a.tar", 1024, 3)),
        Occurrence("train", Source("b", 1, "b.tar", 0, 3)),
        Occurrence("validation", Source("f", 1, "f.tar", 1024, 3)),
    )
    assert [(group.digest, names(group)) for group in found] == [
        (ONE, ["train/a", "train/b", "validation/f"]),
        (TWO, ["validation/d", "validation/e"]),
    ]
    assert [group.splits_differ for group in found] == [True, False]
    assert [group.labels_differ for group in found] == [False, True]


def test_an_image_without_a_label_contradicts_none() -> None:
    (group,) = found_in({"train": [("a", 7, b"x")], "test": [("b", -1, b"x")]})
    assert not group.labels_differ
    assert group.splits_differ


def test_large_places_are_kept() -> None:
    images = [Source(name, 999, "a.tar", 1 << 40, 1 << 31) for name in "ab"]
    (group,) = find_duplicates(
        {"train": hash_table(images, [b"\xff" * 16] * 2, [None] * 2)}
    )
    assert [image.source for image in group.images] == images


@pytest.mark.parametrize("splits", [{}, {"train": []}, {"train": [("a", 0, b"")]}])
def test_fewer_than_two_images_have_no_duplicates(splits: dict[str, Split]) -> None:
    assert found_in(splits) == []


def test_rows_have_the_schema_and_can_be_joined() -> None:
    one, two = rows([("a", 0, b"one")]), rows([("b", -1, b"one"), ("c", 0, b"")])
    joined = pa.concat_tables([one, two])
    assert joined.schema == HASHES
    (group,) = find_duplicates({"train": joined})
    assert names(group) == ["train/a", "train/b"]
    assert joined.slice(1).to_pylist()[0] == {
        "digest": bytes.fromhex(ONE),
        "size": 3,
        "name": "b",
        "file": "",
        "detail": "",
        "label": -1,
        "archive": "b.tar",
        "offset": 0,
        "pixels": None,
    }


def seen(split: list[tuple[str, int, bytes, bytes | None]]) -> pa.Table:
    """Returns rows of images with names, labels, bytes and pixels."""
    images = sources([each[:3] for each in split])
    digests = [content_hash(data) for _, _, data, _ in split]
    pixels = [None if p is None else content_hash(p) for *_, p in split]
    return hash_table(images, digests, pixels)


def test_equal_pixels_are_found_under_different_bytes() -> None:
    train = [
        ("a", 1, b"one", b"red"),
        ("b", 2, b"two", b"red"),
        ("c", 1, b"one", b"red"),  # equal to the first byte for byte
        ("d", 1, b"four", b"green"),
        ("e", 1, b"four", b"green"),  # byte for byte alone
        ("f", 1, b"five", None),  # not decoded
        ("g", 1, b"six", None),
    ]
    test = [("h", 1, b"seven", b"blue"), ("i", 1, b"eight", b"red")]
    later = [("j", 1, b"nine", b"blue")]
    hashes = {"train": seen(train), "test": seen(test), "later": seen(later)}
    blue, red = find_equal_pixels(hashes)
    assert blue.digest == content_hash(b"blue").hex()
    assert names(blue) == ["later/j", "test/h"]
    assert (blue.splits_differ, blue.labels_differ) == (True, False)
    assert names(red) == ["test/i", "train/a", "train/b", "train/c"]
    assert red.labels_differ
    assert find_equal_pixels({"train": seen(train[3:])}) == []
    assert find_equal_pixels({}) == []


IMAGES = st.lists(
    st.tuples(st.text("abü", min_size=1), st.integers(-1, 9), st.binary())
)


@given(IMAGES, IMAGES)
def test_rows_survive_json(one: Split, two: Split) -> None:
    table = pa.concat_tables([rows(one), rows(two)])
    stored = json.loads(json.dumps(hashes_to_json(table)))
    assert len(stored["archives"]) == len(set(stored["archives"]))
    again = hashes_from_json(stored)
    assert again.schema == HASHES
    assert again.to_pylist() == table.to_pylist()


def test_pixels_survive_json() -> None:
    table = seen([("a", 1, b"one", b"red"), ("b", 1, b"two", None)])
    assert hashes_from_json(hashes_to_json(table)).to_pylist() == table.to_pylist()


@given(st.permutations(range(6)))
def test_groups_do_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    table = rows([(str(i), 0, bytes([i % 3])) for i in range(6)])
    expected = find_duplicates({"a": table, "b": table})
    assert len(expected) == 3
    assert find_duplicates({"b": table, "a": table.take(order)}) == expected


@given(st.lists(st.binary(max_size=1), max_size=20))
def test_groups_are_those_of_a_plain_count(images: list[bytes]) -> None:
    counted = Counter(images)
    split = [(f"{i:02d}", 0, data) for i, data in enumerate(images)]
    assert sorted(len(group.images) for group in found_in({"train": split})) == sorted(
        number for number in counted.values() if number > 1
    )
