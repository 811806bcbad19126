"""Reads byte ranges and publishes files.

Everything that touches a file of the user's goes through here, so that a step never
asks where a file lies. Two rules hold for every kind of storage: a read returns
exactly the bytes asked for or raises, and a file appears under its name whole or not
at all.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from transforms.direct import DirectFile, claim
from transforms.errors import StorageError
from transforms.local import LocalReader, explain

UNFINISHED_SUFFIX = ".unfinished"

_COPY_SIZE = 1 << 20  # bytes at a time


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
    """Reads ranges of one file; may be shared by threads.

    Attributes:
        ahead: How many ranges are worth announcing at a time.
    """

    @property
    def ahead(self) -> int: ...  # noqa: D102

    def read(self, offset: int, size: int) -> bytes:
        """Returns exactly ``size`` bytes from ``offset``, or raises StorageError."""
        ...

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Returns the bytes of each (offset, size), read at once where that helps."""
        ...

    def prefetch(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Announces ranges, each of which is going to be read soon, by itself."""
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


class Publication:
    """A file that is being published, and the hash of what was written to it."""

    def __init__(self, sink: Sink) -> None:
        """Begins with an empty file."""
        self._sink = sink
        self._hash = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        """Appends bytes; returns their number."""
        self._hash.update(data)
        return self._sink.write(data)

    def tell(self) -> int:
        """Returns the number of bytes appended so far."""
        return self._sink.tell()

    def sha256(self) -> str:
        """Returns the SHA-256 of the bytes appended so far, in hexadecimal digits."""
        return self._hash.hexdigest()


@contextmanager
def publish(uri: str) -> Iterator[Publication]:
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
    temporary = _hidden(path)
    try:
        with closing(DirectFile(temporary)) as file:
            yield Publication(file)
            file.sync()
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise explain(error, "write", str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def publish_staged(uri: str) -> Iterator[tuple[str, Publication]]:
    """Gives a local path to write to; what is written there is then published.

    For libraries that open their files themselves. The copy costs less than it saves:
    the staged file is gone before the system writes it to the disk.

    Args:
        uri: The final name; its directory exists.

    Yields:
        The path of a new name, beside the final one; and the file that is published,
        which is empty until the block ends.

    Raises:
        StorageError: The file can't be written, synced or renamed.
    """
    staged = _hidden(local_path(uri))
    try:
        with publish(uri) as final, staged.open("xb") as claimed:
            claim(claimed.fileno())
            yield str(staged), final
            with open_file(str(staged)) as file:
                while piece := file.read(_COPY_SIZE):
                    final.write(piece)
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)


def sha256(uri: str) -> str:
    """Returns the SHA-256 of a file, in hexadecimal digits.

    Raises:
        StorageError: The file can't be read.
    """
    digest = hashlib.sha256()
    with open_file(uri) as file:
        while piece := file.read(_COPY_SIZE):
            digest.update(piece)
    return digest.hexdigest()


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


def base_name(uri: str) -> str:
    """Returns the last part of a URI."""
    return uri.rstrip("/").rpartition("/")[2]


def join(directory: str, *names: str) -> str:
    """Returns the URI of a name beneath a directory."""
    return "/".join((directory.rstrip("/"), *names))


def _hidden(path: Path) -> Path:
    """Returns a new name beside a path for a file that is not whole yet."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED_SUFFIX}")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
