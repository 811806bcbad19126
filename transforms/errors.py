"""The errors a build can end with, as one small tree.

BuildError
├── ConfigError    a value or flag is wrong, or contradicts another
├── StorageError   a file cannot be read, written or published
├── ArchiveError   an archive is missing, the wrong one, or damaged
├── SubsetError    a subset list is missing, malformed, or names absent images
├── LabelError     the class of an image is unknown or ambiguous
├── ImageError     an image must be converted and cannot be decoded, or too many are bad
└── FormatError    the bytes of a shard file violate its format

Every message is written for the person who runs the build. It names the file, the
member and the offset if there is one, what was expected, and what to do. The classes
take only the message, so that they survive pickling between workers.

Names and bytes of foreign files enter a message only through ``printable``. The name of
a member may clear a terminal, reverse its text, or be a megabyte long.
"""

from typing import Final

_LONGEST_NAME: Final = 300  # characters shown


class BuildError(Exception):
    """A build ended for a reason that the user can understand and act on."""


class ConfigError(BuildError):
    """A configuration value or flag is unknown, malformed or contradictory."""


class StorageError(BuildError):
    """A file could not be read, written or published."""


class ArchiveError(BuildError):
    """An archive is missing, is not the one expected, or is damaged."""


class SubsetError(BuildError):
    """A subset list is missing, malformed, or names what the archive lacks."""


class LabelError(BuildError):
    """An image's class is unknown or ambiguous."""


class ImageError(BuildError):
    """An image that must be converted cannot be decoded."""


class FormatError(BuildError):
    """A shard file does not hold what its format requires."""


def require_whole(whole: bool, said: str) -> None:
    """Raises BuildError where an engine lost or repeated what it moved.

    Args:
        whole: Whether everything is there, once.
        said: What arrived, and of how much, as a sentence.
    """
    if not whole:
        raise BuildError(
            f"{said} The engine lost or repeated some; rerun, and report it if it "
            "happens again."
        )


def printable(name: object) -> str:
    r"""Returns a name in a form that is safe to print: one line, not too long.

    Characters that do not print (control characters, line ends, marks that change the
    direction of text, lone surrogates) are escaped as in Python's literals.

    Example:
        >>> printable("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    text = str(name)
    shown = text[:_LONGEST_NAME]
    if not shown.isprintable():
        shown = "".join(
            letter if letter.isprintable() else ascii(letter)[1:-1] for letter in shown
        )
    if max(len(text), len(shown)) <= _LONGEST_NAME:
        return shown
    return f"{shown[:_LONGEST_NAME]}... ({len(text):,} characters)"


def sample(names: list[str], limit: int = 5, total: int | None = None) -> str:
    """Returns the first few names, safe to print, with the number of the others.

    Args:
        names: The names, or the first of them.
        limit: How many to show.
        total: Number of all names, if ``names`` has only the first.

    Example:
        >>> sample(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    shown = ", ".join(map(printable, names[:limit]))
    rest = (len(names) if total is None else total) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown
