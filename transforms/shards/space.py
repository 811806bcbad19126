"""Whether the disk has room for a build, before its first byte is written."""

from typing import Final

from transforms import storage
from transforms.errors import StorageError
from transforms.formats import FORMATS
from transforms.planning import ShardSpec
from transforms.shards.output import ShardOutput

# What is needed besides images: records' frames, documents, and room for others.
_SHARE: Final = 0.02
_BYTES: Final = 64 << 20


def planned_bytes(spec: ShardSpec, output: ShardOutput) -> int:
    """Returns about how many bytes a shard is going to have, in all formats.

    Of images that are encoded again nothing is known before that is done: 0.
    """
    if output.images[spec.split].encodes:
        return 0
    size: int = sum(spec.members["size"].to_pylist())
    return size * len(output.formats)


def require_space(
    planned: int, output: ShardOutput, share: float = _SHARE, most: int = _BYTES
) -> None:
    """Refuses a build that the disk has no room for.

    What lies in the dataset's directories is counted as written: a build that goes on
    does not write it again, and one that replaces it removes it.

    Args:
        planned: Bytes of all shards, in all formats.
        output: Where they go.
        share: How much more of that is needed.
        most: How many bytes more are needed.

    Raises:
        StorageError: There is less space than that.
    """
    free = storage.free_bytes(output.places.data_dir)
    if free is None or not planned:
        return
    left = max(planned - _written(output), 0)
    needed = left + round(left * share) + most
    if left and free < needed:
        raise StorageError(
            f"{output.places.data_dir} has {free:,} bytes free, and the build needs "
            f"about {needed:,}. Make room, name another --data_dir, or build in spite "
            "of it with --ignore_free_space."
        )


def _written(output: ShardOutput) -> int:
    places = output.places
    return sum(
        entry.size or 0
        for name in output.formats
        for entry in storage.list_entries(places.directory(name))
        if FORMATS[name].is_data_file(places.dataset, entry.name)
    )
