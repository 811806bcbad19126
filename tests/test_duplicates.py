"""Images that are equal byte for byte."""

import json
from collections.abc import Mapping

import google_crc32c
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.duplicates import (
    CHECKSUMS,
    Candidate,
    DuplicateGroup,
    Source,
    candidates,
    checksum_table,
    checksums_from_json,
    checksums_to_json,
    find_duplicates,
)

# The SHA-256 of "one" and "two".
ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
TWO = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"

Split = list[tuple[str, int, bytes]]  # name, label, image


def sources(split: Split) -> list[Source]:
    return [
        Source(name, label, f"{name[0]}.tar", 512 * i, len(data))
        for i, (name, label, data) in enumerate(split)
    ]


def rows(split: Split) -> pa.Table:
    return checksum_table(
        sources(split), [google_crc32c.value(data) for _, _, data in split]
    )


class Dataset:
    """Splits whose images can be read, and which were."""

    def __init__(self, splits: Mapping[str, Split]) -> None:
        self.splits = splits
        self.read: list[str] = []

    def __call__(self, candidate: Candidate) -> bytes:
        self.read.append(candidate.source.name)
        split = self.splits[candidate.split]
        return split[sources(split).index(candidate.source)][2]

    def groups(self) -> list[tuple[Candidate, ...]]:
        return candidates({name: rows(split) for name, split in self.splits.items()})


def names(group: DuplicateGroup) -> list[str]:
    return [f"{image.split}/{image.source.name}" for image in group.images]


def test_equal_images_are_found_within_and_across_splits() -> None:
    dataset = Dataset(
        {
            "train": [("b", 1, b"one"), ("c", 1, b"other"), ("a", 1, b"one")],
            "validation": [("e", 4, b"two"), ("d", 5, b"two"), ("f", 1, b"one")],
        }
    )
    groups = dataset.groups()
    assert groups[0] == (
        Candidate("train", Source("a", 1, "a.tar", 1024, 3)),
        Candidate("train", Source("b", 1, "b.tar", 0, 3)),
        Candidate("validation", Source("f", 1, "f.tar", 1024, 3)),
    )
    found = find_duplicates(groups, dataset)
    assert [(group.sha256, names(group)) for group in found] == [
        (ONE, ["train/a", "train/b", "validation/f"]),
        (TWO, ["validation/d", "validation/e"]),
    ]
    assert [group.splits_differ for group in found] == [True, False]
    assert [group.labels_differ for group in found] == [False, True]
    assert dataset.read == ["a", "b", "f", "d", "e"]


def test_an_image_without_a_label_contradicts_none() -> None:
    dataset = Dataset({"train": [("a", 7, b"x")], "test": [("b", -1, b"x")]})
    (group,) = find_duplicates(dataset.groups(), dataset)
    assert not group.labels_differ
    assert group.splits_differ


def test_images_of_equal_checksums_are_told_apart() -> None:
    table = checksum_table(
        sources([(name, 0, data) for name, data in COLLIDING.items()]), [77] * 5
    )
    (group,) = candidates({"train": table})
    assert [image.source.name for image in group] == list("abcde")
    found = find_duplicates([group], lambda image: COLLIDING[image.source.name])
    assert [(group.sha256, names(group)) for group in found] == [
        (ONE, ["train/a", "train/d"]),
        (TWO, ["train/b", "train/e"]),
    ]


COLLIDING = {"a": b"one", "b": b"two", "c": b"six", "d": b"one", "e": b"two"}


def test_length_and_checksum_must_both_agree() -> None:
    images = sources([("a", 0, b"12"), ("b", 0, b"123"), ("c", 0, b"12")])
    assert candidates({"train": checksum_table(images, [5, 5, 6])}) == []


def test_largest_checksum_and_size_are_kept() -> None:
    images = [Source(name, 999, "a.tar", 1 << 40, 1 << 31) for name in "ab"]
    table = checksum_table(images, [0xFFFF_FFFF] * 2)
    (group,) = candidates({"train": table})
    assert [image.source for image in group] == images


@pytest.mark.parametrize("splits", [{}, {"train": []}, {"train": [("a", 0, b"")]}])
def test_fewer_than_two_images_have_no_duplicates(splits: dict[str, Split]) -> None:
    assert Dataset(splits).groups() == []


def test_rows_have_the_schema_and_can_be_joined() -> None:
    one, two = rows([("a", 0, b"one")]), rows([("b", -1, b"one"), ("c", 0, b"")])
    joined = pa.concat_tables([one, two])
    assert joined.schema == CHECKSUMS
    assert [len(group) for group in candidates({"train": joined})] == [2]
    assert joined.slice(1).to_pylist()[0] == {
        "size": 3,
        "crc32c": google_crc32c.value(b"one"),
        "name": "b",
        "label": -1,
        "archive": "b.tar",
        "offset": 0,
    }


IMAGES = st.lists(
    st.tuples(st.text("abü", min_size=1), st.integers(-1, 9), st.binary())
)


@given(IMAGES, IMAGES)
def test_rows_survive_json(one: Split, two: Split) -> None:
    table = pa.concat_tables([rows(one), rows(two)])
    stored = json.loads(json.dumps(checksums_to_json(table)))
    assert len(stored["archives"]) == len(set(stored["archives"]))
    again = checksums_from_json(stored)
    assert again.schema == CHECKSUMS
    assert again.to_pylist() == table.to_pylist()


@given(st.permutations(range(6)))
def test_groups_do_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    split = [(str(i), 0, bytes([i % 3])) for i in range(6)]
    table = rows(split)
    expected = candidates({"a": table, "b": table})
    assert len(expected) == 3
    assert candidates({"b": table, "a": table.take(order)}) == expected
