"""Cuts a list of images down by classes, exclusions and draws, from its names alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.errors import SubsetError, printable
from transforms.planning.labels import LabelByName, Labeller, labels_by_name
from transforms.planning.lists import SubsetList
from transforms.planning.recipes.drawing import Drawing, draw_images
from transforms.planning.recipes.draws import Labels
from transforms.planning.selection import NOT_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCuts:
    """What is left out of a list, in this order.

    Attributes:
        excluded: Names that are.
        kept_classes: For each label the one that its images get, or ``NOT_KEPT``; None
            to keep all as they are.
        first_per_class: How many images of each class are kept, the first ones in the
            list's order; None for all.
        drawing: What is drawn of those that are left; None for all.
    """

    excluded: frozenset[str] = frozenset()
    kept_classes: tuple[int, ...] | None = None
    first_per_class: int | None = None
    drawing: Drawing | None = None


def cut_list(
    subset: SubsetList,
    cuts: ListCuts,
    labeller: Labeller,
    class_names: Sequence[str],
    warn: Callable[[str], None],
) -> SubsetList:
    """Returns a list without what is left out of it.

    The first images of each class are put class by class, in the order in which classes
    first occur, as MSN's lists have them.

    Args:
        subset: The list.
        cuts: What is left out.
        labeller: Labels the split's images.
        class_names: The name of class ``i`` of the labeller at position ``i``.
        warn: Takes a sentence on what classes lack, where they may.

    Raises:
        SubsetError: An image's class cannot be told, a class has too few images, or
            nothing is left.
    """
    rows = [i for i, name in enumerate(subset.names) if name not in cuts.excluded]
    found = _take(subset, rows)
    if cuts.kept_classes or cuts.first_per_class or cuts.drawing:
        labels = _labels(found, labeller, class_names)
        if cuts.kept_classes is not None:
            new = np.array(cuts.kept_classes, np.int64)
            rows = np.flatnonzero(new[labels] != NOT_KEPT).tolist()
            found, labels = _take(found, rows), new[labels][rows]
            if found.labels is not None:
                own = (
                    None if i is None else cuts.kept_classes[i] for i in found.labels
                )
                found = replace(found, labels=tuple(own))
        if cuts.first_per_class is not None:
            rows = _first_rows(labels.tolist(), cuts.first_per_class)
            found, labels = _take(found, rows), labels[rows]
        if cuts.drawing is not None and found.names:
            taken, allotment = draw_images(cuts.drawing, found.names, labels)
            found = _take(found, np.flatnonzero(taken).tolist())
            found = replace(found, lacking=allotment.lacking)
            for sentence in allotment.short:
                warn(sentence)
    if not found.names:
        raise SubsetError(
            f"{subset.source} names {len(subset.names):,} images, and the subset has "
            "none of them."
        )
    return found


def keep_listed(labeller: LabelByName, kept_classes: Sequence[int]) -> LabelByName:
    """Returns a list of labels without the images of other classes.

    Args:
        labeller: The list.
        kept_classes: For each of its labels the one to give, or ``NOT_KEPT``.
    """
    listed = labeller.listed.combine_chunks()
    labels = np.array([*kept_classes, NOT_KEPT], np.int64)[listed["label"].to_numpy()]
    columns = [listed["name"], pa.array(labels)]
    table = pa.table(columns, schema=listed.schema)
    return replace(labeller, listed=table.filter(pa.array(labels != NOT_KEPT)))


def _take(subset: SubsetList, rows: Iterable[int]) -> SubsetList:
    rows = list(rows)
    labels = subset.labels
    return replace(
        subset,
        names=tuple(subset.names[row] for row in rows),
        labels=None if labels is None else tuple(labels[row] for row in rows),
    )


def _first_rows(labels: Sequence[int], most: int) -> list[int]:
    by_class: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        by_class.setdefault(label, []).append(row)
    return [row for rows in by_class.values() for row in rows[:most]]


def _labels(
    subset: SubsetList, labeller: Labeller, class_names: Sequence[str]
) -> Labels:
    """Returns the label of each image of a list, shape (n,)."""
    names = pa.array(subset.names, pa.string())
    told = labels_by_name(names, class_names)
    if isinstance(labeller, LabelByName):
        listed = labeller.listed.combine_chunks()
        places = pc.index_in(names, value_set=listed["name"])
        told = pc.coalesce(listed["label"].take(places), told)
    elif subset.labels is not None:
        told = pc.coalesce(pa.array(subset.labels, pa.int64()), told)
    if isinstance(told, pa.ChunkedArray):
        told = told.combine_chunks()
    wrong = pc.or_(pc.is_null(told), pc.less(told, 0)).fill_null(True)
    wrong = pc.or_(wrong, pc.greater_equal(told, len(class_names)).fill_null(True))
    if pc.any(wrong).as_py():
        name = names.filter(wrong)[0].as_py()
        raise SubsetError(
            f"{subset.source} is cut down by class, and it does not tell the class of "
            f"{printable(name)}: write it before the name, CLASS/{printable(name)}."
        )
    found: Labels = told.to_numpy(zero_copy_only=False).astype(np.int64)
    return found
