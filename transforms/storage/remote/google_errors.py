"""What Google's libraries raise, and what it says."""

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
    """Returns the status of the answer that an error is about."""
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return error.code if isinstance(error, GoogleAPICallError) else None


def reason_of(error: BaseException) -> str:
    """Returns an error in a line, without the address of the request."""
    status = status_of(error)
    if status is not None:
        errors = error.errors if isinstance(error, GoogleAPICallError) else []
        told = [each["message"] for each in errors if "message" in each]
        return ": ".join((f"{status} {HTTPStatus(status).phrase}", *told[:1]))
    if isinstance(error, requests.ConnectionError) and error.args:
        error = getattr(error.args[0], "reason", error)
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
