"""Finds images that are equal byte for byte, within a split and across splits.

Of each image its length, its CRC-32C and where it lies are kept, as a row of a table:
1.3 million rows take 70 MB, and tables are joined without being copied. Images that
agree in length and CRC-32C are candidates; they alone are read again, and their SHA-256
decides.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

CHECKSUMS: Final = pa.schema(
    [
        pa.field("size", pa.int64()),  # of the image in its archive, in bytes
        pa.field("crc32c", pa.uint32()),  # of these bytes
        pa.field("name", pa.string()),
        pa.field("label", pa.int32()),
        pa.field("archive", pa.dictionary(pa.int32(), pa.string())),
        pa.field("offset", pa.int64()),  # of the bytes in the archive
    ]
)


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Which image it is, and where its bytes lie.

    Attributes:
        name: The image's file name.
        label: Number of its class, or -1.
        archive: The archive, as the caller names it.
        offset: Where its bytes begin in the archive.
        size: Their number.
    """

    name: str
    label: int
    archive: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """One of several images that may be equal.

    Attributes:
        split: The split it is in.
        source: Which image of the split.
    """

    split: str
    source: Source


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Images that are equal byte for byte.

    Attributes:
        sha256: The hash of their bytes, in hexadecimal digits.
        images: All images of the dataset that have these bytes, two or more.
    """

    sha256: str
    images: tuple[Candidate, ...]

    @property
    def splits_differ(self) -> bool:
        """Whether they are in more than one split."""
        return len({image.split for image in self.images}) > 1

    @property
    def labels_differ(self) -> bool:
        """Whether they have more than one label; no label is none."""
        labels = {image.source.label for image in self.images}
        return len(labels - {-1}) > 1


def checksum_table(sources: Sequence[Source], checksums: Iterable[int]) -> pa.Table:
    """Returns the rows by which duplicates are found.

    Args:
        sources: The images.
        checksums: CRC-32C of each one's bytes in its archive.
    """
    columns = {
        "size": [source.size for source in sources],
        "crc32c": list(checksums),
        "name": [source.name for source in sources],
        "label": [source.label for source in sources],
        "archive": pa.array(
            [source.archive for source in sources], pa.string()
        ).dictionary_encode(),
        "offset": [source.offset for source in sources],
    }
    return pa.table(columns, CHECKSUMS)


def candidates(checksums: Mapping[str, pa.Table]) -> list[tuple[Candidate, ...]]:
    """Returns the groups of images that agree in length and CRC-32C.

    Args:
        checksums: The rows of each split, in any order.

    Returns:
        The groups and their images in ascending order of split and name.
    """
    keys = {split: _keys(table) for split, table in checksums.items()}
    everything = np.concatenate([np.empty(0, np.uint64), *keys.values()])
    values, occurrences = np.unique(everything, return_counts=True)
    repeated = values[occurrences > 1]
    groups: dict[int, list[Candidate]] = {}
    for split, table in checksums.items():
        rows = np.flatnonzero(np.isin(keys[split], repeated))
        for key, row in zip(
            keys[split][rows].tolist(), table.take(rows).to_pylist(), strict=True
        ):
            del row["crc32c"]
            groups.setdefault(key, []).append(Candidate(split, Source(**row)))
    return sorted(tuple(sorted(group)) for group in groups.values())


def find_duplicates(
    groups: Iterable[Sequence[Candidate]], read: Callable[[Candidate], bytes]
) -> list[DuplicateGroup]:
    """Returns the images that are truly equal, each group in the order of ``groups``.

    Args:
        groups: Images that may be equal.
        read: Returns the bytes of one in its archive; called once for each.
    """
    found = []
    for group in groups:
        equal: dict[str, list[Candidate]] = {}
        for candidate in group:
            digest = hashlib.sha256(read(candidate)).hexdigest()
            equal.setdefault(digest, []).append(candidate)
        found += [
            DuplicateGroup(digest, tuple(images))
            for digest, images in equal.items()
            if len(images) > 1
        ]
    return found


def checksums_to_json(table: pa.Table) -> dict[str, list[Any]]:
    """Returns checksum rows as lists for JSON; archives are named once."""
    lists = {name: table[name].to_pylist() for name in CHECKSUMS.names}
    archives = list(dict.fromkeys(lists["archive"]))
    position = {archive: i for i, archive in enumerate(archives)}
    lists["archive"] = [position[archive] for archive in lists["archive"]]
    return lists | {"archives": archives}


def checksums_from_json(lists: Mapping[str, list[Any]]) -> pa.Table:
    """Returns the checksum rows that ``checksums_to_json`` wrote."""
    archives = pa.DictionaryArray.from_arrays(
        pa.array(lists["archive"], pa.int32()), pa.array(lists["archives"], pa.string())
    )
    columns = [
        archives if field.name == "archive" else pa.array(lists[field.name], field.type)
        for field in CHECKSUMS
    ]
    return pa.table(columns, CHECKSUMS)


def _keys(table: pa.Table) -> npt.NDArray[np.uint64]:
    """Returns length and CRC-32C of each row as one number."""
    sizes = table["size"].to_numpy().astype(np.uint64)
    keys: npt.NDArray[np.uint64] = sizes << np.uint64(32) | table["crc32c"].to_numpy()
    return keys
