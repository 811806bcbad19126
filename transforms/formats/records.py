"""What a record is: features, schema, examples, and where an image comes from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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
        encoding: What TFDS is told that images are encoded as; empty for nothing.
        shape: Height, width and channels of all images; empty for any.
    """

    name: str
    kind: str
    documentation: str
    encoding: str = ""
    shape: tuple[int, ...] = ()


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

# What features say of themselves whose documentation is not given, by kind.
DOCUMENTATION: Final = {
    "text": "Name of the image's file; unique within a split.",
    "image": "The encoded image.",
    "label": "Position of the class in the list of classes; -1 for none.",
    "label_list": "Positions of all classes of the image in the list of classes.",
}

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


BY_NAME: Final = "name"

# What is hashed of a name for the place of its record.
ORDERS: Final[Mapping[str, Callable[[str], str]]] = {
    BY_NAME: lambda name: name,
    "underscored": lambda name: name.replace("/", "_"),
}


@dataclass(frozen=True, slots=True)
class Schema:
    """What the records of a dataset have.

    Attributes:
        class_names: The name of class ``i`` at position ``i``.
        dimensions: Whether formats with columns have the images' width and height.
        extension: What the files of images are named, where each is a file.
        features: The features of its records, at most one of each kind.
        supervised: Those that loaders give as input and target.
        order: What is hashed of a name for the place of its record, a key of
            ``ORDERS``.
    """

    class_names: tuple[str, ...]
    dimensions: bool = False
    extension: str = "jpg"
    features: tuple[Feature, ...] = FEATURES
    supervised: tuple[str, ...] = ("image", "label")
    order: str = BY_NAME

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The features that formats with columns have: always a name, too."""
        named = () if feature_of(self.features, "text") else FEATURES[:1]
        return (*named, *self.features, *(DIMENSIONS if self.dimensions else ()))

    @property
    def labelled(self) -> tuple[Feature, ...]:
        """The features whose values are classes."""
        return tuple(
            each for each in self.features if each.kind in ("label", "label_list")
        )


def feature_of(features: Iterable[Feature], kind: str) -> Feature | None:
    """Returns the feature of a kind; None for none."""
    return next((feature for feature in features if feature.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Example:
    """One record of a dataset.

    Attributes:
        file_name: What the image is called; empty where records do not say it.
        image: The encoded image.
        label: Number of its class, or -1.
        labels: Numbers of all its classes, where records have them.
        header: The image's header, where it has been read; no part of the record.
    """

    file_name: str
    image: bytes
    label: int
    labels: tuple[int, ...] = ()
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

    def renamed(self, names: Mapping[str, str]) -> "Source":
        """Returns the same image with the archive's name that ``names`` has for it."""
        return replace(self, archive=names[self.archive])
