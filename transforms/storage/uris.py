"""What paths and URIs say by themselves, before anything is looked at."""

import os
from collections import Counter
from collections.abc import Iterable

from transforms.errors import StorageError, printable


def require_text(uri: str) -> None:
    """Refuses a path that is not UTF-8, which Python has as halves of characters.

    Documents, indexes and what engines send to their workers have paths as text.

    Raises:
        StorageError: It is not UTF-8.
    """
    try:
        uri.encode()
    except UnicodeEncodeError as error:
        raise StorageError(
            f"The path {printable(uri)} is not UTF-8. Rename it, or make a link to it "
            "with another name and give that."
        ) from error


def absolute(directory: str) -> str:
    """Returns a path in full; a URI stays, for storage to take or refuse.

    Raises:
        StorageError: It is not UTF-8.
    """
    require_text(directory)
    if "://" in directory:
        return directory
    return os.path.abspath(os.path.expanduser(directory))


def is_absolute(name: str) -> bool:
    """Returns whether a path or URI says by itself where it leads."""
    return "://" in name or name.startswith(("/", "~"))


def short_names(uris: Iterable[str]) -> dict[str, str]:
    """Returns what to call each file where its place does not matter.

    That is the shortest end of its URI, in whole parts, that no other one has: files of
    one name in two directories are still told apart.

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
