"""The packages of the project's extras, and the line that installs them.

An extra can be asked for by name only where the project can be: in its folder as
``.[gcp]``, from an index by the project's name. Its packages can be had from anywhere.
"""

import shlex
import sys
from importlib.util import find_spec
from typing import Final

# As in pyproject.toml.
EXTRAS: Final = {
    "array-record": ("array_record>=0.8",),
    "gcp": ("apache-beam[gcp]==2.77.0", "google-cloud-storage"),
    "s3": ("boto3>=1.36",),
}


def install_line(extra: str) -> str:
    """Returns the command that installs an extra's packages beside this program.

    Args:
        extra: A key of ``EXTRAS``.
    """
    # uv makes environments without pip.
    uv = ("uv", "pip", "install", "--python", sys.executable)
    pip = (sys.executable, "-m", "pip", "install")
    return shlex.join((*(pip if find_spec("pip") else uv), *EXTRAS[extra]))
