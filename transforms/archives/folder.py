"""Folders of images: flat ones, class folders, and trees of any depth.

The containers are the folders, each with the images that lie directly in it. A folder
is listed, with the size and the generation of every file; on object storage a request
lists a thousand, so no index is kept, and nothing in it can be out of date. An image is
read only if it is still as it was listed.

In the rows of ``MEMBER_SCHEMA``, ``file`` is the image's path beneath the archive's
folder, ``offset`` is 0, and ``detail`` is the file's generation (``storage.Entry``).

Links are followed. Folders whose names begin with a dot, and those called
``__MACOSX``, are passed over with all they hold.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Final, NamedTuple, TypeVar

import pyarrow as pa

from transforms import storage
from transforms.archives.containers import (
    Archive,
    Container,
    MemberTable,
    Place,
    Skipped,
    member_table,
)
from transforms.archives.names import (
    has_image_extension,
    image_name,
    is_called_archive,
    is_image,
)
from transforms.errors import ArchiveError, StorageError, printable
from transforms.storage import Entry, FileInfo, Part

_DEEPEST: Final = 12  # folders within each other; more are a link that leads back
_LISTINGS: Final = 16  # at once, each of which waits for an answer
_NUMBER: Final = re.compile(r"\d+")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

PartOf = Callable[[str, Place], Part]


def is_image_folder(entries: Sequence[Entry], class_names: Collection[str]) -> bool:
    """Returns whether a folder holds class folders, or more images than else.

    What else might hold images are other folders, and archives.

    Args:
        entries: What lies in it.
        class_names: The names of the known classes.
    """
    folders = [each.name for each in entries if _is_looked_into(each)]
    images = sum(map(_is_called_image, entries))
    archives = sum(is_called_archive(each.name) for each in entries)
    few = images <= len(folders) + archives
    return not few or any(name in class_names for name in folders)


def class_folders(entries: Sequence[Entry]) -> dict[str, str]:
    """Returns the names of the folders in a folder, each by itself."""
    return {each.name: each.name for each in entries if _is_looked_into(each)}


def identify_folder(uri: str) -> FileInfo:
    """Returns a folder, which has no state: each of its files has its own."""
    return FileInfo(storage.absolute(uri).rstrip("/"), 0, "")


def sample_folder(archive: Archive) -> list[str]:
    """Returns the paths of a few images, one for each kind of name.

    They are taken from the folder, and from the first one below it that has any.

    Raises:
        StorageError: It cannot be listed.
    """
    return list(_sample(archive, "", _DEEPEST))


def find_folders(archive: Archive) -> tuple[Container, ...]:
    """Returns a folder and every folder below it, each as a container.

    Raises:
        ArchiveError: There are too many within each other.
        StorageError: One cannot be listed.
    """

    def below(path: str) -> list[str]:
        return _folders_in(archive, path)

    paths = level = [""]
    for _ in range(_DEEPEST):
        level = list(chain.from_iterable(do_at_once(below, level)))
        paths = paths + level
    if level:
        raise ArchiveError(
            f"{_join(archive, level[0])} lies more than {_DEEPEST - 1} folders deep in "
            f"{archive.file.uri}. Is one of these a link that leads back? Take it out."
        )
    return tuple(
        Container(
            name=storage.base_name(path),
            offset=0,
            size=0,
            position=position,
            total=len(paths),
            file=path,
            folder=path,
        )
        for position, path in enumerate(paths)
    )


def list_folders(
    archive: Archive, containers: tuple[Container, ...]
) -> list[MemberTable]:
    """Returns the images that lie directly in folders, by the order of their names.

    Raises:
        ArchiveError: What is called an image is no file, or its name is not UTF-8.
        StorageError: A folder cannot be listed, or is gone.
    """
    return do_at_once(lambda each: _list_folder(archive, each), containers)


class FileMembers:
    """Images that lie in files beneath the archive's folder; threads may share it."""

    def __init__(self, archive: Archive, part_of: PartOf) -> None:
        """Opens the folder.

        Args:
            archive: The archive.
            part_of: Returns where an image lies, from the folder's URI and its place.

        Raises:
            StorageError: The storage cannot be reached.
        """
        self._root = archive.file.uri
        self._part_of = part_of
        self._reader = storage.open_files(self._root)

    @property
    def ahead(self) -> int:
        """How many places are worth announcing at a time."""
        return self._reader.ahead

    def prefetch(self, places: Sequence[Place]) -> None:
        """Announces images that are going to be read soon."""
        self._reader.prefetch([self._part_of(self._root, place) for place in places])

    def read(self, place: Place) -> bytes:
        """Returns an image's bytes, or raises StorageError if its file has changed."""
        return self._reader.read(self._part_of(self._root, place))

    def close(self) -> None:
        """Releases the folder."""
        self._reader.close()


def open_folder(archive: Archive) -> FileMembers:
    """Opens a folder for its images to be read.

    Raises:
        StorageError: The storage cannot be reached.
    """
    return FileMembers(archive, _whole_file)


def _whole_file(root: str, place: Place) -> Part:
    file = FileInfo(storage.join(root, place.file), place.size, place.detail)
    return Part(file, 0, place.size)


def do_at_once(do: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """Returns what a function returns for each item; threads wait for the storage."""
    with ThreadPoolExecutor(_LISTINGS) as threads:
        return list(threads.map(do, items))


def first_of_kinds(named: Mapping[str, _Item]) -> list[_Item]:
    """Returns the first of those whose names differ in their numbers alone."""
    kinds: dict[str, _Item] = {}
    for name, item in named.items():
        kinds.setdefault(_NUMBER.sub("#", name), item)
    return list(kinds.values())


class _Image(NamedTuple):
    """A row of ``MEMBER_SCHEMA``."""

    name: str
    class_name: str
    file: str
    offset: int
    size: int
    detail: str


def _list_folder(archive: Archive, container: Container) -> MemberTable:
    images: list[_Image] = []
    directories = links = leftovers = others = 0
    entry = None
    for entry in storage.list_entries(_join(archive, container.file)):
        name = image_name(entry.name)
        if entry.size is None:
            directories += 1
        elif name is None:
            leftovers += 1
        elif not is_image(name.name):
            others += 1
        elif entry.generation:
            path = f"{container.file}/{entry.name}".removeprefix("/")
            images.append(_Image(*name, path, 0, entry.size, entry.generation))
        elif has_image_extension(name.name):
            raise ArchiveError(
                f"{_join(archive, container.file, entry.name)} is called an image, but "
                "is no file, or a link that leads nowhere. Take it out or restore what "
                "it leads to."
            )
        else:
            links += 1
    if entry is None:
        _require_folder(archive, container)
    skipped = Skipped(directories, links, leftovers, others)
    return MemberTable(archive, container, _make_rows(archive, images), skipped)


def _make_rows(archive: Archive, images: list[_Image]) -> pa.Table:
    try:
        return member_table(images)
    except UnicodeEncodeError as error:
        path = printable(_join(archive, next(filter(_is_no_text, images)).file))
        raise ArchiveError(f"The name of {path} is not UTF-8. Rename it.") from error


def _is_no_text(image: _Image) -> bool:
    return any(0xD800 <= ord(letter) <= 0xDFFF for letter in image.file)


def _require_folder(archive: Archive, container: Container) -> None:
    """Raises StorageError if a folder in which nothing lies is gone."""
    if container.file:
        parent, _, name = container.file.rpartition("/")
        if name not in storage.list_folders(_join(archive, parent)):
            raise StorageError(
                f"{_join(archive, container.file)} was removed since the build began. "
                "Rerun when it is at rest."
            )


def _sample(archive: Archive, path: str, deepest: int) -> Iterator[str]:
    entries = list(storage.list_entries(_join(archive, path)))
    images = [each.name for each in entries if _is_called_image(each)]
    paths = {name: f"{path}/{name}".removeprefix("/") for name in images}
    yield from first_of_kinds(paths)
    folders = [each.name for each in entries if _is_looked_into(each)]
    for name in folders if deepest else ():
        below = f"{path}/{name}".removeprefix("/")
        found = list(_sample(archive, below, deepest - 1))
        if found:
            yield from found
            return


def _folders_in(archive: Archive, path: str) -> list[str]:
    """Returns the paths of the folders in a folder, in order."""
    return [
        f"{path}/{name}".removeprefix("/")
        for name in storage.list_folders(_join(archive, path))
        if not _is_passed_over(name)
    ]


def _is_called_image(entry: Entry) -> bool:
    named = image_name(entry.name)
    return (
        entry.size is not None and named is not None and has_image_extension(named.name)
    )


def _is_looked_into(entry: Entry) -> bool:
    return entry.size is None and not _is_passed_over(entry.name)


def _is_passed_over(folder: str) -> bool:
    return folder.startswith(".") or folder == "__MACOSX"


def _join(archive: Archive, *path: str) -> str:
    return storage.join(archive.file.uri, *filter(None, path))
