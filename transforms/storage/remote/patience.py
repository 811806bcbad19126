"""How long remote storage is waited for: IMAGENET_STORAGE_SECONDS, or two minutes."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Final

from transforms.errors import StorageError

_VARIABLE: Final = "IMAGENET_STORAGE_SECONDS"
_USUAL: Final = 120.0  # seconds
_FIRST_PAUSE: Final = 0.025  # seconds, of Amazon's library, which doubles each


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is tried.

    Attributes:
        seconds: Until it is given up.
    """

    seconds: float

    @property
    def connect(self) -> float:
        """Seconds in which a server must take a connection."""
        return self.seconds / 12

    @property
    def silent(self) -> float:
        """Seconds without a byte after which a request is tried again."""
        return self.seconds / 4

    @property
    def retries(self) -> int:
        """How often the pauses between tries can double in this time."""
        return int(self.seconds / _FIRST_PAUSE + 1).bit_length() - 1


@cache
def patience() -> Patience:
    """Returns what is set for this process.

    Raises:
        StorageError: The variable is no number of seconds.
    """
    said = os.environ.get(_VARIABLE)
    try:
        seconds = float(said) if said else _USUAL
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise StorageError(
            f"{_VARIABLE} is {said!r}. It must be a number of seconds above 0, such as "
            f"{_USUAL:g}, or unset."
        )
    return Patience(seconds)
