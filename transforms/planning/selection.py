"""Which images are wanted, each by itself: lists, classes, exclusions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    MemberBatch,
    count_kept,
)
from transforms.errors import LabelError
from transforms.formats import BY_NAME
from transforms.planning.label_lists.lists import LABELS_FIELD, LabelLists, no_labels
from transforms.planning.labels import LabelByContainer, Labeller, labels_by_name
from transforms.planning.lists import SubsetList
from transforms.planning.order import order_keys
from transforms.planning.recipes.drawing import Drawing

SELECTED_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        *(MEMBER_SCHEMA.field(name) for name in ("file", "offset", "size", "detail")),
        pa.field("label", pa.int64(), nullable=False),
        LABELS_FIELD,
        pa.field("key", pa.binary(16), nullable=False),  # see ``order``
    ]
)


NOT_KEPT: Final = -2


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of a split, and how it is labelled.

    Attributes:
        labeller: Gives the images their labels.
        subset: The images wanted; None for all.
        class_names: The name of class ``i`` at position ``i``.
        kept_classes: For each label that the labeller gives, the one that the image
            gets, or ``NOT_KEPT``; None to keep all as they are.
        excluded: The images that are not wanted whatever else is said; None for none.
        drawing: What is drawn of the images that are left; None for all of them.
        lists: Gives them all their labels, where records have several; else None.
        order: How the key that they are ordered by is made of their names.
    """

    labeller: Labeller
    subset: SubsetList | None = None
    class_names: tuple[str, ...] = ()
    kept_classes: tuple[int, ...] | None = None
    excluded: SubsetList | None = None
    drawing: Drawing | None = None
    lists: LabelLists | None = None
    order: str = BY_NAME


class SelectedContainer(NamedTuple):
    """What is selected of one container.

    Attributes:
        container: The container.
        rows: Number of its images that are wanted.
        indexed: Number of images in it, those that are not wanted too.
        example: Name of one member, wanted or not; empty where there is none.
        excluded: Names of members that are excluded.
    """

    container: Container
    rows: int
    indexed: int
    example: str = ""
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectedTable:
    """The wanted members of some containers of an archive.

    Attributes:
        archive: The archive they lie in.
        containers: The containers in archive order; their rows follow one another.
        members: Rows of ``SELECTED_SCHEMA`` in archive order; may be empty.
        lacking: How many more images draws should have taken of the whole split.
    """

    archive: Archive
    containers: tuple[SelectedContainer, ...]
    members: pa.Table
    lacking: int = 0

    def filter(self, keep: npt.NDArray[np.bool_]) -> Self:
        """Returns all containers with the members that a mask keeps."""
        rows = count_kept([each.rows for each in self.containers], keep)
        pairs = zip(self.containers, rows, strict=True)
        containers = tuple(each._replace(rows=count) for each, count in pairs)
        members = self.members.filter(pa.array(keep))
        return replace(self, containers=containers, members=members)


def select_members(
    batch: MemberBatch,
    wanted: frozenset[str] | None,
    selection: Selection,
    excluded: frozenset[str] = frozenset(),
) -> SelectedTable:
    """Returns the wanted members of containers with their labels and order keys.

    Args:
        batch: All members of the containers.
        wanted: The names of the selection's subset; None for all.
        selection: What is wanted besides, and how it is labelled.
        excluded: The names that the selection excludes.

    Raises:
        LabelError: The class of a member that is wanted can't be told.
    """
    try:
        return _select(batch, wanted, selection, excluded)
    except LabelError:
        if len(batch.containers) == 1:
            raise
        # A message is of one container: the first one that is at fault.
        for part in batch.parts():
            _select(part, wanted, selection, excluded)
        raise


def _select(
    batch: MemberBatch,
    wanted: frozenset[str] | None,
    selection: Selection,
    excluded: frozenset[str],
) -> SelectedTable:
    names = batch.members["name"].to_pylist()
    keep: npt.NDArray[np.bool_] = np.fromiter(
        ((wanted is None or name in wanted) and name not in excluded for name in names),
        np.bool_,
        len(names),
    )
    # Copies even where all are kept: a pickled slice drags what it was cut from along.
    found = batch.filter(keep)
    # Without those that have nothing, whatever their folders are called.
    found = replace(found, containers=tuple(c for c in found.containers if c.rows))
    labels = selection.labeller.labels(found)
    members, kept_classes = found.members, selection.kept_classes
    if kept_classes is not None:
        # An image without a class, -1, is of none that is kept.
        labels = np.array([*kept_classes, NOT_KEPT], np.int64)[labels]
        kept = labels != NOT_KEPT
        members, labels = members.filter(pa.array(kept)), labels[kept]
        keep[keep] = kept
    lists = selection.lists
    several = lists.labels(members) if lists else no_labels(len(labels))
    if lists and kept_classes is not None:
        several = _keep_listed(several, kept_classes)
    keys = order_keys(members["name"].to_pylist(), batch.archive.split, selection.order)
    columns = members.select(["name", "file", "offset", "size", "detail"]).columns
    return SelectedTable(
        batch.archive,
        tuple(_summarize(batch, names, keep, excluded)),
        pa.table([*columns, pa.array(labels), several, keys], schema=SELECTED_SCHEMA),
    )


def _summarize(
    batch: MemberBatch,
    names: Sequence[str],
    keep: npt.NDArray[np.bool_],
    excluded: frozenset[str],
) -> Iterator[SelectedContainer]:
    """Yields what is selected of each container, given the names of all members."""
    indexed = [each.rows for each in batch.containers]
    start = 0
    for each, rows in zip(batch.containers, count_kept(indexed, keep), strict=True):
        own = names[start : start + each.rows]
        yield SelectedContainer(
            *(each.container, rows, each.rows, own[0] if own else ""),
            tuple(name for name in own if name in excluded) if excluded else (),
        )
        start += each.rows


def _keep_listed(lists: pa.ListArray, kept_classes: Sequence[int]) -> pa.ListArray:
    """Returns lists with the labels that classes get, without those not kept."""
    kept = [
        [kept_classes[label] for label in each if kept_classes[label] != NOT_KEPT]
        for each in lists.to_pylist()
    ]
    return pa.array(kept, lists.type)


def _of_no_class(selected: SelectedTable, labeller: Labeller) -> int:
    """Returns how many containers were passed over whose class is not known."""
    return isinstance(labeller, LabelByContainer) and sum(
        each.container.name not in labeller.class_names
        for each in selected.containers
        if each.indexed > each.rows == 0
    )


def _of_other_class(members: pa.Table, class_names: Sequence[str]) -> int:
    """Returns how many images have another label than their names tell of."""
    told = labels_by_name(members["name"], class_names)
    labels = members["label"].combine_chunks()
    return pc.sum(pc.not_equal(told, labels)).as_py() or 0
