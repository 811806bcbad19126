"""The interface of every kind of storage, and the values in it."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple, Protocol

from transforms.errors import StorageError

Buffer = bytes | memoryview

UNFINISHED_SUFFIX: Final = ".unfinished"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """Identifies one state of one file.

    Attributes:
        uri: Absolute path, or URI.
        size: Length in bytes.
        generation: Changes whenever the content does: the modification time in ns of a
            local file, the generation of an object on Google Cloud Storage, the
            modification time and ETag of one on S3.
    """

    uri: str
    size: int
    generation: str


class Entry(NamedTuple):
    """Names what lies in a directory.

    Attributes:
        name: Its name there.
        size: Length in bytes; None for a directory.
        generation: As in ``FileInfo``, with which ``FilesReader`` reads the file; where
            a listing has no ETag, the modification time alone. Empty for a directory,
            and for what is neither file nor directory, such as a link that leads
            nowhere, whose size is 0.
    """

    name: str
    size: int | None
    generation: str


class Part(NamedTuple):
    """Names bytes of a file; those of all of it, most often.

    Attributes:
        file: The file, as it was listed.
        offset: Of the first byte.
        size: Number of bytes.
    """

    file: FileInfo
    offset: int
    size: int


class FilesReader(Protocol):
    """Reads many files, of each a part or all of it; may be shared by threads.

    Attributes:
        ahead: How many parts are worth announcing at a time.
    """

    @property
    def ahead(self) -> int: ...  # noqa: D102

    def prefetch(self, parts: Sequence[Part]) -> None:
        """Announces parts, each of which is going to be read soon."""
        ...

    def read(self, part: Part) -> bytes:
        """Returns bytes of a file that is still as it was listed.

        Raises:
            StorageError: It has changed, is gone, or cannot be read.
        """
        ...

    def close(self) -> None:
        """Gives up what was announced and not read."""
        ...


class RangeReader(Protocol):
    """Reads ranges of one file; may be shared by threads.

    Attributes:
        ahead: How many ranges are worth announcing at a time.
        at_once: At how many places of the file it is worth reading at a time: 1 where
            what lies between them is read, too.
        read_on: Number of bytes after a range that take no longer to get with it than
            by a request of their own.
    """

    @property
    def ahead(self) -> int: ...  # noqa: D102

    @property
    def at_once(self) -> int: ...  # noqa: D102

    @property
    def read_on(self) -> int: ...  # noqa: D102

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly ``size`` bytes from ``offset``, or raises StorageError."""
        ...

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns the bytes of each (offset, size), read together if that is faster."""
        ...

    def prefetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Announces ranges that are going to be read soon, one by one."""
        ...

    def next_data(self, offset: int) -> int:
        """Returns an offset at or after the given one, before which are only zeros.

        A file system may record holes, so that they need not be read. The given offset
        is always a valid answer; so is the file's length if only a hole follows.
        """
        ...

    def close(self) -> None:
        """Releases the file."""
        ...


class Sink(Protocol):
    """A file that is being written front to back."""

    def write(self, data: Buffer, /) -> int:
        """Appends bytes, whose buffer may be reused then; returns their number."""
        ...


class Backend(Protocol):
    """One kind of storage, implemented by a module. Failures raise StorageError."""

    def file_info(self, uri: str) -> FileInfo:
        """Returns what identifies the present state of a file that is there."""
        ...

    def exists(self, uri: str) -> bool:
        """Returns whether there is a file of that name."""
        ...

    def open_reader(self, file: FileInfo) -> RangeReader:
        """Opens a file, which is still as ``file`` says, for range reads."""
        ...

    def open_files(self, directory: str) -> FilesReader:
        """Opens the files below a directory, at any depth."""
        ...

    def open_file(self, uri: str) -> AbstractContextManager[BinaryIO]:
        """Opens a file for reading from front to back."""
        ...

    def publish(self, uri: str) -> AbstractContextManager[Sink]:
        """Opens a file for writing that appears, whole, when the block ends.

        If the block raises, nothing appears. A file of that name is replaced
        atomically; of two writers the last one to end wins.
        """
        ...

    def list_names(self, directory: str) -> list[str]:
        """Returns the names in a directory, in any order; none where there is none."""
        ...

    def list_entries(self, directory: str) -> Iterator[Entry]:
        """Yields what lies in a directory, sorted by name; nothing where there is none.

        Links are followed. A request lists a thousand.
        """
        ...

    def list_folders(self, directory: str) -> list[str]:
        """Returns the names of the directories in one, in any order; links followed."""
        ...

    def make_directory(self, uri: str) -> None:
        """Makes a directory and its parents where the storage has directories."""
        ...

    def remove(self, uri: str) -> None:
        """Removes a file if it exists."""
        ...

    def remove_tree(self, uri: str) -> None:
        """Removes a directory with everything in it, if it exists."""
        ...


class Swapping(Protocol):
    """Storage in which several processes can agree on the content of a small file."""

    def swap(self, uri: str, data: bytes, generation: str) -> str | None:
        """Writes a small file if it still has a generation; empty for no file.

        Returns:
            Its new generation; None if it has another generation, or does not exist.
        """
        ...

    def discard(self, uri: str, generation: str) -> None:
        """Removes a file if it has a generation."""
        ...


def hidden_name(name: str) -> str:
    """Returns a new, hidden name for a file that is not whole yet."""
    return f".{name}.{secrets.token_hex(4)}{UNFINISHED_SUFFIX}"


def cut_off(uri: str, end: int, offset: int, size: int) -> StorageError:
    """Returns the error to raise if a file ends before a range does."""
    return StorageError(
        f"{uri} ends at byte {end:,}, but {size:,} bytes from {offset:,} were "
        "expected. The file is truncated or has changed: get it again and rerun."
    )


def require_same(file: FileInfo, size: int, generation: str) -> None:
    """Raises StorageError where a file is no longer as it was listed.

    Args:
        file: What it was.
        size: Its length now, in bytes.
        generation: Its generation now. It may have an ETag, after a hyphen, that a
            listing lacked.
    """
    same = generation == file.generation or (
        bool(file.generation) and generation.startswith(f"{file.generation}-")
    )
    if size != file.size or not same:
        how = f"it had {file.size:,} bytes, now {size:,}, or was modified"
        raise has_changed(file, how)


def has_changed(file: FileInfo, how: str) -> StorageError:
    """Returns the error to raise if a file has changed."""
    return StorageError(
        f"{file.uri} has changed since the build began: {how}. Rerun when nothing "
        "writes to it."
    )
