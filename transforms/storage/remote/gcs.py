"""Google Cloud Storage, ``gs://bucket/name``.

One client a process, made when the first file is looked at. Requests that fail for a
passing reason are tried again, for two minutes or as ``patience`` says. Reads are
pinned to the generation of the object that was there when the build began; an upload
appears when its last byte has arrived and its CRC-32C is right.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Final

import google.auth
from google.api_core.exceptions import (
    Forbidden,
    NotFound,
    PreconditionFailed,
    RetryError,
    Unauthorized,
)
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Blob, Client
from google.cloud.storage.fileio import BlobWriter
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

from transforms.errors import StorageError
from transforms.storage.backend import Entry, FileInfo, Part, has_changed
from transforms.storage.remote.google_errors import THEIRS, reason_of, status_of
from transforms.storage.remote.patience import patience
from transforms.storage.remote.reading import (
    REQUESTS,
    RemoteFiles,
    RemoteReader,
    buffered_file,
)

_CHUNK_SIZE: Final = 8 << 20  # bytes that an upload keeps in memory
_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"

_NO_BUCKET_LOOKUP: Final = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"


def file_info(uri: str) -> FileInfo:
    """Returns what identifies the present state of an existing file."""
    blob = _blob(uri)
    with _explained("find", uri):
        blob.reload(**_tries())
    return FileInfo(uri, blob.size, str(blob.generation))


def exists(uri: str) -> bool:
    """Returns whether there is a file of that name."""
    blob = _blob(uri)
    with _explained("find", uri):
        if blob.exists(**_tries()):
            return True
        _require_bucket(blob.bucket.name)
        return False


def open_reader(file: FileInfo) -> RemoteReader:
    """Opens a file for range reads of that generation only."""
    blob = _blob(file.uri, int(file.generation))
    return RemoteReader(
        file, lambda offset, size: _download(blob, Part(file, offset, size))
    )


def open_files(directory: str) -> RemoteFiles:
    """Opens the files below a directory, of one generation each."""

    def fetch(part: Part) -> bytes:
        blob = _blob(part.file.uri, int(part.file.generation))
        return _download(blob, part)

    return RemoteFiles(fetch)


@contextmanager
def open_file(uri: str) -> Iterator[BinaryIO]:
    """Opens a file for reading from front to back."""
    file = file_info(uri)
    with buffered_file(open_reader(file), file.size) as stream:
        yield stream


@contextmanager
def publish(uri: str) -> Iterator[BlobWriter]:
    """Opens a file for writing that appears, whole, when the block ends."""
    blob = _blob(uri)
    with _explained("write", uri):
        upload = _Upload(
            blob,
            chunk_size=_CHUNK_SIZE,
            **_tries(),
            checksum="crc32c",
        )
        try:
            yield upload
            upload.close()
        except BaseException:
            with suppress(*THEIRS):
                upload.terminate()
            raise


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory; none where there is no directory."""
    return [entry.name for entry in list_entries(directory)]


def list_entries(directory: str) -> Iterator[Entry]:
    """Yields what lies in a directory, sorted by name; nothing if there is none."""
    found = _list(directory, "items(name,size,generation),prefixes,nextPageToken")
    yield from sorted(found, key=lambda entry: (entry.name, entry.size is None))


def list_folders(directory: str) -> list[str]:
    """Returns the names of the directories in one, in any order."""
    found = _list(directory, "prefixes,nextPageToken")
    return [entry.name for entry in found if entry.size is None]


def _list(directory: str, fields: str) -> list[Entry]:
    bucket, name = _split(directory)
    prefix = f"{name}/" if name else ""
    with _explained("list", directory):
        listed = _client().list_blobs(
            bucket,
            prefix=prefix,
            delimiter="/",
            fields=fields,
            **_tries(),
        )
        found = [
            Entry(blob.name.removeprefix(prefix), blob.size, str(blob.generation))
            for blob in listed
        ]
        for below in listed.prefixes:
            found.append(Entry(below.removeprefix(prefix).removesuffix("/"), None, ""))
    # Some tools mark a directory by an empty object of its name and a slash.
    return [entry for entry in found if entry.name]


def make_directory(uri: str) -> None:
    """Does nothing: a directory is only a prefix of names."""


def remove(uri: str) -> None:
    """Removes a file if it exists."""
    with _explained("remove", uri):
        _delete(_blob(uri))


def remove_tree(uri: str) -> None:
    """Removes every file whose name begins with that of a directory."""
    bucket, name = _split(uri)
    with _explained("remove", uri):
        for blob in _client().list_blobs(bucket, prefix=f"{name}/", **_tries()):
            _delete(blob)


def swap(uri: str, data: bytes, generation: str) -> str | None:
    """Writes a small file if it still has a generation; empty for no file."""
    blob = _blob(uri)
    with _explained("write", uri):
        try:
            blob.upload_from_string(
                data,
                if_generation_match=int(generation or 0),
                **_tries(),
                checksum="crc32c",
            )
        except PreconditionFailed:
            return None
    return str(blob.generation)


def discard(uri: str, generation: str) -> None:
    """Removes a file if it has a generation."""
    with _explained("remove", uri), suppress(NotFound, PreconditionFailed):
        _blob(uri).delete(if_generation_match=int(generation), **_tries())


class _Upload(BlobWriter):  # type: ignore[misc]
    """An upload that Python does not finish when it frees it, unlike an open file."""

    def __del__(self) -> None:
        pass


def _download(blob: Blob, part: Part) -> bytes:
    """Returns bytes of an object of its generation; those of an empty one, too."""
    file, offset, size = part
    of_all = not file.size  # of which there is no range
    ends = {} if of_all else {"start": offset, "end": offset + size - 1}
    tries = _tries()

    def request() -> bytes:
        data: bytes = blob.download_as_bytes(
            **ends,
            raw_download=True,
            checksum=None,  # a range has none
            timeout=tries["timeout"],
            retry=None,
        )
        if len(data) != size:
            raise ConnectionError(f"{len(data):,} bytes of {size:,} arrived")
        return data

    with _explained("read", file.uri):
        try:
            data: bytes = tries["retry"](request)()
            return data
        except (NotFound, PreconditionFailed) as error:
            how = "it was replaced or removed"
            raise has_changed(file, how) from error


def _delete(blob: Blob) -> None:
    with suppress(NotFound):
        blob.delete(**_tries())


def _split(uri: str) -> tuple[str, str]:
    """Returns the bucket and the name in a URI."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name.rstrip("/")


def _blob(uri: str, generation: int | None = None) -> Blob:
    bucket, name = _split(uri)
    if not bucket or not name:
        raise StorageError(f"{uri} names no file: expected gs://bucket/name.")
    return Blob(name, _client().bucket(bucket), generation=generation)


@cache
def _tries() -> dict[str, Any]:
    """Returns the arguments of a request that say how long it is tried.

    What is tried again: statuses 408, 429 and 5xx, lost connections, time-outs. Pauses
    are drawn at random from up to twice the last one.
    """
    seconds = patience().seconds
    return {
        "timeout": (patience().connect, patience().silent),
        "retry": DEFAULT_RETRY.with_delay(0.5, 20, 2).with_timeout(seconds),
    }


@cache
def _client() -> Client:
    """Returns the client that all threads of the process share."""
    # Unasked, Google's library looks the bucket up to name it in traces.
    os.environ.setdefault(_NO_BUCKET_LOOKUP, "true")
    credentials = _credentials()
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    adapter = HTTPAdapter(pool_maxsize=2 * REQUESTS)  # fewer would not keep connections
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return Client(project=None, credentials=credentials, _http=session)


@cache
def _credentials() -> Credentials:
    """Returns the credentials that are configured, or anonymous ones.

    Google's library asks the network for a virtual machine's account when there are
    no other credentials, which takes many seconds where none answers. It is asked
    only where something says that it will find some.
    """
    if os.environ.get("STORAGE_EMULATOR_HOST") or not _has_credentials():
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise StorageError(f"Google's credentials cannot be read. {error}") from error
    return credentials


def _has_credentials() -> bool:
    variables = (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GCE_METADATA_HOST",
        "GCE_METADATA_IP",
        "K_SERVICE",  # Cloud Run
    )
    settings = os.environ.get("CLOUDSDK_CONFIG", "~/.config/gcloud")
    login = os.path.expanduser(f"{settings}/application_default_credentials.json")
    try:
        machine = Path("/sys/class/dmi/id/product_name").read_text()
    except OSError:
        machine = ""
    return (
        any(os.environ.get(name) for name in variables)
        or os.path.isfile(login)
        or machine.startswith("Google")
    )


@cache
def _require_bucket(name: str) -> None:
    """Raises StorageError if the bucket does not exist; asks once per process."""
    try:
        objects = _client().list_blobs(name, max_results=1, **_tries())
        next(iter(objects), None)
    except NotFound as error:
        raise StorageError(f"There is no bucket gs://{name}.") from error
    except (Forbidden, Unauthorized):
        return  # listing may be forbidden where reading is not


@contextmanager
def _explained(action: str, uri: str) -> Iterator[None]:
    """Raises StorageError instead of the errors of Google's library."""
    try:
        yield
    except THEIRS as error:
        advice = _advice(error, _split(uri)[0])
        raise StorageError(f"Can't {action} {uri}. {advice}") from error


def _advice(error: Exception, bucket: str) -> str:
    if isinstance(error, RetryError):
        return (
            f"It was tried for {patience().seconds:g} seconds; the last answer was: "
            f"{reason_of(error.cause or error)}. Rerun when the storage answers."
        )
    status = status_of(error)
    if status == HTTPStatus.NOT_FOUND:
        _require_bucket(bucket)
        return "There is no such file or directory."
    refused = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if refused or isinstance(error, GoogleAuthError):
        if isinstance(_credentials(), AnonymousCredentials):
            return (
                "No credentials were found, and it is not public. Run "
                "gcloud auth application-default login, or set "
                "GOOGLE_APPLICATION_CREDENTIALS."
            )
        return f"Check the permissions of your account: {reason_of(error)}."
    return f"The storage says: {reason_of(error)}."
