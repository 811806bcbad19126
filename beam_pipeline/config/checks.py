"""Checks of a configuration's values that apply to every build."""

import re
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, Final

from transforms.archives import PLACEHOLDERS
from transforms.errors import ConfigError, printable
from transforms.fields import require_known

_NAME: Final = re.compile(r"\w[\w.+-]*")


def require_names(names: Mapping[str, str]) -> None:
    """Checks what becomes part of paths: no name may lead to another directory.

    Args:
        names: The names by the keys that give them.

    Raises:
        ConfigError: A name is empty, or has other characters than names have.
    """
    for key, name in names.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{printable(key)} is '{printable(name)}': expected letters and "
                "digits, with dots, dashes, plus signs and underscores between them."
            )


def require_naming(template: str) -> None:
    """Raises ConfigError for a template that does not tell images apart."""
    try:
        parts = [field for _, field, *_ in Formatter().parse(template)]
    except ValueError:
        parts = [""]
    named = [part for part in parts if part is not None]
    if not {*named} <= {*PLACEHOLDERS} or not {"file", "stem", "path"} & {*named}:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ConfigError(
            f"naming is '{printable(template)}': expected a template of {known} with "
            "{file}, {stem} or {path}."
        )


def require_paths(key: str, *paths: str) -> None:
    """Raises ConfigError for an empty path: it would lead to another directory."""
    if not all(paths):
        raise ConfigError(f"{printable(key)} is empty, or names an empty path.")


def require_positive(key: str, number: int | None) -> None:
    """Raises ConfigError for a number of images below 1."""
    if number is not None and number < 1:
        raise ConfigError(f"{key} is {number:,}: expected 1 or more, or null.")


def require_splits(
    version: str, splits: Sequence[str], known: Mapping[str, Any]
) -> None:
    """Checks the splits of a version.

    Raises:
        ConfigError: There is none, one is named twice, or is not described.
    """
    if not splits or len(set(splits)) < len(splits):
        raise ConfigError(
            f"versions.{version} is [{', '.join(map(printable, splits))}]: name at "
            "least one split, and each once."
        )
    for split in splits:
        require_known("split", split, known)
