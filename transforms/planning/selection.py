"""Which images are wanted, of each container by itself: lists, classes, exclusions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import MEMBER_SCHEMA, Archive, Container, MemberTable
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


@dataclass(frozen=True, slots=True)
class SelectedTable:
    """The wanted members of one container.

    Attributes:
        archive: The archive they lie in.
        container: The container.
        members: Rows of ``SELECTED_SCHEMA`` in archive order; may be empty.
        indexed: Number of images in the container, those that are not wanted too.
        example: Name of one member, wanted or not; empty where there is none.
        excluded: Names of members that are excluded.
    """

    archive: Archive
    container: Container
    members: pa.Table
    indexed: int
    example: str = ""
    excluded: tuple[str, ...] = ()


def select_members(
    table: MemberTable,
    wanted: frozenset[str] | None,
    labeller: Labeller,
    kept_classes: Sequence[int] | None = None,
    excluded: frozenset[str] = frozenset(),
    lists: LabelLists | None = None,
    order: str = BY_NAME,
) -> SelectedTable:
    """Returns a container's wanted members with their labels and order keys.

    Args:
        table: All members of the container.
        wanted: Names to keep; None for all.
        labeller: Gives the members their labels.
        kept_classes: For each of its labels the one to give, or ``NOT_KEPT``; None to
            keep all.
        excluded: Names not to keep.
        lists: Gives them all their labels, where records have several.
        order: How keys are made of names, a key of ``ORDERS``.

    Raises:
        LabelError: The class of a member that is wanted can't be told.
    """
    members = table.members
    names = members["name"].to_pylist()
    example = names[0] if names else ""
    keep: npt.NDArray[np.bool_] = np.fromiter(
        ((wanted is None or name in wanted) and name not in excluded for name in names),
        np.bool_,
        len(names),
    )
    # Copies even where all are kept: a pickled slice drags what it was cut from along.
    members = members.filter(pa.array(keep))
    if not members.num_rows:
        labels = np.empty(0, np.int64)  # whatever its folder is called
    else:
        labels = labeller.labels(replace(table, members=members))
    if kept_classes is not None:
        # An image without a class, -1, is of none that is kept.
        labels = np.array([*kept_classes, NOT_KEPT], np.int64)[labels]
        kept = labels != NOT_KEPT
        members, labels = members.filter(pa.array(kept)), labels[kept]
    several = lists.labels(members) if lists else no_labels(len(labels))
    if lists and kept_classes is not None:
        several = _keep_listed(several, kept_classes)
    keys = order_keys(members["name"].to_pylist(), table.archive.split, order)
    columns = members.select(["name", "file", "offset", "size", "detail"]).columns
    return SelectedTable(
        table.archive,
        table.container,
        pa.table([*columns, pa.array(labels), several, keys], schema=SELECTED_SCHEMA),
        table.members.num_rows,
        example,
        tuple(name for name in names if name in excluded) if excluded else (),
    )


def _keep_listed(lists: pa.ListArray, kept_classes: Sequence[int]) -> pa.ListArray:
    """Returns lists with the labels that classes get, without those not kept."""
    kept = [
        [kept_classes[label] for label in each if kept_classes[label] != NOT_KEPT]
        for each in lists.to_pylist()
    ]
    return pa.array(kept, lists.type)


def _is_of_no_class(selected: SelectedTable, labeller: Labeller) -> int:
    """Returns 1 for a container that was passed over, whose class is not known."""
    return int(
        isinstance(labeller, LabelByContainer)
        and selected.indexed > selected.members.num_rows == 0
        and selected.container.name not in labeller.class_names
    )


def _of_other_class(members: pa.Table, class_names: Sequence[str]) -> int:
    """Returns how many images have another label than their names tell of."""
    told = labels_by_name(members["name"], class_names)
    labels = members["label"].combine_chunks()
    return pc.sum(pc.not_equal(told, labels)).as_py() or 0
