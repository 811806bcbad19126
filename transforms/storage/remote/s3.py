"""Amazon S3 through Arrow, and through boto3 for conditional requests.

Amazon's library tries a request thirteen times, with pauses that double from 25 ms to
51 s, 102 s in all; then Arrow raises an error.
"""

import os
import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pyarrow import fs

from transforms.errors import StorageError
from transforms.storage.remote.patience import patience

_NOT_AS_WANTED: Final = (404, 409, 412)  # statuses if a condition does not hold

# S3's errors by cause. The names are those of the AWS SDK (``CoreErrors.h``).
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
_ERROR: Final = re.compile(
    r"AWS Error (\w+)( \(HTTP[^)]*\))?(?: \[[^\]]*\])? during (\w+) operation: (.*)"
)


def connect(bucket: str) -> fs.S3FileSystem:
    """Returns the file system of a bucket, as Amazon's variables configure it."""
    endpoint = next(
        (
            value
            for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
            if (value := os.environ.get(name))
        ),
        None,
    )
    region = _region()
    where: dict[str, Any] = {}
    if endpoint:
        scheme, found, host = endpoint.rstrip("/").rpartition("://")
        where = {"endpoint_override": host, "scheme": scheme if found else "https"}
    elif not region:
        where = {"region": fs.resolve_s3_region(bucket)}
    if region:
        where["region"] = region
    return fs.S3FileSystem(
        anonymous=not has_credentials(),
        connect_timeout=patience().connect,
        request_timeout=patience().silent,
        # Amazon's newer strategy stops after about a hundred retries of all requests
        # together.
        retry_strategy=fs.AwsDefaultS3RetryStrategy(max_attempts=patience().retries),
        background_writes=False,  # else the bytes not sent yet have no limit
        allow_delayed_open=True,  # a small file takes one request
        **where,
    )


def _region() -> str | None:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def has_credentials() -> bool:
    """Returns whether Amazon's library has a place to find credentials.

    Without one it asks the network for those of a virtual machine, and waits.
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


def put_if(client: Any, uri: str, data: bytes, tag: str) -> str | None:
    """Writes a small object if its ETag is still ``tag``; empty for no object.

    Args:
        client: What ``conditional_client`` returned.
        uri: The object.
        data: What to write.
        tag: Its ETag, in quotes as S3 gives it.

    Returns:
        Its new ETag; None if the condition did not hold.

    Raises:
        StorageError: It cannot be written.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    errors = import_module("botocore.exceptions")
    condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
    try:
        put = client.put_object(Bucket=bucket, Key=key, Body=data, **condition)
    except errors.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in _NOT_AS_WANTED:
            return None
        raise StorageError(f"Cannot write {uri}. It says: {error}.") from error
    except errors.BotoCoreError as error:
        raise StorageError(f"Cannot write {uri}. It says: {error}.") from error
    return str(put["ETag"])


@cache
def conditional_client() -> Any:
    """Returns a client of S3 that makes conditional requests; None without boto3.

    The client takes its endpoint from Amazon's variables.
    """
    if find_spec("boto3") is None or not has_credentials():
        return None
    return import_module("boto3").client("s3", region_name=_region())


def advice(error: OSError) -> str | None:
    """Returns what to do about an error; None if it is not one of S3's."""
    found = _ERROR.search(str(error))
    if found is None:
        return None
    name, status, operation, told = found.groups()
    words = name.lower().replace("_", " ") + (status or "")
    reason = ": ".join(filter(None, (f"{words} in {operation}", told.rstrip("."))))
    if name == "NO_SUCH_BUCKET":
        return "There is no such bucket."
    if name in _REFUSALS:
        return (
            f"Check AWS_ACCESS_KEY_ID and other sources of credentials, and their "
            f"permissions: {reason}."
        )
    if name in _PASSING:
        return (
            f"It was tried {patience().retries + 1} times; the last answer was: "
            f"{reason}. Rerun when the storage answers."
        )
    return f"The storage says: {reason}."
