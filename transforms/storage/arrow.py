"""Storage that Arrow knows: ``s3://``, ``hdfs://``, ``abfs://``, ``file://``.

Arrow's streams end as whole files even where they are given up, so a file is written
under a hidden name beside its own and then moved, as on a disk. S3 moves by a copy on
the server and a removal. Amazon's library tries a request thirteen times, with pauses
from 25 ms that double to 51 s, 102 s in all; Arrow's errors come after that.
"""

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
from pyarrow import fs

from transforms.errors import StorageError
from transforms.storage.backend import FileInfo, cut_off, hidden_name
from transforms.storage.local import explain
from transforms.storage.remote import RemoteReader, buffered_file

_S3_RETRIES: Final = 12
_S3_CONNECT_SECONDS: Final = 10
_S3_SILENT_SECONDS: Final = 30  # without a byte
_NOT_AS_WANTED: Final = (404, 409, 412)  # S3's answers where a condition does not hold
_SETTLING_SECONDS: Final = 2.0  # between writing a small file and looking at it again

# Which of S3's errors are whose fault. The names are the AWS SDK's (``CoreErrors.h``).
_REFUSALS: Final = frozenset(
    (
        *("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "INVALID_CLIENT_TOKEN_ID"),
        *("SIGNATURE_DOES_NOT_MATCH", "UNRECOGNIZED_CLIENT", "INVALID_SIGNATURE"),
        *("MISSING_AUTHENTICATION_TOKEN", "ACCOUNT_PROBLEM"),
    )
)
_PASSING: Final = frozenset(
    (
        *("NETWORK_CONNECTION", "SLOW_DOWN", "THROTTLING", "SERVICE_UNAVAILABLE"),
        *("INTERNAL_FAILURE", "REQUEST_TIMEOUT", "UNKNOWN"),
    )
)
_S3_ERROR: Final = re.compile(
    r"AWS Error (\w+)( \(HTTP[^)]*\))?(?: \[[^\]]*\])? during (\w+) operation: (.*)"
)


def file_info(uri: str) -> FileInfo:
    """Returns what identifies the present state of a file that is there."""
    filesystem, path = _locate(uri)
    with _explained("find", uri):
        found = filesystem.get_file_info(path)
        if found.type != fs.FileType.File:
            _require_bucket(uri)
            raise explain(_missing(found.type), "find", uri)
        with filesystem.open_input_file(path) as file:
            tag = file.metadata().get("ETag", b"").decode()
    return FileInfo(uri, found.size, "-".join(filter(None, (str(found.mtime_ns), tag))))


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
    filesystem, path = _locate(directory)
    with _explained("list", directory):
        found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        if not found:
            _require_bucket(directory)
    return [file.base_name for file in found]


def make_directory(uri: str) -> None:
    """Makes a directory and its parents; S3 has none."""
    filesystem, path = _locate(uri)
    if filesystem.type_name != "s3":
        with _explained("make the directory", uri):
            filesystem.create_dir(path, recursive=True)


def remove(uri: str) -> None:
    """Removes a file if it is there."""
    filesystem, path = _locate(uri)
    with _explained("remove", uri):
        try:
            filesystem.delete_file(path)
        except FileNotFoundError:
            _require_bucket(uri)


def remove_tree(uri: str) -> None:
    """Removes a directory with all it holds, if it is there."""
    filesystem, path = _locate(uri)
    with _explained("remove", uri):
        try:
            filesystem.delete_dir(path)
        except FileNotFoundError:
            _require_bucket(uri)


def swap(uri: str, data: bytes, generation: str) -> str | None:
    """Writes a small file if it is still of a generation; empty for none there.

    S3 is asked to see to it, by boto3 where that is installed. Arrow offers no
    conditions, so of several that write at once the last one has it: each looks again
    when the others have had the time to write.
    """
    if _generation(uri) != generation:
        return None
    if uri.startswith("s3://") and (client := _conditional_s3()) is not None:
        return _swap_on_s3(client, uri, data, generation)
    with publish(uri) as file:
        file.write(data)
    time.sleep(_SETTLING_SECONDS)
    written = _generation(uri)
    with open_file(uri) as file:
        return written if file.read() == data else None


def _swap_on_s3(client: Any, uri: str, data: bytes, generation: str) -> str | None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    errors = import_module("botocore.exceptions")
    tag = generation.partition("-")[2]
    condition = {"IfMatch": tag} if generation else {"IfNoneMatch": "*"}
    try:
        put = client.put_object(Bucket=bucket, Key=key, Body=data, **condition)
    except errors.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in _NOT_AS_WANTED:
            return None
        raise StorageError(f"Cannot write {uri}. It says: {error}.") from error
    except errors.BotoCoreError as error:
        raise StorageError(f"Cannot write {uri}. It says: {error}.") from error
    written = _generation(uri)
    return written if written.partition("-")[2] == put["ETag"] else None


@cache
def _conditional_s3() -> Any:
    """Returns a client of S3 that makes conditional requests; None where there is none.

    It takes its endpoint from Amazon's variables by itself.
    """
    if find_spec("boto3") is None or not _has_s3_credentials():
        return None
    return import_module("boto3").client("s3", region_name=_s3_region())


def discard(uri: str, generation: str) -> None:
    """Removes a file if it is of a generation."""
    if _generation(uri) == generation:
        remove(uri)


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
            return _s3(authority), authority
        try:
            found: tuple[Any, str] = fs.FileSystem.from_uri(uri)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise StorageError(
                f"Can't reach {uri}. There is gs://, s3:// and what Arrow knows, such "
                f"as hdfs:// and abfs://. It says: {_first_line(error)}"
            ) from error
        return found


def _s3(bucket: str) -> fs.S3FileSystem:
    """Returns S3 as Amazon's variables describe it, for a bucket."""
    endpoint = next(
        (
            value
            for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
            if (value := os.environ.get(name))
        ),
        None,
    )
    region = _s3_region()
    where: dict[str, Any] = {}
    if endpoint:
        scheme, found, host = endpoint.rstrip("/").rpartition("://")
        where = {"endpoint_override": host, "scheme": scheme if found else "https"}
    elif not region:
        where = {"region": fs.resolve_s3_region(bucket)}
    if region:
        where["region"] = region
    return fs.S3FileSystem(
        anonymous=not _has_s3_credentials(),
        connect_timeout=_S3_CONNECT_SECONDS,
        request_timeout=_S3_SILENT_SECONDS,
        # Amazon's newer strategy stops trying again after a hundred times or so, of all
        # requests together.
        retry_strategy=fs.AwsDefaultS3RetryStrategy(max_attempts=_S3_RETRIES),
        background_writes=False,  # else what is not sent yet has no bound
        allow_delayed_open=True,  # a small file takes one request
        **where,
    )


def _s3_region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def _has_s3_credentials() -> bool:
    """Returns whether there is a place where Amazon's library would find some.

    Without this it asks the network for a virtual machine's, and waits.
    """
    variables = (
        *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    )
    files = (
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
    )
    try:
        machine = Path("/sys/class/dmi/id/sys_vendor").read_text()
    except OSError:
        machine = ""
    return (
        any(os.environ.get(name) for name in variables)
        or any(os.path.isfile(os.path.expanduser(name)) for name in files)
        or machine.startswith("Amazon")
    )


def _require_bucket(uri: str) -> None:
    """Raises StorageError where a URI's bucket is not there."""
    if uri.startswith("s3://"):
        _require_s3_bucket(uri.removeprefix("s3://").partition("/")[0])


@cache
def _require_s3_bucket(bucket: str) -> None:
    filesystem, root = _filesystem("s3", bucket)
    if filesystem.get_file_info(root).type == fs.FileType.NotFound:
        raise StorageError(f"There is no bucket s3://{bucket}.")


def _missing(kind: fs.FileType) -> OSError:
    """Returns the system's error for what is no file."""
    found = errno.EISDIR if kind == fs.FileType.Directory else errno.ENOENT
    return OSError(found, os.strerror(found))


@contextmanager
def _explained(action: str, uri: str) -> Iterator[None]:
    """Raises StorageError in place of what Arrow raises."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise explain(error, action, uri) from error
        raise StorageError(f"Can't {action} {uri}. {_advice(error)}") from error


def _advice(error: OSError) -> str:
    """Returns what to do about an error that the system did not number."""
    found = _S3_ERROR.search(str(error))
    if found is None:
        return f"It says: {_first_line(error)}."
    name, status, operation, told = found.groups()
    words = name.lower().replace("_", " ") + (status or "")
    reason = ": ".join(filter(None, (f"{words} in {operation}", told.rstrip("."))))
    if name == "NO_SUCH_BUCKET":
        return "There is no such bucket."
    if name in _REFUSALS:
        return (
            f"Check AWS_ACCESS_KEY_ID and what else gives credentials, and its "
            f"permissions: {reason}."
        )
    if name in _PASSING:
        return (
            f"It was tried {_S3_RETRIES + 1} times; the last answer was: {reason}. "
            "Rerun when the storage answers."
        )
    return f"The storage says: {reason}."


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
