"""What is done with rejected images: all are listed and kept, and a limit decides.

A build goes on after a bad image, so that it can report all of them, not one alone.
They are written to ``rejected.parquet``, with their bytes as they lie in the archives.
Then the limit decides: more bad images than it allows, and the build fails. By default
it allows none.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.errors import ImageError, sample
from transforms.formats import Source
from transforms.shards import Rejected
from transforms.storage import Pieces

FILE_NAME: Final = "rejected.parquet"

_GROUP_ROWS: Final = 20  # images in memory at once

SCHEMA: Final = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("archive", pa.string(), nullable=False),  # ``short_names``
        pa.field("file", pa.string(), nullable=False),  # in its folder, or empty
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),  # of the bytes, in the archive
        pa.field("size", pa.int64(), nullable=False),  # bytes
        pa.field("reason", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),  # the bytes
    ]
)


def write_quarantine(
    uri: str,
    rejected: Mapping[str, Sequence[Rejected]],
    read: Callable[[Source], bytes],
) -> None:
    """Writes the rejected images of each split, in the order of split and name.

    Args:
        uri: The file; its directory exists.
        rejected: The images by split.
        read: Returns an image's bytes in its archive.

    Raises:
        StorageError: An image cannot be read, or the file cannot be written.
    """
    rows = _rows(rejected, read)
    pieces = Pieces()
    with storage.publish(uri) as file:
        with pq.ParquetWriter(pieces, SCHEMA) as writer:
            while group := list(islice(rows, _GROUP_ROWS)):
                writer.write_table(pa.Table.from_pylist(group, SCHEMA))
                pieces.move_to(file)
        pieces.move_to(file)


def check_rejected(
    rejected: Mapping[str, Sequence[Rejected]],
    wanted: int,
    limit: float,
    uri: str,
) -> None:
    """Accepts that some images are left out, or says which are too many.

    Args:
        rejected: The images by split.
        wanted: Number of images of all splits.
        limit: Most of them; a number below 1 is a share of those wanted.
        uri: Where they are listed.

    Raises:
        ImageError: They are too many.
    """
    found = [(split, image) for split in rejected for image in rejected[split]]
    most = int(limit * wanted) if limit < 1 else int(limit)
    if len(found) <= most:
        return
    reasons = Counter(image.reason for _, image in found)
    by_number = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{number:,} {reason}" for reason, number in by_number)
    names = [
        f"{image.source.name} {image.source.where} ({split}): {image.message}"
        for split, image in found
    ]
    raise ImageError(
        f"Bad images: {len(found):,} of {wanted:,}, and {most:,} are allowed: {told}. "
        f"{sample(names, 3)}. {uri} holds all, with their bytes. Put whole ones in "
        f"their place, or pass --max_rejects={len(found)} to build without them."
    )


def _rows(
    rejected: Mapping[str, Sequence[Rejected]], read: Callable[[Source], bytes]
) -> Iterator[dict[str, Any]]:
    for split, images in rejected.items():
        for image in sorted(images, key=lambda image: image.source):
            source = image.source
            yield {
                "split": split,
                "archive": source.archive,
                "file": source.file,
                "file_name": source.name,
                "label": source.label,
                "offset": source.offset,
                "size": source.size,
                "reason": image.reason,
                "message": image.message,
                "image": read(source),
            }
