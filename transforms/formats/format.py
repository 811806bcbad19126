"""What a format is: its names, its writer, its reader and its limits."""

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, BinaryIO, Literal, Protocol, TypeVar

from transforms import storage
from transforms.formats.listing import ConfigFacts
from transforms.formats.records import (
    FEATURES,
    DamagedRecords,
    Example,
    Feature,
    Schema,
)
from transforms.storage import CHECKSUM, Checksum, Publication

# Where the files of a format lie, and which documents go with them: a directory as
# TFDS has it, several formats together; or a folder as the Hugging Face hub has it,
# one for each format, the configurations side by side.
Layout = Literal["tfds", "hub"]

Item = TypeVar("Item", covariant=True)
Features = tuple[Feature, ...]

# Names a file, from dataset, split, index and count.
FileName = Callable[[str, str, int, int], str]


class ExampleWriter(Protocol):
    """Writes the Examples of one file."""

    def write(self, example: Example) -> None:
        """Appends an Example."""
        ...

    def close(self) -> None:
        """Writes what the format has at its end; the file itself stays open."""
        ...


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of a format that is being published.

    Attributes:
        writer: Takes its Examples.
        publication: The file itself; its length and hash stand once it is published.
    """

    writer: ExampleWriter
    publication: Publication


class Publisher(Protocol):
    """Opens a file of a format that appears, whole, when its block ends."""

    def __call__(
        self, uri: str, schema: Schema, checksum: Checksum = CHECKSUM
    ) -> AbstractContextManager[OpenFile]:
        """Opens the file.

        Args:
            uri: Its final name.
            schema: What its records have.
            checksum: Which hash of it is made.
        """
        ...


class Reader(Protocol[Item]):
    """Reads the records of a published file."""

    def __call__(self, uri: str, features: Features = FEATURES) -> Iterator[Item]:
        """Yields them, with the features that they have."""
        ...


Companions = Callable[
    [str, ConfigFacts, Sequence[str]], Mapping[str, Mapping[str, object]]
]


class Codec(Protocol):
    """What the module of a format has.

    Attributes:
        file_name: Names its files.
        publish: Opens a file of it that appears, whole, when the block ends.
        read: Yields the Examples of a published file.
        scan: Yields them too, but goes on after damaged ones where that is possible.
        companions: The JSON documents that its loaders read beside the files, by name,
            from the dataset's name, the configuration and what its classes are called,
            if that is known. Only a format that has such documents has this name.
    """

    file_name: FileName
    publish: Publisher
    read: Reader[Example]
    scan: Reader[Example | DamagedRecords]
    companions: Companions


@dataclass(frozen=True, slots=True)
class Format:
    """One way to store a dataset.

    Attributes:
        module: The name of the module that has its functions; see ``Codec``.
        layout: Where its files lie.
        pattern: The glob of all of them in their directory, with ``{dataset}`` for the
            dataset's name. In a folder for the hub, those of a split begin with its
            name and a hyphen.
        loader: The line that loads it; see ``loader_line``.
        imports: The lines of Python before it.
        packages: What it takes from the index, which a build does not need.
        needs: The package that it needs, and the name of our extra; None for neither.
        max_bytes: Most bytes of a file; None where TFDS's formula decides.
        record_overhead: Most bytes that a record takes besides its image.
        file_overhead: Most bytes that a file takes besides its records.
        typed: Whether documents for the hub and Croissant list its columns; else
            loaders find them out.
        image_per_file: Whether each image is a file of its own, with an extension.
    """

    module: str
    layout: Layout
    pattern: str
    loader: str
    imports: tuple[str, ...]
    packages: str
    needs: str | None = None
    max_bytes: int | None = None
    record_overhead: int = 0
    file_overhead: int = 0
    typed: bool = False
    image_per_file: bool = False

    @property
    def codec(self) -> Codec:
        """Its functions, whose module may have to be imported."""
        module: Any = import_module(self.module)
        codec: Codec = module
        return codec

    @property
    def companions(self) -> Companions | None:
        """What gives the documents that its loaders read; None for none."""
        return getattr(self.codec, "companions", None)

    def is_data_file(self, dataset: str, name: str) -> bool:
        """Returns whether a file of that name counts as one of a dataset's."""
        return fnmatchcase(name, self.pattern.format(dataset=glob.escape(dataset)))


def in_tfds_style(suffix: str) -> FileName:
    """``{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}`` (``core/naming.py``)."""

    def name(dataset: str, split: str, index: int, count: int) -> str:
        digits = max(5, len(str(count)))
        return f"{dataset}-{split}.{suffix}-{index:0{digits}d}-of-{count:0{digits}d}"

    return name


def to_stream(make: Callable[[Publication, Schema], ExampleWriter]) -> Publisher:
    """Returns a publisher for a writer to an open file."""

    @contextmanager
    def publish(
        uri: str, schema: Schema, checksum: Checksum = CHECKSUM
    ) -> Iterator[OpenFile]:
        with storage.publish(uri, checksum) as file:
            writer = make(file, schema)
            yield OpenFile(writer, file)
            writer.close()

    return publish


def to_path(make: Callable[[str, Schema], ExampleWriter]) -> Publisher:
    """Returns a publisher for a writer that opens its local file itself."""

    @contextmanager
    def publish(
        uri: str, schema: Schema, checksum: Checksum = CHECKSUM
    ) -> Iterator[OpenFile]:
        with storage.publish_staged(uri, checksum) as (path, file):
            writer = make(path, schema)
            try:
                yield OpenFile(writer, file)
            finally:
                writer.close()

    return publish


def from_stream(
    read: Callable[[BinaryIO, Features], Iterator[Item]],
) -> Reader[Item]:
    """Returns a reader of published files from one of open files."""

    def examples(uri: str, features: Features = FEATURES) -> Iterator[Item]:
        with storage.open_file(uri) as file:
            yield from read(file, features)

    return examples


def from_path(
    read: Callable[[str, Features], Iterator[Item]],
) -> Reader[Item]:
    """Returns a reader of published files from one that opens a local path."""

    def examples(uri: str, features: Features = FEATURES) -> Iterator[Item]:
        with storage.local_copy(uri) as path:
            yield from read(path, features)

    return examples
