"""Single files of a tar, whatever they are: lists that lie beside images."""

from contextlib import closing

from transforms import storage
from transforms.archives.containers import Archive, Container
from transforms.archives.names import normal_path
from transforms.archives.tar.form import walk_each
from transforms.storage import RangeReader


def file_in_tar(archive: Archive, path: str) -> bytes | None:
    """Returns a file of a tar; None where there is none of the path.

    Raises:
        ArchiveError: The tar is damaged.
        StorageError: It can't be read.
    """
    with closing(storage.open_reader(archive.file)) as reader:
        return read_file_of_tar(archive, reader, archive.file.size, path)


def read_file_of_tar(
    archive: Archive, reader: RangeReader, size: int, path: str
) -> bytes | None:
    """Returns a file of a tar; None where there is none of the path.

    Args:
        archive: The archive, for messages.
        reader: Reads the tar's bytes.
        size: Their number.
        path: The file's path. Of two files of one path the later one holds, as
            unpacking has it.

    Raises:
        ArchiveError: The tar is damaged.
    """
    (walk,) = walk_each(archive, reader, (Container("", 0, size, 0, 1),))
    for member in reversed(walk.members):
        if member.kind == "file" and normal_path(member.name) == path:
            return reader.read(member.offset, member.size)
    return None
