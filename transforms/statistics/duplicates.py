"""Finds images that are equal byte for byte, within a split and across splits.

Of each image a hash of its bytes is kept, 128 bits of XXH3, with where it lies, as a
row of a table: 1.3 million rows take some 80 MB, and tables are joined without being
copied. Among as many images two different ones of one hash are as likely as one in
10^26, so equal hashes are taken for equal images.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from transforms.formats import Source

HASHES: Final = pa.schema(
    [
        pa.field("digest", pa.binary(16)),  # of the image's bytes in its archive
        pa.field("size", pa.int64()),  # their number
        pa.field("name", pa.string()),
        pa.field("label", pa.int32()),
        pa.field("archive", pa.dictionary(pa.int32(), pa.string())),
        pa.field("file", pa.string()),
        pa.field("offset", pa.int64()),  # of the bytes there
        pa.field("detail", pa.string()),
    ]
)
# What is kept of a source: where an image lies, and its label.
_KEPT: Final = tuple(each.name for each in fields(Source) if each.name in HASHES.names)
# The same in types that become lists ten times as fast.
_PLAIN: Final = HASHES.set(
    HASHES.get_field_index("archive"), pa.field("archive", pa.string())
).set(HASHES.get_field_index("digest"), pa.field("digest", pa.binary()))


class Occurrence(NamedTuple):
    """One of several images that are equal.

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
        digest: The hash of their bytes, in hexadecimal digits.
        images: All images of the dataset that have these bytes, two or more.
    """

    digest: str
    images: tuple[Occurrence, ...]

    @property
    def splits_differ(self) -> bool:
        """Whether they are in more than one split."""
        return len({image.split for image in self.images}) > 1

    @property
    def labels_differ(self) -> bool:
        """Whether they have more than one label; no label is none."""
        labels = {image.source.label for image in self.images}
        return len(labels - {-1}) > 1


def content_hash(data: bytes) -> bytes:
    """Returns the hash by which images are compared, 16 bytes."""
    return xxhash.xxh3_128_digest(data)


def hash_table(sources: Sequence[Source], digests: Iterable[bytes]) -> pa.Table:
    """Returns the rows by which duplicates are found.

    Args:
        sources: The images.
        digests: The hash of each one's bytes in its archive.
    """
    columns = {
        "digest": pa.array(digests, pa.binary(16)),
        "size": [source.size for source in sources],
        "name": [source.name for source in sources],
        "label": [source.label for source in sources],
        "archive": pa.array(
            [source.archive for source in sources], pa.string()
        ).dictionary_encode(),
        "file": [source.file for source in sources],
        "offset": [source.offset for source in sources],
        "detail": [source.detail for source in sources],
    }
    return pa.table(columns, HASHES)


def find_duplicates(hashes: Mapping[str, pa.Table]) -> list[DuplicateGroup]:
    """Returns the images that are equal.

    Args:
        hashes: The rows of each split, in any order.

    Returns:
        The groups and their images in ascending order of split and name.
    """
    digests = pa.concat_tables([HASHES.empty_table(), *hashes.values()]).group_by(
        "digest"
    )
    counted = digests.aggregate([([], "count_all")])
    repeated = counted.filter(pc.field("count_all") > 1)["digest"].combine_chunks()
    groups: dict[bytes, list[Occurrence]] = {}
    for split, table in sorted(hashes.items()):
        rows = table.filter(pc.is_in(table["digest"], value_set=repeated)).cast(_PLAIN)
        columns = (rows[name].to_pylist() for name in (*_KEPT, "digest"))
        for *place, digest in sorted(zip(*columns, strict=True)):
            groups.setdefault(digest, []).append(Occurrence(split, Source(*place)))
    # A group comes where its first image does, for it was met with that one.
    return [
        DuplicateGroup(digest.hex(), tuple(images)) for digest, images in groups.items()
    ]


def rename_archives(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """Returns rows of ``HASHES`` with other names of their archives.

    Args:
        table: The rows.
        names: The new name of each archive by the old one.
    """
    place = table.schema.get_field_index("archive")
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices,
            pa.array([names[old] for old in chunk.dictionary.to_pylist()], pa.string()),
        )
        for chunk in table["archive"].chunks
    ]
    renamed = pa.chunked_array(chunks, HASHES.field("archive").type)
    return table.set_column(place, HASHES.field("archive"), renamed)


def hashes_to_json(table: pa.Table) -> dict[str, list[Any]]:
    """Returns rows as lists for JSON; archives are named once."""
    lists = {name: table[name].to_pylist() for name in HASHES.names}
    archives = list(dict.fromkeys(lists["archive"]))
    position = {archive: i for i, archive in enumerate(archives)}
    lists["archive"] = [position[archive] for archive in lists["archive"]]
    lists["digest"] = [digest.hex() for digest in lists["digest"]]
    return lists | {"archives": archives}


def hashes_from_json(lists: Mapping[str, list[Any]]) -> pa.Table:
    """Returns the rows that ``hashes_to_json`` wrote."""
    columns = {name: lists[name] for name in HASHES.names} | {
        "digest": [bytes.fromhex(digest) for digest in lists["digest"]],
        "archive": pa.DictionaryArray.from_arrays(
            pa.array(lists["archive"], pa.int32()),
            pa.array(lists["archives"], pa.string()),
        ),
    }
    return pa.table(columns, HASHES)
