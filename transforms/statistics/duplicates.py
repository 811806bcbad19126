"""Finds images that are equal, within a split and across splits.

They are equal byte for byte, or have equal pixels under different bytes, as after
metadata were changed, or another program wrote the same JPEG again without loss.

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
        pa.field("pixels", pa.binary(16)),  # of the pixels; null where none were seen
    ]
)
# Bytes hashed at a time: for more the library lets other threads run, and waking them
# takes longer than hashing an image.
_PIECE: Final = 1 << 16

# What is kept of a source: where an image lies, and its label.
_KEPT: Final = tuple(each.name for each in fields(Source) if each.name in HASHES.names)
# The same in types that become lists ten times as fast.
_AS_LISTS: Final = {
    "archive": pa.string(),
    "digest": pa.binary(),
    "pixels": pa.binary(),
}
_PLAIN: Final = pa.schema(
    [pa.field(each.name, _AS_LISTS.get(each.name, each.type)) for each in HASHES]
)
_PAIRS: Final = pa.schema([HASHES.field("pixels"), HASHES.field("digest")])


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
    """Images that are equal byte for byte, or pixel for pixel.

    Attributes:
        digest: The hash of their bytes or pixels, in hexadecimal digits.
        images: All images of the dataset that have these, two or more.
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
    found = xxhash.xxh3_128()
    with memoryview(data) as view:
        for start in range(0, len(data), _PIECE):
            found.update(view[start : start + _PIECE])
    return found.digest()


def hash_table(
    sources: Sequence[Source],
    digests: Iterable[bytes],
    pixels: Iterable[bytes | None],
) -> pa.Table:
    """Returns the rows by which duplicates are found.

    Args:
        sources: The images.
        digests: The hash of each one's bytes in its archive.
        pixels: The hash of each one's pixels, None where none were seen.
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
        "pixels": pa.array(pixels, pa.binary(16)),
    }
    return pa.table(columns, HASHES)


def find_duplicates(hashes: Mapping[str, pa.Table]) -> list[DuplicateGroup]:
    """Returns the images that are equal byte for byte.

    Args:
        hashes: The rows of each split, in any order.

    Returns:
        The groups and their images in ascending order of split and name.
    """
    return _groups(hashes, "digest", _repeated(hashes.values(), "digest"))


def find_equal_pixels(hashes: Mapping[str, pa.Table]) -> list[DuplicateGroup]:
    """Returns the images that have equal pixels, and not all the same bytes.

    Args:
        hashes: The rows of each split, in any order.

    Returns:
        The groups and their images in ascending order of split and name.
    """
    seen = {
        split: table.filter(pc.is_valid(table["pixels"]))
        for split, table in hashes.items()
    }
    pairs = [table.select(_PAIRS.names) for table in seen.values()]
    # Images that are equal byte for byte count as one.
    each_once = (
        pa.concat_tables([_PAIRS.empty_table(), *pairs])
        .group_by(_PAIRS.names)
        .aggregate([])
    )
    return _groups(seen, "pixels", _repeated([each_once], "pixels"))


def _repeated(tables: Iterable[pa.Table], column: str) -> pa.Array:
    """Returns the values that a column of some tables has more than once."""
    values = [table.select([column]) for table in tables]
    together = pa.concat_tables([_PAIRS.empty_table().select([column]), *values])
    counted = together.group_by(column).aggregate([([], "count_all")])
    return counted.filter(pc.field("count_all") > 1)[column].combine_chunks()


def _groups(
    hashes: Mapping[str, pa.Table], column: str, repeated: pa.Array
) -> list[DuplicateGroup]:
    """Returns the images of each of some values of a column."""
    groups: dict[bytes, list[Occurrence]] = {}
    for split, table in sorted(hashes.items()):
        rows = table.filter(pc.is_in(table[column], value_set=repeated)).cast(_PLAIN)
        columns = (rows[name].to_pylist() for name in (*_KEPT, column))
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
    lists["pixels"] = [digest and digest.hex() for digest in lists["pixels"]]
    return lists | {"archives": archives}


def hashes_from_json(lists: Mapping[str, list[Any]]) -> pa.Table:
    """Returns the rows that ``hashes_to_json`` wrote."""
    columns = {name: lists[name] for name in HASHES.names} | {
        "digest": [bytes.fromhex(digest) for digest in lists["digest"]],
        "pixels": [digest and bytes.fromhex(digest) for digest in lists["pixels"]],
        "archive": pa.DictionaryArray.from_arrays(
            pa.array(lists["archive"], pa.int32()),
            pa.array(lists["archives"], pa.string()),
        ),
    }
    return pa.table(columns, HASHES)
