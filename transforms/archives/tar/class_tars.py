"""Folders of class tars: the training archive, of which only the inner tars are left.

Each tar is a container, named as its file is, without ``.tar``. In the rows of
``MEMBER_SCHEMA``, ``file`` is the name of the tar, ``offset`` counts in it, and
``detail`` is its size in bytes and its generation, with a space between: an image is
read only from a tar that is still as it was listed.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Final

import pyarrow as pa

from transforms import storage
from transforms.archives.containers import (
    Archive,
    Container,
    MemberTable,
    Place,
)
from transforms.archives.folder import FileMembers, do_at_once, first_of_kinds
from transforms.archives.tar.form import sample_tar, walk_containers_in
from transforms.errors import StorageError
from transforms.storage import Entry, FileInfo, Part

_TAR: Final = ".tar"


def holds_class_tars(entries: Sequence[Entry], class_names: Collection[str]) -> bool:
    """Returns whether a folder holds the tar of a class.

    Args:
        entries: What lies in it.
        class_names: The names of the known classes.
    """
    return any(each.name.removesuffix(_TAR) in class_names for each in _tars(entries))


def class_tars(entries: Sequence[Entry]) -> dict[str, str]:
    """Returns the names of the tars in a folder, by that of the class of each."""
    return {each.name.removesuffix(_TAR): each.name for each in _tars(entries)}


def identify_class_tars(uri: str) -> FileInfo:
    """Returns the state of a folder of tars: a hash of what each of them is.

    The size is that of all of them.

    Raises:
        StorageError: The folder cannot be listed.
    """
    uri = storage.absolute(uri).rstrip("/")
    return _identify(uri, _tars(storage.list_entries(uri)))


def sample_class_tars(archive: Archive) -> list[str]:
    """Returns the paths of the first images in one tar for each kind of name.

    Raises:
        ArchiveError: One is damaged where it begins.
        StorageError: One cannot be read.
    """
    return [
        path
        for tar in first_of_kinds(_present_tars(archive))
        for path in sample_tar(replace(archive, file=tar))
    ]


def find_class_tars(archive: Archive) -> tuple[Container, ...]:
    """Returns each tar as a container, by the order of their names.

    Raises:
        StorageError: The folder cannot be listed, or has changed.
    """
    tars = _present_tars(archive)
    return tuple(
        Container(
            name=name.removesuffix(_TAR),
            offset=0,
            size=tar.size,
            position=position,
            total=len(tars),
            file=name,
        )
        for position, (name, tar) in enumerate(tars.items())
    )


def walk_class_tars(
    archive: Archive, containers: tuple[Container, ...]
) -> list[MemberTable]:
    """Returns the images in tars, in the tars' order.

    Raises:
        ArchiveError: One is damaged.
        StorageError: One cannot be read, or a tar of the folder has changed.
    """
    tars = _present_tars(archive)

    def walk(container: Container) -> MemberTable:
        tar = tars[container.file]
        with closing(storage.open_reader(tar)) as reader:
            (table,) = walk_containers_in(archive, reader, (container,))
        return _with_places(table, container.file, f"{tar.size} {tar.generation}")

    return do_at_once(walk, containers)


def open_class_tars(archive: Archive) -> FileMembers:
    """Opens a folder of class tars for its images to be read.

    Raises:
        StorageError: The storage cannot be reached.
    """
    return FileMembers(archive, _part_of_tar)


def _part_of_tar(root: str, place: Place) -> Part:
    size, _, generation = place.detail.partition(" ")
    tar = FileInfo(storage.join(root, place.file), int(size), generation)
    return Part(tar, place.offset, place.size)


def _with_places(table: MemberTable, file: str, detail: str) -> MemberTable:
    """Returns a table of a tar's images with where the tar lies."""
    members = table.members
    for name, value in (("file", file), ("detail", detail)):
        column = members.schema.get_field_index(name)
        values = pa.array([value] * members.num_rows, pa.string())
        members = members.set_column(column, members.schema.field(name), values)
    return replace(table, members=members)


def _present_tars(archive: Archive) -> dict[str, FileInfo]:
    """Returns the tars of a folder by name; StorageError if one has changed."""
    uri = archive.file.uri
    tars = list(_tars(storage.list_entries(uri)))
    if _identify(uri, tars) != archive.file:
        raise StorageError(
            f"{uri} has changed since the build began: a tar in it was added, removed "
            "or modified. Rerun when it is at rest."
        )
    return {
        tar.name: FileInfo(storage.join(uri, tar.name), tar.size or 0, tar.generation)
        for tar in tars
    }


def _identify(uri: str, tars: Iterable[Entry]) -> FileInfo:
    tars = list(tars)
    state = "\0".join(
        f"{name}\0{size}\0{generation}" for name, size, generation in tars
    )
    digest = hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()
    return FileInfo(uri, sum(tar.size or 0 for tar in tars), digest)


def _tars(entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        hidden = entry.name.startswith(".")
        if entry.size is not None and entry.name.endswith(_TAR) and not hidden:
            yield entry
