"""Reads byte ranges and publishes files.

Everything that touches a file of the user's goes through here, so that a step never
asks where a file lies. Two rules hold for every kind of storage: a read returns
exactly the bytes asked for or raises, and a file appears under its name whole or not
at all.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from transforms.direct import DirectFile
from transforms.errors import StorageError
from transforms.local import LocalReader, explain

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
        raise explain(error, "find", str(path)) from error
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
        raise explain(error, "read", str(path)) from error


def read_json(uri: str) -> dict[str, Any]:
    """Returns what a small file of JSON holds, an object.

    Raises:
        StorageError: The file can't be read, or holds something else.
    """
    try:
        value = json.loads(read_bytes(uri))
    except ValueError as error:
        raise StorageError(f"{uri} is no JSON: {error}. Remove it.") from error
    if not isinstance(value, dict):
        raise StorageError(f"{uri} should hold a JSON object. Remove it.")
    return value


@contextmanager
def open_file(uri: str) -> Iterator[BinaryIO]:
    """Opens a file for reading from front to back.

    Raises:
        StorageError: The file can't be opened or read.
    """
    path = local_path(uri)
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise explain(error, "read", str(path)) from error


@contextmanager
def local_copy(uri: str) -> Iterator[str]:
    """Gives the path of a local file with a file's bytes, for those who need one.

    Raises:
        StorageError: There is no such file.
    """
    yield file_info(uri).uri


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory, sorted; none where there is no directory."""
    try:
        return sorted(os.listdir(local_path(directory)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise explain(error, "list", directory) from error


def make_directory(uri: str) -> None:
    """Makes a directory and its parents where they are missing.

    Raises:
        StorageError: It can't be made.
    """
    try:
        local_path(uri).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, "make the directory", uri) from error


def remove(uri: str) -> None:
    """Removes a file if it is there.

    Raises:
        StorageError: It is there and can't be removed.
    """
    try:
        local_path(uri).unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, "remove", uri) from error


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
        raise explain(error, "remove", uri) from error


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
    with _appearing(uri) as temporary, closing(DirectFile(temporary)) as file:
        yield file
        file.sync()


@contextmanager
def publish_path(uri: str) -> Iterator[str]:
    """Gives a local path; what is written there appears under its name when whole.

    For libraries that open their files themselves.

    Args:
        uri: The final name; its directory exists.

    Yields:
        The path to write to.

    Raises:
        StorageError: The file can't be written, synced or renamed.
    """
    with _appearing(uri) as temporary:
        yield str(temporary)
        _sync(temporary, os.O_RDWR)


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


@contextmanager
def _appearing(uri: str) -> Iterator[Path]:
    """Gives a hidden name to write to; gives that file its own where nothing raises."""
    path = local_path(uri)
    token = secrets.token_hex(4)
    temporary = path.with_name(f".{path.name}.{token}{UNFINISHED_SUFFIX}")
    try:
        yield temporary
        os.replace(temporary, path)
        _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise explain(error, "write", str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    """Waits until the disk has a file or a directory."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
