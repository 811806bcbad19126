"""Tars of images: of one tar for each class, of folders, or flat.

ILSVRC2012's training archive is a tar of 1000 tars, one for each class; the validation
and test archives are flat; people pack trees of folders. What a tar is shows its first
file. A tar of tars is listed by its outer headers, and its inner tars are walked a
batch at a time. Every other tar is walked as a whole, and its containers are the
folders that its images lie in.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from shlex import quote
from typing import Final, NamedTuple

from transforms import storage
from transforms.archives.containers import (
    Archive,
    Container,
    MemberTable,
    Skipped,
    member_table,
)
from transforms.archives.names import (
    ImageName,
    folder_of,
    has_image_extension,
    image_name,
    is_image,
)
from transforms.archives.tar.end import USUAL_END, TarEnd
from transforms.archives.tar.header import (
    BLOCK,
    COMPRESSIONS,
    ZERO_BLOCK,
    TarFormatError,
    checksum_matches,
)
from transforms.archives.tar.links import follow_links
from transforms.archives.tar.members import TarMember
from transforms.archives.tar.walk import TarWalk, first_files, walk_tars
from transforms.errors import ArchiveError, printable, sample
from transforms.storage import RangeReader

_TAR: Final = ".tar"
_PEEKED: Final = 3  # files; class tars may stand after a README


def is_tar(start: bytes) -> bool:
    """Returns whether a file that begins so is a tar, perhaps an empty one."""
    return len(start) == BLOCK and (start == ZERO_BLOCK or checksum_matches(start))


def sample_tar(archive: Archive) -> list[str]:
    """Returns the paths of the first files of a tar, or of the first tar in it.

    Raises:
        ArchiveError: It is damaged there.
        StorageError: It can't be read.
    """
    with closing(storage.open_reader(archive.file)) as reader:
        return sample_names(archive, reader, archive.file.size)


def find_in_tar(archive: Archive) -> tuple[Container, ...]:
    """Returns the inner tars of a tar of tars, or the tar itself.

    Raises:
        ArchiveError: It is damaged.
        StorageError: It can't be read.
    """
    with closing(storage.open_reader(archive.file)) as reader:
        return find_containers_in(archive, reader, archive.file.size)


def walk_in_tar(
    archive: Archive, containers: tuple[Container, ...]
) -> list[MemberTable]:
    """Returns the members of inner tars, or of each folder of a tar.

    Raises:
        ArchiveError: One is damaged.
        StorageError: It can't be read.
    """
    with closing(storage.open_reader(archive.file)) as reader:
        return walk_containers_in(archive, reader, containers)


def find_containers_in(
    archive: Archive, reader: RangeReader, size: int
) -> tuple[Container, ...]:
    """Returns the containers of a tar.

    Args:
        archive: The archive, for messages.
        reader: Reads the tar's bytes.
        size: Their number.

    Raises:
        ArchiveError: It is damaged, or holds images beside tars.
    """
    whole = Container("", 0, size, 0, 1)
    first = _first_files(archive, reader, whole)
    if not any(member.name.endswith(_TAR) for member in first):
        return (whole,)
    (walk,) = walk_each(archive, reader, (whole,))
    beside = [
        printable(member.name)
        for member in walk.members
        if member.kind == "file" and has_image_extension(member.name)
    ]
    if beside:
        raise ArchiveError(
            f"{archive.file.uri} holds tars and, beside them, {len(beside):,} images: "
            f"{sample(beside, 3)}. Images are taken from class tars or from folders, "
            "not from both; take one kind out."
        )
    tars, _ = _find_files(archive, whole, walk, _TAR)
    return tuple(
        Container(
            tar.name.name.removesuffix(_TAR),
            tar.member.offset,
            tar.member.size,
            position,
            len(tars),
            walk.end,
        )
        for position, tar in enumerate(tars)
    )


def sample_names(archive: Archive, reader: RangeReader, size: int) -> list[str]:
    """Returns the paths of the first files of a tar, or of the first tar in it.

    Args:
        archive: The archive, for messages.
        reader: Reads the tar's bytes.
        size: Their number.

    Raises:
        ArchiveError: It is damaged there.
    """
    first = _first_files(archive, reader, Container("", 0, size, 0, 1))
    inner = next((member for member in first if member.name.endswith(_TAR)), None)
    if inner is not None:
        stem = inner.name.rpartition("/")[2].removesuffix(_TAR)
        container = Container(stem, inner.offset, inner.size, 0, 1)
        first = _first_files(archive, reader, container)
    return [member.name for member in first]


def _first_files(
    archive: Archive, reader: RangeReader, container: Container
) -> list[TarMember]:
    with _faults_named(archive, (container,)):
        return first_files(reader.read, (container.offset, container.size), _PEEKED)


def walk_containers_in(
    archive: Archive, reader: RangeReader, containers: tuple[Container, ...]
) -> list[MemberTable]:
    """Returns the members of inner tars, or of each folder of a tar.

    Args:
        archive: The archive.
        reader: Reads the bytes that containers lie in.
        containers: Inner tars, or the whole tar alone.

    Raises:
        ArchiveError: One is damaged.
    """
    walks = walk_each(archive, reader, containers)
    tables = []
    for container, walk in zip(containers, walks, strict=True):
        files, skipped = _find_files(archive, container, walk)
        images = [file for file in files if is_image(file.name.name)]
        if not images:
            _refuse_tars(archive, container, [file.path for file in files])
        skipped = replace(skipped, others=len(files) - len(images))
        if container.name:
            tables.append(_make_table(archive, container, images, skipped, walk.end))
        else:
            tables += _by_folder(archive, container, images, skipped, walk.end)
    return tables


def _refuse_tars(archive: Archive, container: Container, paths: list[str]) -> None:
    """Raises ArchiveError where a tar holds tars that are not looked into."""
    tars = [printable(path) for path in paths if path.endswith(_TAR)]
    if tars:
        raise ArchiveError(
            f"{archive.file.uri}{_place_of(container)} holds no images, but tars: "
            f"{sample(tars, 3)}. Tars are looked into one deep; unpack the outer one."
        )


class _File(NamedTuple):
    """A file of a tar, as what it stands for where it is a link."""

    path: str
    name: ImageName
    member: TarMember


def _by_folder(
    archive: Archive,
    whole: Container,
    images: list[_File],
    skipped: Skipped,
    end: TarEnd,
) -> Iterator[MemberTable]:
    """Yields a table for each folder of a tar, the first with what was skipped."""
    folders: dict[str, list[_File]] = {}
    for image in images:
        folders.setdefault(folder_of(image.path), []).append(image)
    for position, (folder, files) in enumerate((folders or {"": []}).items()):
        name = storage.base_name(folder)
        container = replace(
            whole,
            name=name,
            folder=folder,
            position=position,
            total=max(len(folders), 1),
            outer=end if name else USUAL_END,
        )
        own = USUAL_END if name else end
        yield _make_table(archive, container, files, skipped, own)
        skipped = Skipped()


def _make_table(
    archive: Archive,
    container: Container,
    images: list[_File],
    skipped: Skipped,
    end: TarEnd,
) -> MemberTable:
    rows = [(*i.name, "", i.member.offset, i.member.size, "") for i in images]
    return MemberTable(archive, container, member_table(rows), skipped, end)


def _find_files(
    archive: Archive, container: Container, walk: TarWalk, end: str = ""
) -> tuple[list[_File], Skipped]:
    """Returns a tar's files, links as what they lead to, and what else there is.

    Args:
        archive: The archive.
        container: The tar.
        walk: What it holds.
        end: How the names of the files wanted end.
    """
    leads = follow_links(walk.members)
    files: list[_File] = []
    directories = links = leftovers = 0
    for position, member in enumerate(walk.members):
        if member.kind == "directory":
            directories += 1
            continue
        if member.kind == "special":
            links += 1
            continue
        name = image_name(member.name)
        if name is None:
            leftovers += 1
        elif not name.name.endswith(end):
            continue
        elif member.kind == "file":
            files.append(_File(member.name, name, member))
        else:
            lead = leads[position]
            if lead.member is None:
                raise _broken_link(archive, container, member, lead.fault)
            if lead.member.kind == "file":
                files.append(_File(member.name, name, lead.member))
            else:
                links += 1
    return files, Skipped(directories, links, leftovers)


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


def walk_each(
    archive: Archive, reader: RangeReader, containers: tuple[Container, ...]
) -> list[TarWalk]:
    """Returns all members of tars; ArchiveError names what is damaged."""
    with _faults_named(archive, containers):
        return walk_tars(
            reader.read_many,
            [(container.offset, container.size) for container in containers],
            reader.next_data,
            at_once=reader.at_once,
            read_on=reader.read_on,
        )


@contextmanager
def _faults_named(
    archive: Archive, containers: tuple[Container, ...]
) -> Iterator[None]:
    """Raises what is wrong with a tar as an error that names the archive."""
    try:
        yield
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


def refuse_compressed(uri: str, start: bytes) -> None:
    """Raises ArchiveError where a file that should be a tar is compressed.

    Args:
        uri: The file.
        start: Its first bytes.
    """
    for magic, name, unpack in COMPRESSIONS:
        if start.startswith(magic):
            packed = storage.base_name(uri)
            stem, _, end = packed.rpartition(".")
            unpacked = f"{(stem or end).removesuffix('.tar')}.tar"
            if unpacked == packed:
                unpacked = f"{stem}.unpacked.tar"
            raise ArchiveError(
                f"{uri} is compressed with {name}, of which no part can be read by "
                f"itself. Unpack it ({unpack} {printable(quote(packed))} > "
                f"{printable(quote(unpacked))}) and rerun."
            )
