"""Where every image lies in a tar, or in a tar of tars.

ILSVRC2012's training archive is a tar of 1000 tars, one per class; the validation and
test archives are flat. Both come down to containers, byte ranges that hold a tar of
images. Finding the containers reads the outer headers; walking them reads the inner
ones, a batch of containers at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import pyarrow as pa

from transforms import storage
from transforms.archives.links import follow_links
from transforms.archives.names import image_name
from transforms.archives.tar import TarMember, TarWalk, walk_tars
from transforms.archives.tar_end import USUAL_END, TarEnd
from transforms.archives.tar_header import COMPRESSIONS, TarFormatError
from transforms.errors import ArchiveError, printable, sample
from transforms.storage import FileInfo

Layout = Literal["nested", "flat"]

MEMBER_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),  # normalised path in the tar
        pa.field("offset", pa.int64(), nullable=False),  # of the bytes, in the file
        pa.field("size", pa.int64(), nullable=False),  # bytes
    ]
)

# Walked at once: enough for a disk to have its queue full, few enough to spread.
_CONTAINERS_PER_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive and what it is for.

    Attributes:
        split: The split its images belong to.
        file: The file, as it was when the build began.
        layout: ``nested`` for a tar of one tar per class, ``flat`` for one of images.
        layer: Of two archives of a split, the higher one's images replace those of
            the same name in the lower one.
    """

    split: str
    file: FileInfo
    layout: Layout
    layer: int = 0


@dataclass(frozen=True, slots=True)
class Container:
    """A tar of images: a flat archive as a whole, or one inner tar.

    Attributes:
        name: The inner tar's name without ``.tar``; empty for a flat archive.
        offset: Where the tar begins in the file.
        size: Its length in bytes.
        position: Its place among the archive's containers.
        total: Number of the archive's containers, so that a later step can tell
            whether all of them have arrived.
        outer: How the tar ends that the container lies in, for it has no table of
            its own; of a flat archive, as one that has nothing to tell.
    """

    name: str
    offset: int
    size: int
    position: int
    total: int
    outer: TarEnd = USUAL_END


@dataclass(frozen=True, slots=True)
class ContainerBatch:
    """Containers of one archive that one worker walks together.

    Attributes:
        archive: The archive they lie in.
        first: The first one's position among the archive's containers.
        containers: In archive order.
        index: The saved index that lists their members already, if there is one.
    """

    archive: Archive
    first: int
    containers: tuple[Container, ...]
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """How many members of a container are no images, by reason."""

    directories: int = 0
    links: int = 0
    leftovers: int = 0


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
class ArchiveLayout:
    """How the members of an archive that is laid out in one way are found.

    Attributes:
        find: Returns an archive's containers, from its outermost headers alone.
        walk: Returns the members of each of some containers, in order.
    """

    find: Callable[[Archive], tuple[Container, ...]]
    walk: Callable[[Archive, tuple[Container, ...]], list[MemberTable]]


def find_containers(archive: Archive) -> tuple[Container, ...]:
    """Returns an archive's containers, from its outermost headers alone.

    Args:
        archive: The archive. A flat one is its own, only container.

    Raises:
        ArchiveError: The archive is damaged, compressed, or is not laid out as
            ``archive.layout`` says.
        StorageError: The file can't be read.
    """
    _refuse_compression(archive)
    return LAYOUTS[archive.layout].find(archive)


def batch_containers(
    archive: Archive, containers: tuple[Container, ...], index: str | None
) -> list[ContainerBatch]:
    """Returns an archive's containers in batches that are worth sending to a worker."""
    return [
        ContainerBatch(
            archive, first, containers[first : first + _CONTAINERS_PER_BATCH], index
        )
        for first in range(0, len(containers), _CONTAINERS_PER_BATCH)
    ]


def walk_containers(batch: ContainerBatch) -> list[MemberTable]:
    """Returns the members of each container of a batch, in order.

    Raises:
        ArchiveError: A container is damaged or holds tars instead of images.
        StorageError: The file can't be read, or has changed.
    """
    return LAYOUTS[batch.archive.layout].walk(batch.archive, batch.containers)


def _whole(archive: Archive) -> tuple[Container, ...]:
    return (Container("", 0, archive.file.size, 0, 1),)


def _inner_tars(archive: Archive) -> tuple[Container, ...]:
    (whole,) = _whole(archive)
    (walk,) = _walk(archive, (whole,))
    files = [member.name for member in walk.members if member.kind == "file"]
    tars, _ = _find_files(archive, whole, walk, ".tar")
    held = sample(files, 3) if files else "no files"
    if not tars:
        raise ArchiveError(
            f"{archive.file.uri} is not the training archive: it should be a tar of "
            f"one tar per class, but holds {held}. A flat archive of "
            "images may be the validation or the test archive."
        )
    return tuple(
        Container(
            name.removesuffix(".tar"),
            member.offset,
            member.size,
            position,
            len(tars),
            walk.end,
        )
        for position, (name, member) in enumerate(tars)
    )


def _walk_tars(
    archive: Archive, containers: tuple[Container, ...]
) -> list[MemberTable]:
    walks = _walk(archive, containers)
    return [
        _member_table(archive, container, walk)
        for container, walk in zip(containers, walks, strict=True)
    ]


def _member_table(archive: Archive, container: Container, walk: TarWalk) -> MemberTable:
    """Returns what of a container's members is images."""
    files, skipped = _find_files(archive, container, walk)
    names = [name for name, _ in files]
    if names and all(name.endswith(".tar") for name in names):
        raise ArchiveError(
            f"{archive.file.uri} should be a flat archive of {archive.split} images, "
            f"but holds tars: {sample(names, 3)}. That is how the training archive is "
            "laid out; check which file is which."
        )
    offsets = [member.offset for _, member in files]
    sizes = [member.size for _, member in files]
    return MemberTable(
        archive=archive,
        container=container,
        members=pa.table([names, offsets, sizes], schema=MEMBER_SCHEMA),
        skipped=skipped,
        end=walk.end,
    )


def _find_files(
    archive: Archive, container: Container, walk: TarWalk, suffix: str = ""
) -> tuple[list[tuple[str, TarMember]], Skipped]:
    """Returns a tar's files by the names they go by, links as what they lead to.

    Args:
        archive: The archive.
        container: The tar.
        walk: What it holds.
        suffix: The end of the names wanted.
    """
    leads = follow_links(walk.members)
    files: list[tuple[str, TarMember]] = []
    skipped = {"directory": 0, "link": 0, "leftover": 0}
    for position, member in enumerate(walk.members):
        if member.kind in ("directory", "special"):
            skipped["directory" if member.kind == "directory" else "link"] += 1
            continue
        name = image_name(member.name, container.name)
        if name is None:
            skipped["leftover"] += 1
        elif not name.endswith(suffix):
            continue
        elif member.kind == "file":
            files.append((name, member))
        else:
            lead = leads[position]
            if lead.member is None:
                raise _broken_link(archive, container, member, lead.fault)
            if lead.member.kind == "file":
                files.append((name, lead.member))
            else:
                skipped["link"] += 1
    return files, Skipped(skipped["directory"], skipped["link"], skipped["leftover"])


def _broken_link(
    archive: Archive, container: Container, member: TarMember, fault: str
) -> ArchiveError:
    return ArchiveError(
        f"{archive.file.uri}{_place_of(container)}: {printable(member.name)} is a "
        f"{member.kind} to {printable(member.target)}, {fault}. Pack the archive "
        "again with the files themselves (tar --dereference --hard-dereference), or "
        "take the link out."
    )


def _place_of(container: Container) -> str:
    return f" (in {printable(container.name)}.tar)" if container.name else ""


def _walk(archive: Archive, containers: tuple[Container, ...]) -> list[TarWalk]:
    reader = storage.open_reader(archive.file)
    try:
        return walk_tars(
            reader.read_many,
            [(container.offset, container.size) for container in containers],
            reader.next_data,
        )
    except TarFormatError as error:
        inner = next(
            _place_of(container)
            for container in containers
            if container.offset <= error.offset <= container.offset + container.size
        )
        after = f" after {printable(error.member)}" if error.member else ""
        raise ArchiveError(
            f"{archive.file.uri}{inner} is damaged at byte {error.offset:,}{after}: "
            f"{error.reason}. Compare its size and checksum with the published ones "
            "and get it again."
        ) from error
    finally:
        reader.close()


def _refuse_compression(archive: Archive) -> None:
    size = min(8, archive.file.size)
    reader = storage.open_reader(archive.file)
    try:
        start = reader.read(0, size)
    finally:
        reader.close()
    for magic, name in COMPRESSIONS.items():
        if start.startswith(magic):
            raise ArchiveError(
                f"{archive.file.uri} is compressed with {name}. Members of a "
                "compressed archive can't be read in place; decompress it first."
            )


LAYOUTS: Final[Mapping[Layout, ArchiveLayout]] = {
    "nested": ArchiveLayout(_inner_tars, _walk_tars),
    "flat": ArchiveLayout(_whole, _walk_tars),
}
