"""What a record is: features, schema, examples, and where an image comes from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from transforms.errors import FormatError, printable
from transforms.images import Header


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of the dataset.

    Attributes:
        name: Its name in every format.
        kind: What it holds, a key of ``KINDS``.
        documentation: One sentence on it.
    """

    name: str
    kind: str
    documentation: str


FEATURES: Final = (
    Feature(
        "file_name",
        "text",
        "Name of the image's file in its archive; unique within a split.",
    ),
    Feature(
        "image",
        "image",
        "The encoded image.",
    ),
    Feature(
        "label",
        "label",
        "Position of the class's WordNet id in the sorted list of ids; -1 for none.",
    ),
)

# Only in formats with columns, and only where asked for: TFDS's records lack them.
DIMENSIONS: Final = (
    Feature(
        "width",
        "pixels",
        "Width of the stored image in pixels; null where its header can't be read.",
    ),
    Feature(
        "height",
        "pixels",
        "Height of the stored image in pixels; null where its header can't be read.",
    ),
)


@dataclass(frozen=True, slots=True)
class Schema:
    """What the records of a dataset have.

    Attributes:
        class_names: The name of class ``i`` at position ``i``.
        dimensions: Whether formats with columns have the images' width and height.
        extension: What the files of images are named, where each is a file.
    """

    class_names: tuple[str, ...]
    dimensions: bool = False
    extension: str = "jpg"

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The features that formats with columns have."""
        return FEATURES + DIMENSIONS if self.dimensions else FEATURES


@dataclass(frozen=True, slots=True)
class Example:
    """One record of a dataset.

    Attributes:
        file_name: Name of the image's file.
        image: The encoded image.
        label: Number of its class, or -1.
        header: The image's header, where it has been read; no part of the record.
    """

    file_name: str
    image: bytes
    label: int
    header: Header | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DamagedRecords:
    """Records of a file that can't be read, while those after them can.

    Attributes:
        count: Number of the records, which are consecutive.
        reason: What is wrong with them, and where.
    """

    count: int
    reason: str


def undamaged(records: Iterable[Example | DamagedRecords]) -> Iterator[Example]:
    """Yields records, all of which have to be whole.

    Raises:
        FormatError: One is not.
    """
    for record in records:
        if isinstance(record, DamagedRecords):
            raise FormatError(record.reason)
        yield record


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Which image it is, and where its bytes lie.

    Attributes:
        name: The image's file name.
        label: Number of its class, or -1.
        archive: The archive: its URI, or in documents its name there.
        offset: Where its bytes begin there, or in one of its files.
        size: Their number.
        file: The file in the archive's folder that they lie in; empty for its own.
        detail: What the archive's form needs besides to read them.
    """

    name: str
    label: int
    archive: str
    offset: int
    size: int
    file: str = ""
    detail: str = ""

    @property
    def where(self) -> str:
        """Where its bytes lie, in words."""
        path = f"{self.archive}/{self.file}" if self.file else self.archive
        return f"at byte {self.offset:,} of {printable(path)}"

    def example(self, image: bytes, header: Header) -> Example:
        """Returns its record, with the image as it is written and its header."""
        return Example(self.name, image, self.label, header)

    def renamed(self, names: Mapping[str, str]) -> "Source":
        """Returns the same image with the archive's name that ``names`` has for it."""
        return replace(self, archive=names[self.archive])
