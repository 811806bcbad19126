"""What the command line of a verification asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.verification import ImageCheck


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What the command line asks for.

    Attributes:
        directory: What is verified.
        images: How closely images are looked at.
        config: Name or path of the configuration; None for the shipped one of the
            name that the dataset has, if there is one.
        overrides: Values by dotted key of the configuration.
        flags: Values by field of the configuration; None leaves one as it is.
        with_archives: Whether the archives are compared.
    """

    directory: str
    images: ImageCheck
    config: str | None
    overrides: Mapping[str, Any]
    flags: Mapping[str, Any]
    with_archives: bool
