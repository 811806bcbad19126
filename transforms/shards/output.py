"""What a build writes, and where."""

from collections.abc import Mapping
from dataclasses import dataclass

from transforms.formats import Places, Schema
from transforms.images import ImagePolicy
from transforms.storage import CHECKSUM, Checksum


@dataclass(frozen=True, slots=True)
class ShardOutput:
    """Where shards go and what they are.

    Attributes:
        places: Where the dataset's files lie.
        formats: Names of formats, keys of ``FORMATS``.
        schema: What the records have.
        images: What is done to the images of each split.
        pixels: Whether statistics cover the pixels too, which takes decoding.
        checksum: Which hash of each file is made.
        checks_space: Whether free space is compared with what is going to be written.
        overwrite: Whether finished datasets in the directories of these formats are
            replaced.
    """

    places: Places
    formats: tuple[str, ...]
    schema: Schema
    images: Mapping[str, ImagePolicy]
    pixels: bool = False
    checksum: Checksum = CHECKSUM
    overwrite: bool = False
    checks_space: bool = False
