"""Histograms of whole numbers."""

from bisect import bisect
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.statistics.histograms import (
    Histogram,
    add_counts,
    add_histograms,
    histogram,
    histogram_document,
    upper_end,
)

EDGES = [*range(16), *(n << shift for shift in range(1, 60) for n in range(8, 16))]
NUMBERS = st.lists(st.one_of(st.integers(0, 40), st.integers(0, (1 << 62) - 1)))


def counted(numbers: list[int]) -> Histogram:
    return histogram(np.array(numbers, dtype=np.int64))


def test_numbers_fall_into_bins_of_an_eighth_of_an_octave() -> None:
    assert counted([0, 1, 15, 16, 17, 18, 287, 288, 500, 500]) == Histogram(
        {0: 1, 1: 1, 15: 1, 16: 2, 18: 1, 256: 1, 288: 1, 480: 2}, 0, 500, 1642
    )
    assert [upper_end(lower) for lower in (0, 1, 15, 16, 18, 256, 480)] == [
        *(1, 2, 16, 18, 20, 288, 512)
    ]


def test_no_numbers_have_no_bins() -> None:
    assert counted([]) == Histogram({}, None, None, 0)


def test_bins_follow_one_another() -> None:
    edges = sorted(set(EDGES))
    assert [upper_end(edge) for edge in edges[:-1]] == edges[1:]
    assert list(counted(edges).counts) == edges
    assert list(counted([edge - 1 for edge in edges[1:]]).counts) == edges[:-1]


@given(NUMBERS)
def test_a_histogram_counts_each_number_once(numbers: list[int]) -> None:
    edges = sorted(set(EDGES))
    expected = Counter(edges[bisect(edges, number) - 1] for number in numbers)
    assert counted(numbers) == Histogram(
        expected, min(numbers, default=None), max(numbers, default=None), sum(numbers)
    )


@given(st.lists(NUMBERS))
def test_histograms_add(parts: list[list[int]]) -> None:
    everything = [number for part in parts for number in part]
    assert add_histograms(map(counted, parts)) == counted(everything)


def test_counts_add_by_key() -> None:
    assert add_counts([{"a": 1, "b": 2}, {}, {"b": 3}]) == {"a": 1, "b": 5}


def test_a_document_is_in_the_unit() -> None:
    assert histogram_document(counted([512, 1024, 1100]), 1024) == {
        "count": 3,
        "minimum": 0.5,
        "maximum": 1100 / 1024,
        "mean": 2636 / 3 / 1024,
        "bins": [[0.5, 0.5625, 1], [1.0, 1.125, 2]],
    }


def test_a_document_of_nothing_has_no_mean() -> None:
    assert histogram_document(Histogram(), 1024) == {"count": 0, "bins": []}


@pytest.mark.parametrize("number", [(1 << 53) - 1, (1 << 54) - 1, (1 << 62) - 1])
def test_large_numbers_keep_their_bin(number: int) -> None:
    size = number.bit_length() - 4
    assert list(counted([number]).counts) == [15 << size]
