"""Histograms of whole numbers whose bins need no choice and whose sum is exact.

Bins are the same for every histogram: numbers that agree in their four highest binary
digits. So there are eight from a power of two to the next, 256, 288, 320 and so on to
512, and each number below 16 has its own. Histograms with the same bins add, whatever
was counted first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

Key = TypeVar("Key")

_POWERS: Final = np.array([1 << n for n in range(63)], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How a whole number is distributed.

    Attributes:
        counts: How many numbers fell into a bin, by its lower end; no empty bins.
        minimum: The lowest number; None where there is none.
        maximum: The highest number; None where there is none.
        total: The sum of all numbers.
    """

    counts: Mapping[int, int] = field(default_factory=dict)
    minimum: int | None = None
    maximum: int | None = None
    total: int = 0


def histogram(values: npt.NDArray[np.int64]) -> Histogram:
    """Returns the histogram of numbers that are not negative."""
    if not len(values):
        return Histogram()
    digits = np.searchsorted(_POWERS, values, side="right").astype(np.int64)
    rest = np.maximum(digits - 4, 0)
    bins, counts = np.unique(values >> rest << rest, return_counts=True)
    return Histogram(
        dict(zip(bins.tolist(), counts.tolist(), strict=True)),
        int(values.min()),
        int(values.max()),
        sum(values.tolist()),  # in Python, whose numbers don't overflow
    )


def upper_end(lower: int) -> int:
    """Returns where a bin ends that begins at ``lower``; it is not in the bin."""
    return lower + (1 << max(lower.bit_length() - 4, 0))


def histogram_document(item: Histogram, parts: int) -> dict[str, Any]:
    """Returns a histogram for JSON, in the unit that the document has.

    Args:
        item: The histogram.
        parts: How many of what was counted make the unit.
    """
    if item.minimum is None or item.maximum is None:
        return {"count": 0, "bins": []}
    count = sum(item.counts.values())
    return {
        "count": count,
        "minimum": item.minimum / parts,
        "maximum": item.maximum / parts,
        "mean": item.total / (parts * count),
        "bins": [
            [lower / parts, upper_end(lower) / parts, number]
            for lower, number in sorted(item.counts.items())
        ],
    }


def add_histograms(histograms: Iterable[Histogram]) -> Histogram:
    """Returns the histogram of all the numbers together."""
    some = [item for item in histograms if item.minimum is not None]
    return Histogram(
        add_counts(item.counts for item in some),
        min((item.minimum for item in some if item.minimum is not None), default=None),
        max((item.maximum for item in some if item.maximum is not None), default=None),
        sum(item.total for item in some),
    )


def add_counts(parts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """Returns the sum of counts by key."""
    total: Counter[Key] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)
