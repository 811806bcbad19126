"""Which images are wanted: subset lists, and the step that applies them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import MEMBER_SCHEMA, Archive, Container, MemberTable
from transforms.planning.labels import LabelByContainer, Labeller, labels_by_name
from transforms.planning.lists import SubsetList
from transforms.planning.order import order_keys

SELECTED_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        *(MEMBER_SCHEMA.field(name) for name in ("file", "offset", "size", "detail")),
        pa.field("label", pa.int64(), nullable=False),
        pa.field("key", pa.binary(16), nullable=False),  # see ``order``
    ]
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of a split, and how it is labelled.

    Attributes:
        labeller: Gives the images their labels.
        subset: The images wanted; None for all.
        class_names: The name of class ``i`` at position ``i``.
    """

    labeller: Labeller
    subset: SubsetList | None = None
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectedTable:
    """The wanted members of one container.

    Attributes:
        archive: The archive they lie in.
        container: The container.
        members: Rows of ``SELECTED_SCHEMA`` in archive order; may be empty.
        indexed: Number of images in the container, those that are not wanted too.
        example: Name of one member, wanted or not; empty where there is none.
    """

    archive: Archive
    container: Container
    members: pa.Table
    indexed: int
    example: str = ""


def select_members(
    table: MemberTable, wanted: frozenset[str] | None, labeller: Labeller
) -> SelectedTable:
    """Returns a container's wanted members with their labels and order keys.

    Args:
        table: All members of the container.
        wanted: Names to keep; None for all.
        labeller: Gives the members their labels.

    Raises:
        LabelError: The class of a member that is wanted can't be told.
    """
    members = table.members
    names = members["name"].to_pylist()
    example = names[0] if names else ""
    keep: npt.NDArray[np.bool_] = np.fromiter(
        (wanted is None or name in wanted for name in names), np.bool_, len(names)
    )
    # Copies even where all are kept: a pickled slice drags what it was cut from along.
    members = members.filter(pa.array(keep))
    if wanted is not None and not members.num_rows:
        labels = np.empty(0, np.int64)  # whatever class it is of
    else:
        labels = labeller.labels(replace(table, members=members))
    keys = order_keys(members["name"].to_pylist(), table.archive.split)
    columns = members.select(["name", "file", "offset", "size", "detail"]).columns
    return SelectedTable(
        table.archive,
        table.container,
        pa.table([*columns, pa.array(labels), keys], schema=SELECTED_SCHEMA),
        table.members.num_rows,
        example,
    )


def _is_of_no_class(selected: SelectedTable, labeller: Labeller) -> int:
    """Returns 1 for a container that was passed over, whose class is not known."""
    return int(
        isinstance(labeller, LabelByContainer)
        and selected.indexed > selected.members.num_rows == 0
        and selected.container.name not in labeller.class_names
    )


def _of_other_class(selected: SelectedTable, class_names: Sequence[str]) -> int:
    """Returns how many images have another label than their names tell of."""
    told = labels_by_name(selected.members["name"], class_names)
    labels = selected.members["label"].combine_chunks()
    return pc.sum(pc.not_equal(told, labels)).as_py() or 0
