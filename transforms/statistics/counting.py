"""What is counted of a split, as one value that adds.

A shard's images are observed one by one and summarised in bulk; the summaries of the
shards add up to that of the split. Only whole numbers are kept, so that neither the
order of adding nor the cut into shards changes the result: a mean is a quotient that is
taken when the document is made. A quantity that is not whole is counted in small parts
of its unit (``QUANTITIES``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from heapq import nsmallest
from typing import Any, Final

import numpy as np
import pyarrow as pa

from transforms.formats import FEATURES, Feature, Source, example_sizes, list_sizes
from transforms.statistics import duplicates
from transforms.statistics.duplicates import (
    HASHES,
    hash_table,
    hashes_from_json,
    hashes_to_json,
)
from transforms.statistics.histograms import (
    Histogram,
    add_counts,
    add_histograms,
    histogram,
)
from transforms.statistics.observations import Observation, count_names
from transforms.statistics.pixels import (
    Pixels,
    add_pixels,
    pixels_from_json,
)
from transforms.statistics.quantities import COUNTED, EXTREMES, QUANTITIES

_EXTREMES_KEPT: Final = 12
_WARNED_KEPT: Final = 3
_BATCH: Final = 4096  # observations summarised at once, to bound their number


@dataclass(frozen=True, slots=True)
class Extreme:
    """One of the images that stand out.

    Attributes:
        value: By what, in parts of the quantity's unit.
        source: Which image.
    """

    value: int
    source: Source


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is counted of the images of a shard or a split.

    Attributes:
        examples: Number of images.
        image_bytes: Sum of their lengths as written.
        example_bytes: Sum of their lengths as serialised tf.train.Examples.
        labels: Number of images by label.
        histograms: The distribution of each of ``QUANTITIES``; images whose header
            does not give their size are in ``image_kib`` alone.
        counts: Number of images by name, for each of ``COUNTED``.
        extremes: Up to twelve images for each of ``EXTREMES``, the furthest first,
            equal ones by name.
        warned: The first images by name, up to three, for each warning.
        hashes: A row of each image as ``HASHES`` has it, in no order; not
            compared.
        pixels: Sums over decoded pixels; None where none were asked for.
    """

    examples: int
    image_bytes: int
    example_bytes: int
    labels: Mapping[int, int]
    histograms: Mapping[str, Histogram]
    counts: Mapping[str, Mapping[str, int]]
    extremes: Mapping[str, tuple[Extreme, ...]]
    warned: Mapping[str, tuple[Source, ...]]
    hashes: pa.Table = field(compare=False, repr=False)
    pixels: Pixels | None


class StatisticsBuilder:
    """Collects the observations of a shard; for one thread at a time."""

    def __init__(
        self, batch: int = _BATCH, features: tuple[Feature, ...] = FEATURES
    ) -> None:
        """Begins with no image.

        Args:
            batch: Most observations that are kept to be summarised at once.
            features: What the records have.
        """
        self._batch = batch
        self._features = features
        self._observations: list[Observation] = []
        self._parts: list[Statistics] = []

    def add(self, observation: Observation) -> None:
        """Counts an image."""
        self._observations.append(observation)
        if len(self._observations) == self._batch:
            self._parts.append(summarize(self._observations, self._features))
            self._observations.clear()

    def result(self) -> Statistics:
        """Returns the statistics of all images so far."""
        last = summarize(self._observations, self._features)
        return merge([*self._parts, last])


def summarize(
    observations: Sequence[Observation], features: tuple[Feature, ...] = FEATURES
) -> Statistics:
    """Returns the statistics of images whose records have features."""
    sources = [observation.source for observation in observations]
    headers = [observation.header for observation in observations]
    labels = [source.label for source in sources]
    sizes = np.array(
        [observation.image_bytes for observation in observations], np.int64
    )
    names = np.array([len(source.name.encode()) for source in sources], np.int64)
    lists = pa.array([o.labels for o in observations], pa.list_(pa.int64()))
    records = example_sizes(
        *(names, sizes, np.array(labels, np.int64), features, list_sizes(lists))
    )
    shapes = np.array([(h.width or 0, h.height or 0) for h in headers], np.int64)
    width, height = shapes.reshape(-1, 2).T
    known = np.flatnonzero(width * height)
    shaped = [sources[i] for i in known.tolist()]
    values = {
        name: quantity.values(width[known], height[known], sizes[known])
        if quantity.shaped
        else quantity.values(width, height, sizes)
        for name, quantity in QUANTITIES.items()
    }
    return Statistics(
        examples=len(observations),
        image_bytes=int(sizes.sum()),
        example_bytes=int(records.sum()),
        labels=Counter(labels),
        histograms={name: histogram(found) for name, found in values.items()},
        counts=count_names(observations),
        extremes={
            name: _foremost(
                zip(
                    (sign * values[quantity]).tolist(),
                    shaped if QUANTITIES[quantity].shaped else sources,
                    strict=True,
                ),
                sign,
            )
            for name, (quantity, sign) in EXTREMES.items()
        },
        warned=_first_warned((w, o.source) for o in observations for w in o.warnings),
        hashes=hash_table(
            sources,
            [o.digest for o in observations],
            [o.pixels.digest if o.pixels else None for o in observations],
        ),
        pixels=add_pixels(o.pixels.sums for o in observations if o.pixels),
    )


def merge(parts: Iterable[Statistics]) -> Statistics:
    """Returns the statistics of all parts together, whatever their order; of none, 0.

    Joining many at once is cheaper than adding them one by one.
    """
    parts = list(parts)
    return Statistics(
        examples=sum(part.examples for part in parts),
        image_bytes=sum(part.image_bytes for part in parts),
        example_bytes=sum(part.example_bytes for part in parts),
        labels=add_counts(part.labels for part in parts),
        histograms={
            name: add_histograms(part.histograms[name] for part in parts)
            for name in QUANTITIES
        },
        counts={
            name: add_counts(part.counts[name] for part in parts) for name in COUNTED
        },
        extremes={
            name: _foremost(
                (
                    (sign * extreme.value, extreme.source)
                    for part in parts
                    for extreme in part.extremes[name]
                ),
                sign,
            )
            for name, (_, sign) in EXTREMES.items()
        },
        warned=_first_warned(
            (warning, source)
            for part in parts
            for warning, sources in part.warned.items()
            for source in sources
        ),
        hashes=pa.concat_tables(
            [HASHES.empty_table(), *(part.hashes for part in parts)]
        ),
        pixels=add_pixels(part.pixels for part in parts),
    )


def kinds() -> dict[str, Any]:
    """Returns which statistics there are; stored ones have to be the same.

    Those of other kinds cannot be merged with those that are made now.
    """
    return {
        "quantities": {name: item.parts for name, item in QUANTITIES.items()},
        "counted": list(COUNTED),
        "extremes": {name: list(rule) for name, rule in EXTREMES.items()},
        "extremes_kept": _EXTREMES_KEPT,
        "hashes": HASHES.names,
    }


def rename_archives(statistics: Statistics, names: Mapping[str, str]) -> Statistics:
    """Returns statistics with other names of the archives that images lie in."""
    return replace(
        statistics,
        extremes={
            name: tuple(
                replace(extreme, source=extreme.source.renamed(names))
                for extreme in extremes
            )
            for name, extremes in statistics.extremes.items()
        },
        hashes=duplicates.rename_archives(statistics.hashes, names),
    )


def to_json(statistics: Statistics) -> dict[str, Any]:
    """Returns statistics as JSON has it, all that ``from_json`` needs."""
    return {
        "kinds": kinds(),
        "examples": statistics.examples,
        "image_bytes": statistics.image_bytes,
        "example_bytes": statistics.example_bytes,
        "labels": sorted(statistics.labels.items()),
        "histograms": {
            name: asdict(item) | {"counts": sorted(item.counts.items())}
            for name, item in statistics.histograms.items()
        },
        "counts": {
            name: dict(sorted(counts.items()))
            for name, counts in statistics.counts.items()
        },
        "extremes": {
            name: [(extreme.value, astuple(extreme.source)) for extreme in extremes]
            for name, extremes in statistics.extremes.items()
        },
        "warned": {
            warning: [astuple(source) for source in sources]
            for warning, sources in statistics.warned.items()
        },
        "hashes": hashes_to_json(statistics.hashes),
        "pixels": statistics.pixels and asdict(statistics.pixels),
    }


def from_json(value: Mapping[str, Any]) -> Statistics:
    """Returns the statistics that ``to_json`` wrote.

    Raises:
        ValueError: They are of other kinds than are counted now.
        AttributeError: They are damaged, likewise KeyError and TypeError.
    """
    if value["kinds"] != kinds():
        raise ValueError("they are statistics of other kinds")
    pixels = value["pixels"]
    return Statistics(
        examples=value["examples"],
        image_bytes=value["image_bytes"],
        example_bytes=value["example_bytes"],
        labels=dict(value["labels"]),
        histograms={
            name: Histogram(**item | {"counts": dict(item["counts"])})
            for name, item in value["histograms"].items()
        },
        counts=value["counts"],
        extremes={
            name: tuple(Extreme(number, Source(*source)) for number, source in extremes)
            for name, extremes in value["extremes"].items()
        },
        warned={
            warning: tuple(Source(*source) for source in sources)
            for warning, sources in value["warned"].items()
        },
        hashes=hashes_from_json(value["hashes"]),
        pixels=pixels and pixels_from_json(pixels),
    )


def _first_warned(
    warned: Iterable[tuple[str, Source]],
) -> dict[str, tuple[Source, ...]]:
    """Returns the first images of each warning, by name."""
    by_warning: dict[str, list[Source]] = {}
    for warning, source in warned:
        by_warning.setdefault(warning, []).append(source)
    return {
        warning: tuple(nsmallest(_WARNED_KEPT, sources))
        for warning, sources in sorted(by_warning.items())
    }


def _foremost(keyed: Iterable[tuple[int, Source]], sign: int) -> tuple[Extreme, ...]:
    """Returns the extremes with the lowest of values times ``sign``."""
    return tuple(
        Extreme(sign * value, source)
        for value, source in nsmallest(_EXTREMES_KEPT, keyed)
    )
