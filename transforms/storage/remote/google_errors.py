"""The errors of Google's libraries, and their messages."""

from http import HTTPStatus
from typing import Final

import requests
import urllib3
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

THEIRS: Final = (
    GoogleAPIError,
    GoogleAuthError,
    InvalidResponse,
    DataCorruption,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
)


def status_of(error: BaseException) -> int | None:
    """Returns the HTTP status that an error reports; None for none."""
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return error.code if isinstance(error, GoogleAPICallError) else None


def reason_of(error: BaseException) -> str:
    """Returns an error as one line, without the address of the request."""
    status = status_of(error)
    if status is not None:
        errors = error.errors if isinstance(error, GoogleAPICallError) else []
        told = [each["message"] for each in errors if "message" in each]
        return ": ".join((f"{status} {HTTPStatus(status).phrase}", *told[:1]))
    if isinstance(error, requests.ConnectionError) and error.args:
        error = getattr(error.args[0], "reason", error)
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
