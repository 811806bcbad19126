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
"""


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


def sample(names: list[str], limit: int = 5) -> str:
    """Returns the first few names for a message, with the number left out."""
    shown = ", ".join(names[:limit])
    rest = len(names) - limit
    return f"{shown} and {rest:,} more" if rest > 0 else shown
