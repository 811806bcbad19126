"""The formats a dataset can be written in: one module each, and one table of them.

A format is a suffix, a writer and a reader. To add one, write its module and add its
line to ``FORMATS``; the configuration, the build and the metadata go by the table.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from transforms.examples import Example
from transforms.formats.tfrecord import TFRecordWriter, read_tfrecord
from transforms.storage import Sink


class ExampleWriter(Protocol):
    """Writes the Examples of one shard."""

    def write(self, example: Example) -> int:
        """Appends an Example; returns its serialised length in bytes."""
        ...

    def close(self) -> None:
        """Writes what the format has at its end; the file stays open."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One way to store a shard.

    Attributes:
        suffix: What TFDS calls it, in shard names and metadata.
        writer: Makes a writer of Examples to an open file.
        read: Yields the Examples of an open file.
    """

    suffix: str
    writer: Callable[[Sink], ExampleWriter]
    read: Callable[[BinaryIO], Iterator[Example]]


FORMATS: Final[Mapping[str, Format]] = {
    "tfrecord": Format("tfrecord", TFRecordWriter, read_tfrecord),
}


def shard_name(
    dataset: str, split: str, format_name: str, index: int, count: int
) -> str:
    """Returns a shard's file name.

    The template is TFDS's ``{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}``
    (``core/naming.py``).

    Example:
        >>> shard_name("imagenet2012_subset", "train", "tfrecord", 0, 16)
        'imagenet2012_subset-train.tfrecord-00000-of-00016'
    """
    suffix = FORMATS[format_name].suffix
    digits = max(5, len(str(count)))
    return f"{dataset}-{split}.{suffix}-{index:0{digits}d}-of-{count:0{digits}d}"
