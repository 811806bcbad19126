"""What is wrong with the rows of a partition: how much, and the first of it.

A key's rows all lie in one partition, so images that occur twice, that replace nothing,
that are missing or have another label than in the list are found there, and the split
adds up what its partitions found (``transforms.split_faults``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import Archive
from transforms.planning.order import ImagePlace, archive_order, key_halves, place_of

SHOWN: Final = 5  # names in a message


@dataclass(frozen=True, slots=True)
class ImagePlaces:
    """An image that is told of in a message.

    Attributes:
        name: Its name.
        places: Where it lies, or two of its occurrences do.
    """

    name: str
    places: tuple[ImagePlace, ...]


def layers_of(rows: pa.Table, archives: Sequence[Archive]) -> npt.NDArray[np.int8]:
    """Returns the layer of each row's archive."""
    layers = np.array([archive.layer for archive in archives], np.int8)
    found: npt.NDArray[np.int8] = layers[rows["archive"].to_numpy()]
    return found


def find_repeated(
    rows: pa.Table, same_key: npt.NDArray[np.bool_], archives: Sequence[Archive]
) -> tuple[int, tuple[ImagePlaces, ...]]:
    """Returns how many images occur twice in one layer, and the first of them.

    Args:
        rows: Rows in order of key and layer.
        same_key: Whether a row's key is that of the row behind it.
        archives: The archives of the split.
    """
    layers = layers_of(rows, archives)
    twice = np.flatnonzero(same_key & (layers[1:] == layers[:-1]))
    if not len(twice):
        return 0, ()
    # Of equal rows the one that arrived first is first, which must not be seen.
    halves = key_halves(rows["key"])
    order = np.lexsort((*archive_order(rows), -layers, halves[:, 1], halves[:, 0]))
    shown = twice[:SHOWN]
    names = rows["name"].take(pa.array(shown)).to_pylist()
    found = [
        ImagePlaces(name, tuple(place_of(rows, int(i)) for i in order[row : row + 2]))
        for name, row in zip(names, shown.tolist(), strict=True)
    ]
    return len(twice), tuple(found)


def find_useless(
    rows: pa.Table, same_key: npt.NDArray[np.bool_], archives: Sequence[Archive]
) -> tuple[int, tuple[ImagePlaces, ...]]:
    """Returns how many images of overlays replace none, and the first of them.

    Args:
        rows: Rows in order of key and layer.
        same_key: Whether a row's key is that of the row behind it.
        archives: The archives of the split.
    """
    replacing = np.append(same_key, False)[: rows.num_rows]
    useless = np.flatnonzero((layers_of(rows, archives) > 0) & ~replacing)
    shown = rows.take(pa.array(useless[:SHOWN]))
    found = tuple(
        ImagePlaces(name, (place_of(shown, row),))
        for row, name in enumerate(shown["name"].to_pylist())
    )
    return len(useless), found


def find_relabelled(
    listed: pa.Table | None, kept: pa.Table
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Returns how many images have another label than in the list, and the first.

    Returns:
        Their number, and positions in the list with the labels that the images have.
    """
    if listed is None or listed["label"].null_count == listed.num_rows:
        return 0, ()
    rows = pc.index_in(
        listed["name"].combine_chunks(), value_set=kept["name"].combine_chunks()
    )
    labels = kept["label"].combine_chunks().take(rows)
    differ = pc.not_equal(labels, listed["label"].combine_chunks()).fill_null(False)
    positions = listed["position"].filter(differ).to_pylist()
    shown = zip(positions[:SHOWN], labels.filter(differ).to_pylist(), strict=False)
    return len(positions), tuple(shown)


def find_missing(listed: pa.Table | None, kept: pa.Table) -> npt.NDArray[np.int64]:
    """Returns the positions in the list of names that no row has, ascending."""
    if listed is None:
        return np.empty(0, np.int64)
    found = pc.is_in(listed["name"], value_set=kept["name"].combine_chunks())
    missing: npt.NDArray[np.int64] = (
        listed["position"].filter(pc.invert(found)).to_numpy()
    )
    return missing
