"""Reads byte ranges and publishes files.

Every access to a user's file goes through here, so that no step depends on where a file
lies. Two rules hold for every kind of storage: a read returns exactly the requested
bytes or raises an error, and a file appears under its name whole or not at all.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, BinaryIO, Final

from transforms.errors import StorageError
from transforms.extras import install_line
from transforms.storage import hashes, local
from transforms.storage.backend import (
    UNFINISHED_SUFFIX,
    Backend,
    Entry,
    FileInfo,
    FilesReader,
    RangeReader,
    require_same,
)
from transforms.storage.publication import Publication
from transforms.storage.uris import join, require_text

_COPY_SIZE: Final = 1 << 20  # bytes at a time


# The module of each scheme; a path has no scheme. Modules are imported when they are
# first used, because a client takes a second. Arrow opens or refuses other schemes.
_ARROW: Final = "transforms.storage.remote.arrow"
SCHEMES: Final[Mapping[str, str]] = {
    "": "transforms.storage.local",
    "gs": "transforms.storage.remote.gcs",
    "s3": _ARROW,
    "hdfs": _ARROW,
    "abfs": _ARROW,
    "file": _ARROW,
}
# The extra of this project that a scheme needs.
_EXTRAS: Final = {"gs": "gcp"}


def storage_of(uri: str) -> Any:
    """Returns the module of the storage that a URI or path lies in.

    Raises:
        StorageError: The packages are missing that a scheme needs.
    """
    scheme, found, _ = uri.partition("://")
    scheme = scheme if found else ""
    try:
        return import_module(SCHEMES.get(scheme, _ARROW))
    except ModuleNotFoundError as error:
        if scheme not in _EXTRAS:
            raise
        raise StorageError(
            f"{scheme}:// needs a package that is not installed ({error.name}). "
            f"Install it: {install_line(_EXTRAS[scheme])}"
        ) from error


def _backend(uri: str) -> Backend:
    require_text(uri)
    backend: Backend = storage_of(uri)
    return backend


def is_local(uri: str) -> bool:
    """Returns whether a URI is a path of this machine."""
    require_text(uri)
    return storage_of(uri) is local


def file_info(uri: str) -> FileInfo:
    """Returns what identifies the present state of a file.

    Raises:
        StorageError: There is no such file, or it can't be examined.
    """
    return _backend(uri).file_info(uri)


def exists(uri: str) -> bool:
    """Returns whether there is a file of that name.

    Raises:
        StorageError: The storage can't answer.
    """
    return _backend(uri).exists(uri)


def open_reader(file: FileInfo) -> RangeReader:
    """Opens a file for range reads.

    Raises:
        StorageError: The file can't be opened, or is not the one that was indexed.
    """
    now = file_info(file.uri)
    require_same(file, now.size, now.generation)
    return _backend(file.uri).open_reader(file)


def open_files(directory: str) -> FilesReader:
    """Opens the files below a directory, at any depth, to read many of them.

    Raises:
        StorageError: The storage cannot be reached.
    """
    return _backend(directory).open_files(directory)


def open_file(uri: str) -> AbstractContextManager[BinaryIO]:
    """Opens a file for reading from front to back.

    Raises:
        StorageError: The file can't be opened or read.
    """
    return _backend(uri).open_file(uri)


def read_bytes(uri: str) -> bytes:
    """Returns a whole, small file.

    Raises:
        StorageError: The file can't be read.
    """
    with open_file(uri) as file:
        return file.read()


def read_json(uri: str) -> dict[str, Any]:
    """Returns the JSON object in a small file.

    Raises:
        StorageError: The file can't be read, or does not hold a JSON object.
    """
    try:
        value = json.loads(read_bytes(uri))
    except ValueError as error:
        raise StorageError(f"{uri} is not JSON: {error}. Remove it.") from error
    if not isinstance(value, dict):
        raise StorageError(f"{uri} should hold a JSON object. Remove it.")
    return value


@contextmanager
def local_copy(uri: str) -> Iterator[str]:
    """Gives the path of a local file with the bytes of a file, copied if it is remote.

    Raises:
        StorageError: There is no such file, or it can't be copied.
    """
    if is_local(uri):
        yield file_info(uri).uri
        return
    with _staging_path(uri) as path:
        with open_file(uri) as source, publish(path) as target:
            while piece := source.read(_COPY_SIZE):
                target.write(piece)
        yield path


def free_bytes(directory: str) -> int | None:
    """Returns how many bytes fit into a directory; None where nobody can say.

    Raises:
        StorageError: It cannot be told.
    """
    return local.free_bytes(directory) if is_local(directory) else None


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory, sorted; none where there is no directory.

    Raises:
        StorageError: It can't be listed.
    """
    return sorted(_backend(directory).list_names(directory))


def list_entries(directory: str) -> Iterator[Entry]:
    """Yields what lies in a directory, one level deep, sorted by name.

    Links are followed. Where there is no such directory, nothing is yielded. On object
    storage a name with an empty part (``a//b``) is not listed.

    Raises:
        StorageError: It cannot be listed.
    """
    return _backend(directory).list_entries(directory)


def list_folders(directory: str) -> list[str]:
    """Returns the names of the directories in a directory, sorted.

    Of many files this takes less time than ``list_entries``. Links are followed.

    Raises:
        StorageError: It cannot be listed.
    """
    return sorted(_backend(directory).list_folders(directory))


def make_directory(uri: str) -> None:
    """Makes a directory and its parents where the storage has directories.

    Raises:
        StorageError: It can't be made.
    """
    _backend(uri).make_directory(uri)


def remove(uri: str) -> None:
    """Removes a file if it exists.

    Raises:
        StorageError: It exists and can't be removed.
    """
    storage_of(uri).remove(uri)  # without checking its name, which may not be ours


def remove_tree(uri: str) -> None:
    """Removes a directory with everything in it, if it exists.

    Raises:
        StorageError: It exists and can't be removed.
    """
    _backend(uri).remove_tree(uri)


@contextmanager
def publish(
    uri: str, checksum: hashes.Checksum = hashes.CHECKSUM
) -> Iterator[Publication]:
    """Opens a file for writing that appears under its name only when it is whole.

    Where the block raises, nothing is left. Two writers of one name do not disturb
    each other: the last one to end wins.

    Args:
        uri: The final name; its directory exists, where the storage has directories.
        checksum: Which hash of the file is made.

    Yields:
        The file.

    Raises:
        StorageError: The file can't be written.
    """
    with _backend(uri).publish(uri) as sink:
        publication = Publication(sink, checksum)
        yield publication
        publication.finish()


@contextmanager
def publish_staged(
    uri: str, checksum: hashes.Checksum = hashes.CHECKSUM
) -> Iterator[tuple[str, Publication]]:
    """Gives a local path to write to, and then publishes what was written there.

    For libraries that open their files themselves. On a disk the copy costs little: the
    staged file is removed before the system writes it to the disk.

    Args:
        uri: The final name; its directory exists, where the storage has directories.
        checksum: Which hash of the file is made.

    Yields:
        The path of a new file, beside the final one or in the directory of temporary
        files; and the file to publish, which is empty until the block ends.

    Raises:
        StorageError: The file can't be written.
    """
    try:
        with _staging_path(uri) as staged, publish(uri, checksum) as final:
            yield staged, final
            with open_file(staged) as file:
                while piece := file.read(_COPY_SIZE):
                    final.write(piece)
    except OSError as error:
        raise local.explain(error, "write", uri) from error


def file_digest(uri: str, checksum: hashes.Checksum = hashes.CHECKSUM) -> str:
    """Returns the digest of a file, with the hash that is asked for.

    Raises:
        StorageError: The file can't be read.
    """
    return hashes.digest_of(checksum, hash_file(uri, checksum))


def has_content(uri: str, size: int, digest: str) -> bool:
    """Returns whether a file has a length in bytes and a digest.

    Raises:
        StorageError: The file can't be read.
    """
    checksum = hashes.checksum_of(digest)
    return file_info(uri).size == size and file_digest(uri, checksum) == digest


def hash_file(uri: str, kind: str) -> str:
    """Returns a hash of a file, in hexadecimal digits.

    Args:
        uri: The file.
        kind: ``blake3``, or a name that ``hashlib`` knows.

    Raises:
        StorageError: The file can't be read.
    """
    with open_file(uri) as file:
        return hashes.hash_stream(file, kind)


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


@contextmanager
def _staging_path(uri: str) -> Iterator[str]:
    """Gives an unused local path, for a copy of a file or for one to be published."""
    if is_local(uri):
        with local.staging_path(uri) as path:
            yield path
        return
    with tempfile.TemporaryDirectory(prefix="storage-") as directory:
        yield join(directory, base_name(uri))
