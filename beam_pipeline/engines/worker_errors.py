"""The error that made a worker fail, out of its runner's message."""

import re
from typing import Final

from transforms import errors
from transforms.errors import BuildError

# How a worker's traceback ends, wherever a runner quotes it.
_QUOTED_ERROR: Final = re.compile(
    r"transforms\.errors\.(?P<kind>\w+): (?P<message>.*?)"
    r"(?= \[while running|\n\n|\nDuring handling|\Z)",
    re.DOTALL,
)


def worker_error(error: Exception) -> BuildError | None:
    """Returns the error of ours that made a worker fail, if one did.

    Runners report a worker's exception as text, a traceback in a message of their own.
    """
    if isinstance(error, BuildError):
        return error
    quoted = list(_QUOTED_ERROR.finditer(str(error)))
    if not quoted:
        return None
    found = quoted[-1]  # those before it are what it was raised from
    kind = getattr(errors, found["kind"], BuildError)
    restored = kind(found["message"].strip())
    return restored if isinstance(restored, BuildError) else None
