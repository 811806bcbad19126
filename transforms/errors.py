"""The errors a build can end with, as one small tree.

BuildError
├── ConfigError    what was asked for makes no sense, or not together
├── StorageError   a file can't be read, written or published
├── ArchiveError   an archive is missing, the wrong one, or damaged
├── SubsetError    a subset list is missing, malformed, or names what is not there
├── LabelError     an image whose class can't be told
├── ImageError     an image that has to be repaired and can't be decoded
└── FormatError    a shard file's bytes are not what its format says

Every message is written for the person who runs the build: it names the file, the
member and the offset where there is one, what was expected, and what to do. They
take the message alone, so that they survive pickling between workers.

Names and bytes of other people's files enter a message through ``printable`` alone.
A member's name may hold what clears a terminal, turns its text around or is a megabyte
long.
"""

from typing import Final

_LONGEST_NAME: Final = 300  # characters shown


class BuildError(Exception):
    """Something the user can understand and act on ended the build."""


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
    r"""Returns a name as it is safe to print, on one line and not too long.

    What does not print by itself (control characters, line ends, marks that change the
    direction of text, halves of characters) is escaped as in Python's literals.

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
    """Returns the first few names as they are safe to print, with the number left out.

    Args:
        names: The names, or the first of them.
        limit: How many to show.
        total: Number of all names, where there are more than are given.

    Example:
        >>> sample(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    shown = ", ".join(map(printable, names[:limit]))
    rest = (len(names) if total is None else total) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown
