"""Reads byte ranges and publishes files.

Everything that touches a file of the user's goes through here, so that a step never
asks where a file lies. Two rules hold for every kind of storage: a read returns
exactly the bytes asked for or raises, and a file appears under its name whole or not
at all.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from transforms.direct import DirectFile
from transforms.errors import StorageError

UNFINISHED_SUFFIX = ".unfinished"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """Names one state of one file.

    Attributes:
        uri: Absolute path.
        size: Length in bytes.
        generation: Changes whenever the content does: modification time in ns.
    """

    uri: str
    size: int
    generation: str


class RangeReader(Protocol):
    """Reads ranges of one file; may be shared by threads."""

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly ``size`` bytes from ``offset``, or raises StorageError."""
        ...

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns the bytes of each (offset, size), read at once where that helps."""
        ...

    def prefetch(self, offset: int, size: int) -> None:
        """Announces a range that is going to be read soon."""
        ...

    def close(self) -> None:
        """Releases the file."""
        ...


class LocalReader:
    """Reads ranges of a local file with ``pread``."""

    def __init__(self, uri: str) -> None:
        """Opens the file.

        Args:
            uri: Path of an existing file.

        Raises:
            StorageError: The file can't be opened.
        """
        self._uri = uri
        try:
            self._descriptor = os.open(uri, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _explain(error, "open", uri) from error
        # Without this the kernel reads ahead 128 KiB at every header, which on an
        # archive of 110 KB members means reading all of it.
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly ``size`` bytes from ``offset``, or raises StorageError."""
        try:
            data = os.pread(self._descriptor, size, offset)
            while len(data) < size:
                more = os.pread(self._descriptor, size - len(data), offset + len(data))
                if not more:
                    raise StorageError(
                        f"{self._uri} ends at byte {offset + len(data):,}, but "
                        f"{size:,} bytes from {offset:,} were expected. The file is "
                        "truncated or has changed; get it whole and rerun."
                    )
                data += more
        except OSError as error:
            raise _explain(error, "read", self._uri) from error
        return data

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns the bytes of each range; the disk looks for all of them at once.

        Announcing a batch of cold headers before reading them is faster than sixteen
        threads that read one each, and no thread waits for the GIL.
        """
        if len(ranges) > 1:
            for offset, size in ranges:
                self.prefetch(offset, size)
        return [self.read(offset, size) for offset, size in ranges]

    def prefetch(self, offset: int, size: int) -> None:
        """Asks the kernel to start reading a range into the page cache."""
        os.posix_fadvise(self._descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


def local_path(uri: str) -> Path:
    """Returns the local path that a URI names.

    Raises:
        StorageError: The URI has a scheme; only local paths are supported.
    """
    if "://" in uri:
        raise StorageError(
            f"{uri}: only local paths are supported, not {uri.split('://')[0]}://. "
            "Copy the file to a local or mounted directory."
        )
    return Path(uri).expanduser()


def file_info(uri: str) -> FileInfo:
    """Returns what identifies the present state of a file.

    Raises:
        StorageError: There is no such file, or it can't be examined.
    """
    path = local_path(uri)
    try:
        status = path.stat()
    except OSError as error:
        raise _explain(error, "find", str(path)) from error
    return FileInfo(str(path.absolute()), status.st_size, str(status.st_mtime_ns))


def exists(uri: str) -> bool:
    """Returns whether there is a file of that name."""
    return local_path(uri).is_file()


def open_reader(file: FileInfo) -> RangeReader:
    """Opens a file for range reads.

    Raises:
        StorageError: The file can't be opened, or is not the one that was indexed.
    """
    now = file_info(file.uri)
    if now != file:
        raise StorageError(
            f"{file.uri} has changed since the build began: it had {file.size:,} "
            f"bytes, now {now.size:,}, or was modified. Rerun when it is at rest."
        )
    return LocalReader(file.uri)


def read_bytes(uri: str) -> bytes:
    """Returns a whole, small file.

    Raises:
        StorageError: The file can't be read.
    """
    path = local_path(uri)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _explain(error, "read", str(path)) from error


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory, sorted; none where there is no directory."""
    try:
        return sorted(os.listdir(local_path(directory)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _explain(error, "list", directory) from error


def make_directory(uri: str) -> None:
    """Makes a directory and its parents where they are missing.

    Raises:
        StorageError: It can't be made.
    """
    try:
        local_path(uri).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explain(error, "make the directory", uri) from error


def remove(uri: str) -> None:
    """Removes a file if it is there.

    Raises:
        StorageError: It is there and can't be removed.
    """
    try:
        local_path(uri).unlink(missing_ok=True)
    except OSError as error:
        raise _explain(error, "remove", uri) from error


def remove_tree(uri: str) -> None:
    """Removes a directory with all it holds, if it is there.

    Raises:
        StorageError: It is there and can't be removed.
    """
    try:
        shutil.rmtree(local_path(uri))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _explain(error, "remove", uri) from error


class Sink(Protocol):
    """A file that is being written front to back."""

    def write(self, data: bytes, /) -> int:
        """Appends bytes; returns their number."""
        ...

    def tell(self) -> int:
        """Returns the number of bytes appended so far."""
        ...


@contextmanager
def publish(uri: str) -> Iterator[Sink]:
    """Opens a file for writing that appears under its name only when it is whole.

    The bytes go to a hidden name in the same directory, reach the disk, and are then
    renamed. Where the block raises, nothing is left. Two writers of one name do not
    disturb each other: the last rename wins.

    Args:
        uri: The final name; its directory exists.

    Yields:
        The file.

    Raises:
        StorageError: The file can't be written, synced or renamed.
    """
    path = local_path(uri)
    token = secrets.token_hex(4)
    temporary = path.with_name(f".{path.name}.{token}{UNFINISHED_SUFFIX}")
    try:
        with closing(DirectFile(temporary)) as file:
            yield file
            file.sync()
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise _explain(error, "write", str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def publish_bytes(uri: str, data: bytes) -> None:
    """Writes a small file so that it appears whole or not at all.

    Raises:
        StorageError: The file can't be written.
    """
    with publish(uri) as file:
        file.write(data)


def is_unfinished(name: str) -> bool:
    """Returns whether a file name is the hidden one of an unpublished file."""
    return name.startswith(".") and name.endswith(UNFINISHED_SUFFIX)


def join(directory: str, *names: str) -> str:
    """Returns the URI of a name beneath a directory."""
    return "/".join((directory.rstrip("/"), *names))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: OSError, action: str, uri: str) -> StorageError:
    """Returns the error to raise instead of an OSError, with what to do about it."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            advice = "No space is left there. Free some, or choose another --data_dir."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            advice = "Check the permissions, or choose another directory."
        case errno.ENOENT:
            advice = "There is no such file or directory."
        case errno.ENOTDIR | errno.EEXIST:
            advice = "A file stands where a directory is needed."
        case errno.EISDIR:
            advice = "A directory stands where a file is needed."
        case _:
            advice = f"The system says: {error.strerror}."
    return StorageError(f"Can't {action} {uri}. {advice}")
