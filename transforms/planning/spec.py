"""A shard spec: which images become one shard, in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pyarrow as pa

from transforms.archives import MEMBER_SCHEMA, Archive, Place
from transforms.formats import Source, SplitCounts
from transforms.planning.label_lists.lists import LABELS_FIELD

SHARD_SCHEMA: Final = pa.schema(
    [
        pa.field("archive", pa.int32(), nullable=False),  # position in archives
        pa.field("name", pa.string(), nullable=False),
        *(MEMBER_SCHEMA.field(name) for name in ("file", "offset", "size", "detail")),
        pa.field("label", pa.int64(), nullable=False),
        LABELS_FIELD,
    ]
)


class PlannedImage(NamedTuple):
    """An image of a shard.

    Attributes:
        source: Which it is, and where its bytes lie.
        place: The same as a reader of the shard's archives takes it.
        labels: Numbers of all its classes, where records have them.
    """

    source: Source
    place: Place
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShardSpec:
    """All there is to know of a shard before a byte of it is read.

    Attributes:
        split: The split it belongs to.
        index: Its position in the split.
        count: Number of shards of the split.
        archives: What its members lie in.
        members: Rows of ``SHARD_SCHEMA`` in the order of the shard's records.
        files: Number of files it is cut into, in formats that limit a file's size.
        counts: How its split came to its number of examples.
        split_members: Number of members of all shards of the split.
    """

    split: str
    index: int
    count: int
    archives: tuple[Archive, ...]
    members: pa.Table
    files: Mapping[str, int] = field(default_factory=dict)
    counts: SplitCounts = field(default_factory=SplitCounts)
    split_members: int = 0

    def images(self) -> Iterator[PlannedImage]:
        """Yields the images in order."""
        columns = self.members.to_pydict()
        places = map(Place, *(columns[field] for field in Place._fields))
        uris = [archive.file.uri for archive in self.archives]
        for name, label, labels, place in zip(
            columns["name"], columns["label"], columns["labels"], places, strict=True
        ):
            archive, file, offset, size, detail = place
            source = Source(name, label, uris[archive], offset, size, file, detail)
            yield PlannedImage(source, place, tuple(labels))
