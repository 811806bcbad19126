"""Class names and their numbers, and which label an image gets.

A class is named by its WordNet id; its label is the id's position in the sorted list
of ids. A training image belongs to the class its tar is named after. A validation
image's class stands in a published list, joined by the image's name: TFDS joins by
position and shifts every label behind a missing image, without a word.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.archives import MemberBatch
from transforms.errors import LabelError, printable, sample
from transforms.planning.lists import SubsetList
from transforms.planning.texts import decode_list, read_list

UNLABELLED: Final = -1

_SHOWN: Final = 5  # images in a message
_WNID: Final = re.compile(r"n\d{8}", re.ASCII)

LABEL_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),  # of the image
        pa.field("label", pa.int64(), nullable=False),
    ]
)


class Labeller(Protocol):
    """Gives the images of containers their labels.

    Where several containers are given, the message of an error may tell of all.
    """

    def labels(self, batch: MemberBatch) -> npt.NDArray[np.int64]:
        """Returns a label per member, in order.

        Raises:
            LabelError: A member's class can't be told.
        """
        ...


@dataclass(frozen=True, slots=True)
class LabelByContainer:
    """Labels images with the class their inner tar or folder is named after.

    Where it has no name, or one that is no WordNet id, the names of the images decide,
    which end with their class, as on the hub, or begin with it.

    Attributes:
        class_names: The name of class ``i`` at position ``i``.
    """

    class_names: tuple[str, ...]

    def labels(self, batch: MemberBatch) -> npt.NDArray[np.int64]:
        """Returns the class of every member.

        Raises:
            LabelError: Neither the container is named after a class nor its members,
                or they contradict each other.
        """
        numbers = {name: label for label, name in enumerate(self.class_names)}
        names = [each.container.name for each in batch.containers]
        labels = batch.for_members(
            np.array([numbers.get(name, UNLABELLED) for name in names], np.int64)
        )
        unknown = [name for name in names if name not in numbers]
        if unknown:
            labels = self._by_names(batch, unknown, labels)
        _check_endings(batch, self.class_names)
        return labels

    def _by_names(
        self, batch: MemberBatch, unknown: list[str], labels: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Fills in what the names of images tell where containers are of no class."""
        own = batch.members["class_name"].combine_chunks()
        classes = pc.index_in(own, pa.array(self.class_names, pa.string()))
        told = pc.coalesce(
            classes.cast(pa.int64()),
            labels_by_name(batch.members["name"], self.class_names),
        )
        found = pc.fill_null(told, UNLABELLED).to_numpy()
        labels = np.where(labels == UNLABELLED, found, labels)
        if any(map(_WNID.fullmatch, unknown)) or (labels == UNLABELLED).any():
            shown, first, last = map(
                printable, (unknown[0], self.class_names[0], self.class_names[-1])
            )
            raise LabelError(
                f"{batch.archive.file.uri} holds {_example(batch)} in "
                f"{shown or 'no folder'}, which is none of the "
                f"{len(self.class_names):,} classes ({first} to {last}). Name with "
                "class_names a list of classes that has it, or with subset a list of "
                "images that has none of it."
            )
        return labels


@dataclass(frozen=True, slots=True)
class LabelByIndex:
    """Labels images with the number that their folder is named after.

    Attributes:
        class_names: The name of class ``i`` at position ``i``.
    """

    class_names: tuple[str, ...]

    def labels(self, batch: MemberBatch) -> npt.NDArray[np.int64]:
        """Returns the folder's number for every member.

        Raises:
            LabelError: The folder has none, or one of no class.
        """
        names = [each.container.name for each in batch.containers]
        count = len(self.class_names)
        for name in names:
            if re.fullmatch(r"0|[1-9]\d{0,8}", name, re.ASCII) and int(name) < count:
                continue
            raise LabelError(
                f"{batch.archive.file.uri} holds {_example(batch)} in "
                f"{f'folder {printable(name)}' if name else 'no folder'}, expected "
                f"folders 0 to {count - 1:,}, the numbers of classes."
            )
        return batch.for_members(np.array(names, np.int64))


def _example(batch: MemberBatch) -> str:
    return printable(batch.members["name"][0].as_py())


def _first_rows(
    shown: pa.BooleanArray, *columns: pa.Array | pa.ChunkedArray
) -> Iterator[tuple[Any, ...]]:
    """Yields the first rows of columns that a message shows."""
    lists = [column.filter(shown).slice(0, _SHOWN).to_pylist() for column in columns]
    yield from zip(*lists, strict=True)


def _check_endings(batch: MemberBatch, class_names: Sequence[str]) -> None:
    """Raises LabelError where a file's name ends with another class than its folder."""
    own = batch.members["class_name"].combine_chunks()
    ends = pc.not_equal(own, "")
    if not pc.any(ends).as_py():
        return  # as of nearly all datasets
    folders = batch.container_names()
    of_class = pc.is_in(folders, pa.array(class_names, pa.string()))
    other = pc.and_(pc.and_(ends, of_class), pc.not_equal(own, folders))
    count = pc.sum(other).as_py()
    if count:
        folder = batch.containers[0].container.name
        shown = [
            f"{name} with {ending}"
            for name, ending in _first_rows(other, batch.members["name"], own)
        ]
        raise LabelError(
            f"{batch.archive.file.uri} holds {count:,} images in {printable(folder)} "
            f"whose files end with another class: {sample(shown, total=count)}. Sort "
            "them again, or rename them."
        )


@dataclass(frozen=True, slots=True)
class LabelByName:
    """Labels images by a list of image names.

    Attributes:
        listed: Rows of ``LABEL_SCHEMA``. A table, not a mapping: every worker has a
            copy, and a mapping of 50,000 names takes ten times the memory.
        source: Where the list comes from, for messages.
        class_names: The name of class ``i`` at position ``i``, where folders and file
            names that give another class than the list are an error; else empty.
    """

    listed: pa.Table
    source: str
    class_names: tuple[str, ...] = ()

    def __reduce__(
        self,
    ) -> tuple[Callable[..., Self], tuple[bytes, str, tuple[str, ...]]]:
        """Pickles the list compressed, a fifteenth: Beam copies it for each bundle."""
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, LABEL_SCHEMA, options=options) as stream:
            stream.write_table(self.listed)
        packed = sink.getvalue().to_pybytes()
        return self._unpickle, (packed, self.source, self.class_names)

    @classmethod
    def _unpickle(
        cls, packed: bytes, source: str, class_names: tuple[str, ...]
    ) -> Self:
        return cls(pa.ipc.open_stream(packed).read_all(), source, class_names)

    def labels(self, batch: MemberBatch) -> npt.NDArray[np.int64]:
        """Returns each member's listed label.

        Raises:
            LabelError: A member is not in the list, or lies in the folder of another
                class.
        """
        names = batch.members["name"]
        listed = self.listed.combine_chunks()
        rows = pc.index_in(names, value_set=listed["name"])
        if rows.null_count:
            unknown = names.filter(pc.is_null(rows)).to_pylist()
            raise LabelError(
                f"{batch.archive.file.uri} holds {len(unknown):,} images that have no "
                f"label in {self.source}: {sample(unknown)}. Is it the archive of the "
                f"{batch.archive.split} split?"
            )
        labels = listed["label"].take(rows)
        self._check_classes(batch, labels)
        found: npt.NDArray[np.int64] = labels.to_numpy()
        return found

    def _check_classes(self, batch: MemberBatch, labels: pa.Array) -> None:
        """Raises LabelError where an archive puts images into another class."""
        own = batch.members["class_name"].combine_chunks()
        stated = pc.if_else(pc.equal(own, ""), batch.container_names(), own)
        classes = pc.index_in(stated, pa.array(self.class_names, pa.string()))
        differ = pc.fill_null(pc.not_equal(classes.cast(pa.int64()), labels), False)
        count = pc.sum(differ).as_py()
        if not count:
            return
        shown = [
            f"{name} {given} instead of {self.class_names[label]}"
            for name, given, label in _first_rows(
                differ, batch.members["name"], stated, labels
            )
        ]
        split = batch.archive.split
        raise LabelError(
            f"{batch.archive.file.uri} gives {count:,} images of the {split} split "
            f"another class than {self.source}: {sample(shown, total=count)}. Sort "
            f"them again, or pass --set splits.{split}.labels=container to take the "
            "classes that it gives."
        )


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Labels every image -1, which loaders read as «no label»."""

    def labels(self, batch: MemberBatch) -> npt.NDArray[np.int64]:
        """Returns -1 for every member."""
        return np.full(batch.members.num_rows, UNLABELLED, dtype=np.int64)


def read_class_names(uri: str) -> tuple[str, ...]:
    """Returns the class names of a file with one on each line.

    Raises:
        LabelError: The file is empty or names a class twice.
        StorageError: It can't be read.
    """
    names = tuple(read_lines(uri))
    if not all(names) or not names or len(set(names)) < len(names):
        raise LabelError(f"{uri} should name each class once, one on a line.")
    return names


def read_class_titles(uri: str) -> dict[str, str]:
    """Returns what people call classes, by name, from lines ``CLASS TITLE``.

    Args:
        uri: The file; empty for none.

    Raises:
        LabelError: A line has no title.
        StorageError: It cannot be read.
    """
    titles = {}
    for number, line in enumerate(read_lines(uri) if uri else (), 1):
        name, _, title = line.partition(" ")
        if not title.strip():
            raise LabelError(
                f"{uri}, line {number:,}: expected a class and what people call it, as "
                f"n01440764 tench, found '{printable(line)}'."
            )
        titles[name] = title.strip()
    return titles


def read_lines(uri: str) -> list[str]:
    """Returns the lines of a file, without blanks around them or empty ones at the end.

    Raises:
        LabelError: It is no text.
        StorageError: It can't be read.
    """
    return split_lines(decode_list(read_list(uri, LabelError), uri, LabelError))


def split_lines(text: str) -> list[str]:
    """Returns a text's lines, without blanks around or empty ones at the end."""
    return [line.strip() for line in text.rstrip().splitlines()]


def labels_by_name(
    names: pa.ChunkedArray | pa.Array, class_names: Sequence[str]
) -> pa.Array:
    """Returns the labels that names tell, null for a name that tells none.

    The training images' names begin with their class, ``n01440764_36.JPEG``.

    Args:
        names: File names.
        class_names: The name of class ``i`` at position ``i``.
    """
    if isinstance(names, pa.ChunkedArray):
        names = names.combine_chunks()
    beginnings = pc.list_element(pc.split_pattern(names, "_", max_splits=1), 0)
    found = pc.index_in(beginnings, value_set=pa.array(class_names, pa.string()))
    return found.cast(pa.int64())


def labels_of_list(subset: SubsetList, class_names: Sequence[str]) -> LabelByName:
    """Returns what labels a split's images as its subset list does.

    Args:
        subset: The list.
        class_names: The name of class ``i`` at position ``i``.

    Raises:
        LabelError: An image has no label there, or one that is none of a class.
    """
    labels = subset.labels or (None,) * len(subset.names)
    for name, label in zip(subset.names, labels, strict=True):
        if label is None:
            raise LabelError(
                f"{subset.source} decides the labels, and {printable(name)} has none "
                "there."
            )
        if not 0 <= label < len(class_names):
            raise LabelError(
                f"{subset.source} decides the labels, and {printable(name)} has "
                f"{label:,} there: there are {len(class_names):,} classes, counted "
                "from 0. class_names says which."
            )
    columns = [list(subset.names), list(labels)]
    return LabelByName(pa.table(columns, schema=LABEL_SCHEMA), subset.source)
