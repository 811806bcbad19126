"""DrawImages: keeps what each split's draws take, whoever has the images.

What has to be known of all images of a class is little: where each draw ends in it. So
ranks travel, 16 bytes an image, and no name.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import apache_beam as beam
import numpy as np

from transforms.errors import require_whole
from transforms.planning.recipes.drawing import Allotment, Drawing, allot
from transforms.planning.recipes.draws import (
    DrawLimits,
    Labels,
    RankedImages,
    find_limits,
    is_taken,
    rank_images,
)
from transforms.planning.selection import SelectedTable

_LOGGER = logging.getLogger(__name__)

_GROUPS: Final = 64  # of classes; a worker gathers the images of one

GroupKey = tuple[str, int]  # split and number


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How many images the classes of a group have.

    Attributes:
        labels: The classes' labels.
        sizes: Their numbers of images.
        arrived: Number of rows that came, of overlaid images too.
    """

    labels: Labels
    sizes: Labels
    arrived: int


@dataclass
class DrawImages(beam.PTransform):  # type: ignore[misc]
    """Keeps what draws take of each split that has some.

    Attributes:
        drawings: What is drawn, by split.
    """

    drawings: Mapping[str, Drawing]

    def expand(
        self, tables: beam.PCollection[SelectedTable]
    ) -> beam.PCollection[SelectedTable]:
        """Finds out where draws end in each class, and filters each container by it."""
        drawn = tables | "Drawn" >> beam.Filter(
            lambda table, splits: table.archive.split in splits, [*self.drawings]
        )
        sent = drawn | "CountSent" >> beam.Map(_count_sent)
        sizes, images = (
            drawn
            | "Rank" >> beam.FlatMap(_rank, self.drawings)
            | "GroupByClasses" >> beam.GroupByKey()
            | "Gather" >> beam.FlatMap(_gather).with_outputs("images", main="sizes")
        )
        allotments = (
            {"sizes": sizes, "sent": sent}
            | "GroupSizes" >> beam.CoGroupByKey()
            | "Allot" >> beam.Map(_allot, self.drawings)
        )
        limits = (
            images
            | "FindLimits" >> beam.Map(_find_limits, beam.pvalue.AsDict(allotments))
            | "GroupLimits" >> beam.GroupByKey()
            | "JoinLimits" >> beam.Map(_join_limits)
        )
        return tables | "Keep" >> beam.Map(
            _keep,
            self.drawings,
            beam.pvalue.AsDict(allotments),
            beam.pvalue.AsDict(limits),
        )


def _count_sent(table: SelectedTable) -> tuple[str, int]:
    return table.archive.split, int(table.members.num_rows)


def _ranked(table: SelectedTable, drawing: Drawing) -> RankedImages:
    labels = table.members["label"].to_numpy()
    names = table.members["name"].to_pylist() if drawing.draws else []
    return RankedImages(labels, rank_images(names, labels, drawing.draws))


def _rank(
    table: SelectedTable, drawings: Mapping[str, Drawing]
) -> Iterator[tuple[GroupKey, RankedImages]]:
    split = table.archive.split
    images = _ranked(table, drawings[split])
    groups = images.labels % _GROUPS
    for group in np.unique(groups).tolist():
        ours = groups == group
        yield (split, group), RankedImages(images.labels[ours], images.ranks[ours])


def _gather(
    group: tuple[GroupKey, Iterable[RankedImages]],
) -> Iterator[
    tuple[str, _Sizes]
    | beam.pvalue.TaggedOutput[Literal["images"], tuple[str, RankedImages]]
]:
    (split, _), pieces = group[0], list(group[1])
    together = RankedImages(
        np.concatenate([piece.labels for piece in pieces]),
        np.concatenate([piece.ranks for piece in pieces]),
    )
    images = together.distinct()
    labels, sizes = np.unique(images.labels, return_counts=True)
    yield split, _Sizes(labels, sizes, len(together.labels))
    yield beam.pvalue.TaggedOutput("images", (split, images))


def _allot(
    group: tuple[str, Mapping[str, Iterable[Any]]], drawings: Mapping[str, Drawing]
) -> tuple[str, Allotment]:
    split, found = group
    groups: list[_Sizes] = list(found["sizes"])
    sent, arrived = sum(found["sent"]), sum(each.arrived for each in groups)
    require_whole(
        sent == arrived,
        f"{arrived:,} of {sent:,} images of the {split} split arrived to be drawn.",
    )
    none = np.empty(0, np.int64)
    allotment = allot(
        drawings[split],
        np.concatenate([none, *(each.labels for each in groups)]),
        np.concatenate([none, *(each.sizes for each in groups)]),
    )
    for sentence in allotment.short:
        _LOGGER.warning("%s", sentence)
    return split, allotment


def _find_limits(
    group: tuple[str, RankedImages], allotments: Mapping[str, Allotment]
) -> tuple[str, DrawLimits]:
    split, images = group
    allotment = allotments[split]
    labels = np.unique(images.labels)
    rows = np.searchsorted(allotment.labels, labels)
    return split, find_limits(images, labels, allotment.given[rows])


def _join_limits(
    group: tuple[str, Iterable[DrawLimits]],
) -> tuple[str, DrawLimits]:
    split, pieces = group[0], list(group[1])
    labels = np.concatenate([piece.labels for piece in pieces])
    order = np.argsort(labels)
    return split, DrawLimits(
        labels[order],
        np.concatenate([piece.given for piece in pieces])[order],
        np.concatenate([piece.last for piece in pieces])[order],
    )


def _keep(
    table: SelectedTable,
    drawings: Mapping[str, Drawing],
    allotments: Mapping[str, Allotment],
    limits: Mapping[str, DrawLimits],
) -> SelectedTable:
    drawing = drawings.get(table.archive.split)
    if drawing is None:
        return table
    table = replace(table, lacking=allotments[drawing.split].lacking)
    if not drawing.draws or not table.members.num_rows:
        return table
    images = _ranked(table, drawing)
    known = limits[table.archive.split]
    require_whole(
        bool(np.isin(images.labels, known.labels).all()),
        f"Not all classes of the {drawing.split} split arrived to be drawn from.",
    )
    taken = is_taken(known, images, rest=drawing.rest)
    return table.filter(taken)
