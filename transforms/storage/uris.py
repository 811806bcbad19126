"""Paths and URIs as text, without access to any storage."""

import os
from collections import Counter
from collections.abc import Iterable

from transforms.errors import StorageError, printable


def require_text(uri: str) -> None:
    """Refuses a path that is not UTF-8, which Python represents with lone surrogates.

    Documents, indexes and messages to workers hold paths as text.

    Raises:
        StorageError: It is not UTF-8.
    """
    try:
        uri.encode()
    except UnicodeEncodeError as error:
        raise StorageError(
            f"The path {printable(uri)} is not UTF-8. Rename it, or make a link to it "
            "with another name and use that."
        ) from error


def absolute(directory: str) -> str:
    """Returns an absolute path, or a URI unchanged.

    Raises:
        StorageError: It is not UTF-8.
    """
    require_text(directory)
    if "://" in directory:
        return directory
    return os.path.abspath(os.path.expanduser(directory))


def is_absolute(name: str) -> bool:
    """Returns whether a path is absolute, or a URI."""
    return "://" in name or name.startswith(("/", "~"))


def join(directory: str, *names: str) -> str:
    """Returns the URI of a name beneath a directory."""
    return "/".join((directory.rstrip("/"), *names))


def locate(name: str, directory: str) -> str:
    """Returns where a file is: by itself if its name is absolute, else in a directory.

    Raises:
        StorageError: An absolute name is not UTF-8.
    """
    return absolute(name) if is_absolute(name) else join(directory, name)


def short_names(uris: Iterable[str]) -> dict[str, str]:
    """Returns a short, unique name for each file.

    It is the shortest end of its URI, in whole parts, that no other URI has. So files
    of the same name in two directories have different names here.

    Example:
        >>> short_names(["/data/a/x.tar", "/data/b/x.tar"])
        {'/data/a/x.tar': 'a/x.tar', '/data/b/x.tar': 'b/x.tar'}
    """
    ends = {uri: _ends(uri) for uri in uris}
    taken = Counter(end for each in ends.values() for end in each)
    return {
        uri: next(end for end in each if taken[end] == 1 or end == each[-1])
        for uri, each in ends.items()
    }


def _ends(uri: str) -> list[str]:
    """Returns the last part of a URI, the last two, and so on up to all of it."""
    parts = uri.split("/")
    return ["/".join(parts[start:]) for start in reversed(range(len(parts)))]
