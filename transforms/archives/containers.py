"""Archives, the containers in them, and the members of these.

An archive is what holds the images of a split, in one of several forms (``forms``): a
tar, a zip, a folder. Its images lie in containers: inner tars or folders, mostly one
for each class. A container's members are rows of a table, which say how each is found
and read; their bytes stay where they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.archives.tar.end import USUAL_END, TarEnd
from transforms.storage import FileInfo

MEMBER_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),  # normal form, see ``names``
        # What follows the name in its file's name, as the hub has it; mostly empty.
        pa.field("class_name", pa.string(), nullable=False),
        # Where the bytes lie: a file in the archive's folder; empty for its own.
        pa.field("file", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),  # there
        pa.field("size", pa.int64(), nullable=False),  # of the image, bytes
        # What the form's reader needs besides: empty for bytes that lie as they are.
        pa.field("detail", pa.string(), nullable=False),
    ]
)


def member_table(rows: Sequence[Sequence[str | int]]) -> pa.Table:
    """Returns rows of ``MEMBER_SCHEMA``, given as its columns stand."""
    columns = list(zip(*rows, strict=True)) or [()] * len(MEMBER_SCHEMA)
    return pa.table(columns, schema=MEMBER_SCHEMA)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive and what it is for.

    Attributes:
        split: The split its images belong to.
        file: The file, as it was when the build began, or the folder.
        form: How its images are packed, a key of ``FORMS``.
        layer: Of two archives of a split, the higher one's images replace those of
            the same name in the lower one.
        names: Pattern of the names of the split's images, as shells have them. An
            archive may hold other splits, too.
        index_dir: Directory of its saved index, with what else is kept of it.
        root: The folder in it that the split's images lie below; empty for all.
        naming: What its images are called; see ``naming``.
    """

    split: str
    file: FileInfo
    form: str
    layer: int = 0
    names: str = "*"
    index_dir: str = ""
    root: str = ""
    naming: str = "{file}"


class Place(NamedTuple):
    """How an image's bytes are found; a tuple, because a million are made.

    Attributes:
        archive: The archive's position among those that are read.
        file: As in ``MEMBER_SCHEMA``; so are the others.
        offset: In bytes.
        size: In bytes.
        detail: In the notation of the archive's form.
    """

    archive: int
    file: str
    offset: int
    size: int
    detail: str


@dataclass(frozen=True, slots=True)
class Container:
    """What images lie in together: a flat archive as a whole, an inner tar, a folder.

    Attributes:
        name: The inner tar's name without ``.tar``, or the folder's; empty for a whole
            archive.
        offset: Where the tar begins in the file; 0 for a folder.
        size: Its length in bytes; that of the whole archive for a folder.
        position: Its place among the archive's containers.
        total: Number of the archive's containers, so that a later step can tell
            whether all of them have arrived.
        outer: How the tar ends that the container lies in, for it has no table of
            its own; of a flat archive, as one that has nothing to tell.
        file: The file or folder that it is, beneath the archive's folder; empty where
            it lies in the archive's own file.
        folder: Path in the archive of the folder that it is; empty for no folder.
    """

    name: str
    offset: int
    size: int
    position: int
    total: int
    outer: TarEnd = USUAL_END
    file: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ContainerBatch:
    """Containers of one archive that one worker walks together.

    Attributes:
        archive: The archive they lie in.
        first: The first one's position among the archive's containers.
        containers: In archive order.
        index: The saved index that lists their members already, if there is one.
        others: What the same file is for besides: images of other splits.
    """

    archive: Archive
    first: int
    containers: tuple[Container, ...]
    index: str | None = None
    others: tuple[Archive, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """How many members of a container are no images, by reason.

    Attributes:
        directories: Directories.
        links: Links to directories, and special files.
        leftovers: What editors and operating systems leave behind.
        others: Files of other kinds, by their extensions.
    """

    directories: int = 0
    links: int = 0
    leftovers: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class MemberTable:
    """The members of one container.

    Attributes:
        archive: The archive they lie in.
        container: The container.
        members: Rows of ``MEMBER_SCHEMA`` in archive order.
        skipped: What the container held besides.
        end: How the container ends.
    """

    archive: Archive
    container: Container
    members: pa.Table
    skipped: Skipped = field(default_factory=Skipped)
    end: TarEnd = USUAL_END


@dataclass(frozen=True, slots=True)
class ListedContainer:
    """A container whose members are listed, without their table.

    Attributes:
        container: The container.
        rows: Number of its members.
        skipped: What it held besides.
        end: How it ends.
    """

    container: Container
    rows: int
    skipped: Skipped = field(default_factory=Skipped)
    end: TarEnd = USUAL_END


@dataclass(frozen=True, slots=True)
class MemberBatch:
    """The members of several containers in one table: a step of Arrow's for all.

    Attributes:
        archive: The archive they lie in.
        containers: The containers in archive order; their rows follow one another.
        members: Rows of ``MEMBER_SCHEMA`` in archive order.
    """

    archive: Archive
    containers: tuple[ListedContainer, ...]
    members: pa.Table

    @classmethod
    def of(cls, archive: Archive, tables: Iterable[MemberTable]) -> Self:
        """Returns the containers of an archive together."""
        tables = tuple(tables)
        listed = (
            ListedContainer(
                table.container, table.members.num_rows, table.skipped, table.end
            )
            for table in tables
        )
        rows = [MEMBER_SCHEMA.empty_table(), *(table.members for table in tables)]
        return cls(archive, tuple(listed), pa.concat_tables(rows).combine_chunks())

    def tables(self) -> Iterator[MemberTable]:
        """Yields each container by itself, its members as a slice."""
        for part in self.parts():
            (each,) = part.containers
            yield MemberTable(
                *(self.archive, each.container, part.members, each.skipped, each.end)
            )

    def parts(self, most: int = -1) -> Iterator[Self]:
        """Yields consecutive containers together, with slices of the members.

        Args:
            most: Rows of a part that has several containers; by default each is one.
        """
        first = start = stop = 0
        for position, each in enumerate(self.containers):
            if position > first and stop - start + each.rows > most:
                yield self._part(slice(first, position), start, stop)
                first, start = position, stop
            stop += each.rows
        if self.containers:
            yield self._part(slice(first, None), start, stop)

    def _part(self, containers: slice, start: int, stop: int) -> Self:
        members = self.members.slice(start, stop - start)
        return replace(self, containers=self.containers[containers], members=members)

    def filter(self, keep: npt.NDArray[np.bool_]) -> Self:
        """Returns all containers with the members that a mask keeps."""
        rows = count_kept([each.rows for each in self.containers], keep)
        pairs = zip(self.containers, rows, strict=True)
        listed = tuple(replace(each, rows=count) for each, count in pairs)
        members = self.members.filter(pa.array(keep))
        return replace(self, containers=listed, members=members)

    def for_members(self, values: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns for each member what its container has of some values."""
        return np.repeat(np.asarray(values), [each.rows for each in self.containers])

    def container_names(self) -> pa.Array:
        """Returns the name of each member's container."""
        names = pa.array([each.container.name for each in self.containers], pa.string())
        return names.take(pa.array(self.for_members(np.arange(len(names)))))


def count_kept(rows: Sequence[int], keep: npt.NDArray[np.bool_]) -> list[int]:
    """Returns how many rows a mask keeps of each container.

    Args:
        rows: How many rows each has; they follow one another.
        keep: Whether each row is kept.
    """
    ends = np.cumsum([0, *rows])
    kept: list[int] = np.diff(np.concatenate([[0], np.cumsum(keep)])[ends]).tolist()
    return kept


_CONTAINERS_PER_BATCH: Final = 64  # fills a disk's queue, and is few enough to spread


def batch_containers(
    archive: Archive,
    containers: tuple[Container, ...],
    index: str | None,
    others: tuple[Archive, ...] = (),
) -> list[ContainerBatch]:
    """Returns an archive's containers in batches that are worth sending to a worker.

    Args:
        archive: The archive.
        containers: All of its containers.
        index: The saved index that lists their members, if there is one.
        others: The same file, for other splits.
    """
    return [
        ContainerBatch(
            archive,
            first,
            containers[first : first + _CONTAINERS_PER_BATCH],
            index,
            others,
        )
        for first in range(0, len(containers), _CONTAINERS_PER_BATCH)
    ]
