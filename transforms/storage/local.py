"""Local files, and advice about the errors of the operating system."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from transforms.errors import StorageError
from transforms.storage import system
from transforms.storage.backend import (
    Entry,
    FileInfo,
    Part,
    cut_off,
    has_changed,
    hidden_name,
    require_same,
)
from transforms.storage.direct import DirectFile, require_running

# A pipe would wait for its writer otherwise.
_READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class LocalReader:
    """Reads ranges of a local file with ``pread``."""

    ahead = 16  # enough to fill the queue of a disk
    at_once, read_on = 64, 0  # requests are small, and cost next to nothing

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
            raise explain(error, "open", uri) from error
        system.expect_random_reads(self._descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly ``size`` bytes from ``offset``, or raises StorageError."""
        try:
            data = os.pread(self._descriptor, size, offset)
            while len(data) < size:
                more = os.pread(self._descriptor, size - len(data), offset + len(data))
                if not more:
                    raise cut_off(self._uri, offset + len(data), offset, size)
                data += more
        except OSError as error:
            raise explain(error, "read", self._uri) from error
        return data

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns the bytes of each range; the disk gets all requests at once.

        Announcing a batch of headers that are not cached, and then reading them, is
        faster than sixteen threads that read one each, and no thread waits for the GIL.
        """
        if len(ranges) > 1:
            self.prefetch(ranges)
        return [self.read(offset, size) for offset, size in ranges]

    def prefetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Asks the kernel to start reading ranges into the page cache."""
        for offset, size in ranges:
            system.expect_read(self._descriptor, offset, size)

    def next_data(self, offset: int) -> int:
        """Returns an offset at or after the given one, before which are only zeros."""
        return system.next_data(self._descriptor, offset)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


class LocalFiles:
    """Reads parts of many local files; each read opens its file."""

    ahead = 16

    def prefetch(self, parts: Sequence[Part]) -> None:
        """Asks the kernel to start reading parts into the page cache."""
        for file, offset, size in parts:
            with suppress(OSError):  # a read reports whether the file can be read
                descriptor = os.open(file.uri, _READ_FLAGS)
                try:
                    system.expect_read(descriptor, offset, size)
                finally:
                    os.close(descriptor)

    def read(self, part: Part) -> bytes:
        """Returns bytes of a file that is still as it was listed."""
        file, offset, size = part
        try:
            descriptor = os.open(file.uri, _READ_FLAGS)
        except FileNotFoundError as error:
            raise has_changed(file, "it was removed") from error
        except OSError as error:
            raise explain(error, "open", file.uri) from error
        try:
            data = os.pread(descriptor, size, offset)
            while len(data) < size and (
                more := os.pread(descriptor, size - len(data), offset + len(data))
            ):
                data += more
            # Asked for last, so that no change goes unnoticed.
            now = os.fstat(descriptor)
        except OSError as error:
            raise explain(error, "read", file.uri) from error
        finally:
            os.close(descriptor)
        require_same(file, now.st_size, str(now.st_mtime_ns))
        if len(data) < size:
            raise cut_off(file.uri, offset + len(data), offset, size)
        return data

    def close(self) -> None:
        """Does nothing."""


def explain(error: OSError, action: str, uri: str) -> StorageError:
    """Returns the error to raise instead of an OSError, with advice."""
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
        case errno.ENOTSUP | errno.EOPNOTSUPP | errno.ENOSYS:
            advice = "The file system there cannot do that. Choose another one."
        case _:
            advice = f"The system says: {error.strerror}."
    return StorageError(f"Can't {action} {uri}. {advice}")


def file_info(uri: str) -> FileInfo:
    """Returns what identifies the present state of an existing file."""
    path = local_path(uri)
    try:
        status = path.stat()
    except OSError as error:
        raise explain(error, "find", str(path)) from error
    return FileInfo(str(path.absolute()), status.st_size, str(status.st_mtime_ns))


def exists(uri: str) -> bool:
    """Returns whether there is a file of that name."""
    try:
        return stat.S_ISREG(local_path(uri).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:  # such as a directory without permission to enter
        raise explain(error, "find", uri) from error


def open_reader(file: FileInfo) -> LocalReader:
    """Opens a file for range reads."""
    return LocalReader(file.uri)


def open_files(directory: str) -> LocalFiles:
    """Opens the files below a directory, to read many of them."""
    return LocalFiles()


@contextmanager
def open_file(uri: str) -> Iterator[BinaryIO]:
    """Opens a file for reading from front to back."""
    path = local_path(uri)
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise explain(error, "read", str(path)) from error


@contextmanager
def publish(uri: str) -> Iterator[DirectFile]:
    """Opens a file for writing that appears, whole, when the block ends.

    The bytes go to a hidden file in the same directory, which has to exist. When they
    have reached the disk, it is renamed.
    """
    path = local_path(uri)
    temporary = path.with_name(hidden_name(path.name))
    try:
        with closing(DirectFile(temporary)) as file:
            yield file
            file.sync()
        _rename(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise explain(error, "write", str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def staging_path(uri: str) -> Iterator[str]:
    """Gives the path of a new hidden file beside a file; removes it after the block."""
    path = local_path(uri)
    staged = path.with_name(hidden_name(path.name))
    try:
        require_running(staged)
        with staged.open("xb") as claimed:
            system.claim(claimed.fileno())
            yield str(staged)
    except OSError as error:
        raise explain(error, "write", str(path)) from error
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)


def free_bytes(directory: str) -> int:
    """Returns how many bytes the disk of a directory, or of one above it, has free."""
    path = local_path(directory)
    there = next((each for each in (path, *path.parents) if each.is_dir()), path)
    try:
        return shutil.disk_usage(there).free
    except OSError as error:
        raise explain(error, "examine", directory) from error


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory; none where there is no directory."""
    try:
        return os.listdir(local_path(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(error, "list", directory) from error


def list_entries(directory: str) -> Iterator[Entry]:
    """Yields what lies in a directory, sorted by name; nothing where there is none."""
    try:
        descriptor = os.open(local_path(directory), os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain(error, "list", directory) from error
    try:
        for name in sorted(os.listdir(descriptor)):
            entry = _entry(name, descriptor)
            if entry is not None:
                yield entry
    except OSError as error:
        raise explain(error, "list", directory) from error
    finally:
        os.close(descriptor)


def list_folders(directory: str) -> list[str]:
    """Returns the names of the directories in one, in any order; links followed."""
    try:
        with os.scandir(local_path(directory)) as found:
            return [entry.name for entry in found if _is_directory(entry)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(error, "list", directory) from error


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself
            return False
        raise


def _entry(name: str, directory: int) -> Entry | None:
    """Returns what has a name in a directory; None where it is gone by now."""
    try:
        status = os.stat(name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise
        # A link that leads nowhere is there, a file that was just removed is not.
        with suppress(FileNotFoundError):
            os.lstat(name, dir_fd=directory)
            return Entry(name, 0, "")
        return None
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, None, "")
    if stat.S_ISREG(status.st_mode):
        return Entry(name, status.st_size, str(status.st_mtime_ns))
    return Entry(name, 0, "")


def make_directory(uri: str) -> None:
    """Makes a directory and its parents where they are missing."""
    try:
        local_path(uri).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, "make the directory", uri) from error


def remove(uri: str) -> None:
    """Removes a file if it exists."""
    try:
        local_path(uri).unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, "remove", uri) from error


def remove_tree(uri: str) -> None:
    """Removes a directory with everything in it, if it exists."""
    try:
        shutil.rmtree(local_path(uri))
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain(error, "remove", uri) from error


def local_path(uri: str) -> Path:
    """Returns a path with the user's home in place of ``~``."""
    return Path(uri).expanduser()


def _rename(hidden: Path, path: Path) -> None:
    try:
        os.replace(hidden, path)
    except OSError as error:
        if not system.is_not_offered(error):
            raise
        raise StorageError(
            f"Can't write {path}. The file system there can't rename a file, so that "
            "none could appear whole. Choose another directory. If it is a mounted "
            "bucket, name the bucket itself (gs://, s3://)."
        ) from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        system.sync(descriptor)
    finally:
        os.close(descriptor)
