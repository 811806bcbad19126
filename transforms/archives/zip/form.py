"""Zips of images: one of all splits as Kaggle has it, of class folders, or flat.

A zip is listed as a whole, by its directory, and its containers are the folders that
its images lie in. ``offset`` of an image is that of its local header, and ``detail``
what else its reader needs, as text::

    METHOD SPAN COMPRESSED CRC NAME_CRC

with the columns of ``directory.ZIP_SCHEMA``, the two sums in hexadecimal digits.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

import numpy as np
import pyarrow as pa

from transforms import storage
from transforms.archives.containers import (
    MEMBER_SCHEMA,
    Archive,
    Container,
    MemberTable,
    Place,
    Skipped,
)
from transforms.archives.names import folder_of, image_name, is_image, normal_path
from transforms.archives.zip.directory import Wanted, ZipListing, list_zip
from transforms.archives.zip.member import ZipMember, read_member
from transforms.archives.zip.records import (
    END_SIGNATURE,
    LOCAL_SIGNATURE,
    ZipFormatError,
)
from transforms.errors import ArchiveError, printable

# Bytes of one image. It is held in memory whole, and deflate makes up to a thousand
# bytes of one: a larger one is taken for a bomb.
LARGEST_IMAGE: Final = 1 << 28
_DAMAGED: Final = (
    "Compare its size and checksum with the published ones and get it again."
)


def is_zip(start: bytes) -> bool:
    """Returns whether a file that begins so is a zip, perhaps an empty one."""
    return start.startswith((LOCAL_SIGNATURE, END_SIGNATURE))


def sample_zip(archive: Archive) -> list[str]:
    """Returns the path of one image of each folder, and of each kind of name in it.

    Raises:
        ArchiveError: The zip is damaged, or of a kind that can't be read in place.
        StorageError: It can't be read.
    """
    seen: set[str] = set()

    def is_new(path: str) -> bool:
        # Without the number at the end: n01440764_36, ILSVRC2012_val_00000001.
        kind = path.rpartition("_")[0] or path.rpartition("/")[0]
        name = None if kind in seen else image_name(path)
        if name is None or not is_image(name.name):
            return False
        seen.add(kind)
        return True

    listing = _list(
        archive, lambda paths: pa.array(map(is_new, paths.to_pylist()), pa.bool_())
    )
    sampled: list[str] = listing.members["name"].to_pylist()
    return sampled


def find_in_zip(archive: Archive) -> tuple[Container, ...]:
    """Returns the zip as its only container, until it is listed."""
    return (Container("", 0, archive.file.size, 0, 1),)


def walk_in_zip(
    archive: Archive, containers: tuple[Container, ...]
) -> list[MemberTable]:
    """Returns the images of each folder of a zip, the first with what was skipped.

    Args:
        archive: The archive.
        containers: The whole zip.

    Raises:
        ArchiveError: It is damaged, or of a kind that can't be read in place.
        StorageError: It can't be read.
    """
    leftovers = 0

    def are_images(paths: pa.StringArray) -> pa.BooleanArray:
        nonlocal leftovers
        names = [image_name(path) for path in paths.to_pylist()]
        leftovers += names.count(None)
        kept = [name is not None and is_image(name.name) for name in names]
        return pa.array(kept, pa.bool_())

    listing = _list(archive, are_images)
    skipped = Skipped(
        directories=listing.directories,
        leftovers=leftovers,
        others=listing.files - listing.members.num_rows - leftovers,
    )
    members = listing.members.combine_chunks()
    del listing
    folders = _by_folder(members)
    tables = []
    for position, (folder, rows) in enumerate(folders.items()):
        container = Container(
            name=storage.base_name(folder),
            offset=0,
            size=archive.file.size,
            position=position,
            total=len(folders),
            folder=folder,
        )
        table = _member_rows(archive, members.take(rows))
        tables.append(MemberTable(archive, container, table, skipped))
        skipped = Skipped()
    return tables


def file_in_zip(archive: Archive, path: str) -> bytes | None:
    """Returns a file of a zip; None where there is none of the path.

    Raises:
        ArchiveError: The zip is damaged, or of a kind that can't be read in place.
        StorageError: It can't be read.
    """

    def is_wanted(paths: pa.StringArray) -> pa.BooleanArray:
        kept = [normal_path(each) == path for each in paths.to_pylist()]
        return pa.array(kept, pa.bool_())

    listed = _list(archive, is_wanted).members.to_pylist()
    if not listed:
        return None
    found = {key: listed[-1][key] for key in ZipMember._fields}
    member = ZipMember(**found)
    with closing(storage.open_reader(archive.file)) as reader, _faults_named(archive):
        return read_member(reader.read(member.offset, member.span), member)


class ZipMembers:
    """Images that lie in a zip, each read by one range and checked."""

    def __init__(self, archive: Archive) -> None:
        """Opens the archive, or raises StorageError."""
        self._archive = archive
        self._reader = storage.open_reader(archive.file)

    @property
    def ahead(self) -> int:
        """How many places are worth announcing at a time."""
        return self._reader.ahead

    def prefetch(self, places: Sequence[Place]) -> None:
        """Announces images that are going to be read soon."""
        members = map(_member_at, places)
        self._reader.prefetch([(member.offset, member.span) for member in members])

    def read(self, place: Place) -> bytes:
        """Returns an image's bytes.

        Raises:
            ArchiveError: They are not those that the zip's directory describes.
            StorageError: They can't be read, or have changed.
        """
        member = _member_at(place)
        data = self._reader.read(member.offset, member.span)
        with _faults_named(self._archive):
            return read_member(data, member)

    def close(self) -> None:
        """Releases the archive."""
        self._reader.close()


def _list(archive: Archive, wanted: Wanted) -> ZipListing:
    with closing(storage.open_reader(archive.file)) as reader, _faults_named(archive):
        return list_zip(reader.read_many, archive.file.size, wanted)


def _by_folder(members: pa.Table) -> dict[str, pa.Array]:
    """Returns the rows of each folder, one without a name where there are none.

    Args:
        members: Rows of ``ZIP_SCHEMA``.
    """
    numbers: dict[str, int] = {}
    folders = np.fromiter(
        (
            numbers.setdefault(folder_of(path.as_py()), len(numbers))
            for path in members["name"]
        ),
        np.int32,
        members.num_rows,
    )
    order = np.argsort(folders, kind="stable")
    ends = np.cumsum(np.bincount(folders, minlength=1)).tolist()
    return {
        name: pa.array(order[start:end])
        for name, start, end in zip(numbers or [""], [0, *ends[:-1]], ends, strict=True)
    }


def _member_rows(archive: Archive, listed: pa.Table) -> pa.Table:
    """Returns rows of ``MEMBER_SCHEMA`` for rows of ``ZIP_SCHEMA``, all of images."""
    paths = listed["name"].to_pylist()
    names = [name for name in map(image_name, paths) if name is not None]
    sizes = listed["size"].to_numpy()
    if (sizes > LARGEST_IMAGE).any():
        row = int(sizes.argmax())
        raise ArchiveError(
            f"{archive.file.uri}: {printable(paths[row])} at byte "
            f"{listed['offset'][row].as_py():,} states {sizes[row]:,} bytes. An image "
            f"in a zip may have up to {LARGEST_IMAGE:,}; take it out of the zip."
        )
    keys = ("method", "span", "compressed", "crc", "name_crc")
    numbers = zip(*(listed[key].to_pylist() for key in keys), strict=True)
    columns = [
        [name.name for name in names],
        [name.class_name for name in names],
        [""] * len(names),
        listed["offset"],
        listed["size"],
        [
            f"{method} {span} {compressed} {crc:08x} {name_crc:08x}"
            for method, span, compressed, crc, name_crc in numbers
        ],
    ]
    return pa.table(columns, schema=MEMBER_SCHEMA).combine_chunks()


def _member_at(place: Place) -> ZipMember:
    """Returns what the directory says of an image, from its place."""
    method, span, compressed, crc, name_crc = place.detail.split(" ")
    return ZipMember(
        offset=place.offset,
        span=int(span),
        method=int(method),
        compressed=int(compressed),
        size=place.size,
        crc=int(crc, 16),
        name_crc=int(name_crc, 16),
    )


@contextmanager
def _faults_named(archive: Archive) -> Iterator[None]:
    """Raises what is wrong with a zip as an error that names the archive."""
    try:
        yield
    except ZipFormatError as error:
        member = f", {printable(error.member)}," if error.member else ""
        raise ArchiveError(
            f"{archive.file.uri}{member} can't be read at byte {error.offset:,}: "
            f"{printable(error.reason)}. {error.remedy or _DAMAGED}"
        ) from error
