"""Storage that Arrow can open: ``s3://``, ``hdfs://``, ``abfs://``, ``file://``.

Arrow's streams leave whole files even if they are abandoned, so a file is written under
a hidden name beside its own and then moved, as on a disk. S3 moves by a copy on the
server and a removal.

A generation is a modification time in ns, and if the storage has ETags, a hyphen and
the ETag. Listings have only the time, in whole seconds on S3.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from typing import Any, BinaryIO, Final

import pyarrow as pa
from pyarrow import fs

from transforms.errors import StorageError
from transforms.storage.backend import (
    Entry,
    FileInfo,
    Part,
    cut_off,
    has_changed,
    hidden_name,
    require_same,
)
from transforms.storage.local import explain
from transforms.storage.remote import s3
from transforms.storage.remote.reading import RemoteFiles, RemoteReader, buffered_file

_MODIFIED: Final = "Last-Modified"  # metadata of an open object on S3, ISO 8601
_S3_LISTED_NS: Final = 10**9  # a listing may have ms, an object's metadata has not
# Seconds between writing a small file and reading it again: as long as another process
# takes from asking for its generation to writing it.
_ON_A_DISK: Final = 0.1
_OVER_A_NETWORK: Final = 2.0


def file_info(uri: str) -> FileInfo:
    """Returns what identifies the present state of an existing file."""
    filesystem, path = _locate(uri)
    with _explained("find", uri):
        found = filesystem.get_file_info(path)
        if found.type != fs.FileType.File:
            _require_bucket(uri)
            raise explain(_missing(found.type), "find", uri)
        with filesystem.open_input_file(path) as file:
            tag = file.metadata().get("ETag", b"")
    return FileInfo(uri, found.size, _join(found.mtime_ns, tag))


def exists(uri: str) -> bool:
    """Returns whether there is a file of that name."""
    filesystem, path = _locate(uri)
    with _explained("find", uri):
        if filesystem.get_file_info(path).type == fs.FileType.File:
            return True
        _require_bucket(uri)
        return False


def open_reader(file: FileInfo) -> RemoteReader:
    """Opens a file for range reads."""
    filesystem, path = _locate(file.uri)
    with _explained("open", file.uri):
        opened = filesystem.open_input_file(path)

    def fetch(offset: int, size: int) -> bytes:
        with _explained("read", file.uri):
            data: bytes = opened.read_at(size, offset)
        if len(data) < size:
            raise cut_off(file.uri, offset + len(data), offset, size)
        return data

    return RemoteReader(file, fetch)


def open_files(directory: str) -> RemoteFiles:
    """Opens the files below a directory, to read many of them.

    Arrow asks for a file's state and then for its bytes. If it is replaced within the
    milliseconds between by another of the same size, that is not noticed.
    """
    filesystem, _ = _locate(directory)

    def fetch(part: Part) -> bytes:
        file, offset, size = part
        path = _locate(file.uri)[1]
        with _explained("read", file.uri):
            try:
                with filesystem.open_input_file(path) as opened:
                    data: bytes = opened.read_at(size, offset)
                    require_same(file, *_state(filesystem, path, opened))
            except FileNotFoundError as error:
                raise has_changed(file, "it was removed") from error
        if len(data) < size:
            raise cut_off(file.uri, offset + len(data), offset, size)
        return data

    return RemoteFiles(fetch)


@contextmanager
def open_file(uri: str) -> Iterator[BinaryIO]:
    """Opens a file for reading from front to back."""
    filesystem, path = _locate(uri)
    with _explained("read", uri):
        found = filesystem.get_file_info(path)
        if found.type != fs.FileType.File:
            _require_bucket(uri)
            raise explain(_missing(found.type), "read", uri)
    file = FileInfo(uri, found.size, "")
    with buffered_file(open_reader(file), file.size) as stream:
        yield stream


@contextmanager
def publish(uri: str) -> Iterator[Any]:
    """Opens a file for writing that appears, whole, when the block ends."""
    filesystem, path = _locate(uri)
    directory, _, name = path.rpartition("/")
    hidden = f"{directory}/{hidden_name(name)}"
    with _explained("write", uri):
        try:
            with filesystem.open_output_stream(hidden, compression=None) as stream:
                yield stream
            filesystem.move(hidden, path)
        except BaseException:
            with suppress(OSError):
                filesystem.delete_file(hidden)
            raise


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory; none where there is no directory."""
    return [entry.name for entry in list_entries(directory)]


def list_entries(directory: str) -> Iterator[Entry]:
    """Yields what lies in a directory, sorted by name; nothing if there is none."""
    filesystem, path = _locate(directory)
    with _explained("list", directory):
        found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        if not found:
            _require_bucket(directory)
    unit = _S3_LISTED_NS if filesystem.type_name == "s3" else 1
    for file in sorted(found, key=lambda file: (file.base_name, file.type)):
        if file.type == fs.FileType.Directory:
            yield Entry(file.base_name, None, "")
        elif file.type == fs.FileType.File:
            modified = file.mtime_ns - file.mtime_ns % unit
            yield Entry(file.base_name, file.size, str(modified))
        else:
            yield Entry(file.base_name, 0, "")


def list_folders(directory: str) -> list[str]:
    """Returns the names of the directories in one, in order."""
    return [entry.name for entry in list_entries(directory) if entry.size is None]


def make_directory(uri: str) -> None:
    """Makes a directory and its parents; S3 has no directories."""
    filesystem, path = _locate(uri)
    if filesystem.type_name != "s3":
        with _explained("make the directory", uri):
            filesystem.create_dir(path, recursive=True)


def remove(uri: str) -> None:
    """Removes a file if it exists."""
    _remove(uri, lambda filesystem, path: filesystem.delete_file(path))


def remove_tree(uri: str) -> None:
    """Removes a directory with everything in it, if it exists."""
    _remove(uri, lambda filesystem, path: filesystem.delete_dir(path))


def _remove(uri: str, delete: Callable[[Any, str], None]) -> None:
    filesystem, path = _locate(uri)
    with _explained("remove", uri):
        try:
            delete(filesystem, path)
        except FileNotFoundError:
            _require_bucket(uri)


def swap(uri: str, data: bytes, generation: str) -> str | None:
    """Writes a small file if it still has a generation; empty for no file.

    On S3 the server ensures that, if boto3 is installed. Arrow offers no conditional
    requests, so of several processes that write at once the last one wins: each reads
    the file again after the others had time to write.
    """
    if _generation(uri) != generation:
        return None
    if uri.startswith("s3://") and (client := s3.conditional_client()) is not None:
        tag = s3.put_if(client, uri, data, _tag(generation))
        written = _generation(uri) if tag else ""
        return written if tag and _tag(written) == tag else None
    with publish(uri) as file:
        file.write(data)
    on_a_disk = _locate(uri)[0].type_name == "local"
    time.sleep(_ON_A_DISK if on_a_disk else _OVER_A_NETWORK)
    written = _generation(uri)
    with open_file(uri) as file:
        return written if file.read() == data else None


def discard(uri: str, generation: str) -> None:
    """Removes a file if it has a generation."""
    if _generation(uri) == generation:
        remove(uri)


def _state(filesystem: Any, path: str, opened: pa.NativeFile) -> tuple[int, str]:
    """Returns the size and the generation of an open file.

    S3 gave both when it was opened.
    """
    held = opened.metadata()
    if _MODIFIED not in held:
        found = filesystem.get_file_info(path)
        return found.size or 0, _join(found.mtime_ns or 0, held.get("ETag", b""))
    modified = datetime.fromisoformat(held[_MODIFIED].decode())
    seconds = int(modified.timestamp())
    return opened.size(), _join(seconds * 10**9, held.get("ETag", b""))


def _join(modified: int, tag: bytes) -> str:
    """Returns a generation from a modification time in ns and an ETag."""
    return "-".join(filter(None, (str(modified), tag.decode())))


def _tag(generation: str) -> str:
    return generation.partition("-")[2]


def _generation(uri: str) -> str:
    return file_info(uri).generation if exists(uri) else ""


def _locate(uri: str) -> tuple[Any, str]:
    """Returns the file system that a URI names, and the path in it."""
    scheme, _, rest = uri.partition("://")
    authority, _, path = rest.partition("/")
    filesystem, root = _filesystem(scheme, authority)
    return filesystem, f"{root.rstrip('/')}/{path.rstrip('/')}"


@cache
def _filesystem(scheme: str, authority: str) -> tuple[Any, str]:
    uri = f"{scheme}://{authority}/"
    with _explained("reach", uri):
        if scheme == "s3":
            return s3.connect(authority), authority
        try:
            found: tuple[Any, str] = fs.FileSystem.from_uri(uri)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise StorageError(
                f"Can't reach {uri}. There are gs://, s3:// and what Arrow can open, "
                f"such as hdfs:// and abfs://. It says: {_first_line(error)}"
            ) from error
        return found


def _require_bucket(uri: str) -> None:
    """Raises StorageError if the bucket of a URI does not exist."""
    if uri.startswith("s3://"):
        _require_s3_bucket(uri.removeprefix("s3://").partition("/")[0])


@cache
def _require_s3_bucket(bucket: str) -> None:
    filesystem, root = _filesystem("s3", bucket)
    if filesystem.get_file_info(root).type == fs.FileType.NotFound:
        raise StorageError(f"There is no bucket s3://{bucket}.")


def _missing(kind: fs.FileType) -> OSError:
    """Returns the operating system's error for a path that is not a file."""
    found = errno.EISDIR if kind == fs.FileType.Directory else errno.ENOENT
    return OSError(found, os.strerror(found))


@contextmanager
def _explained(action: str, uri: str) -> Iterator[None]:
    """Raises StorageError instead of Arrow's errors."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise explain(error, action, uri) from error
        advice = s3.advice(error) or f"It says: {_first_line(error)}."
        raise StorageError(f"Can't {action} {uri}. {advice}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
