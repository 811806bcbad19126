"""YAML and flags into one frozen, checked value.

A config file is a mapping whose keys are the fields of ``BuildConfig``. Its key
``base`` names another one, shipped or beside it, whose keys it overrides one by one.
Flags override files. A key that no field has is refused, with the nearest one that
there is: a typo must not build another dataset than the one asked for.
"""

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from beam_pipeline.config.config import BuildConfig
from beam_pipeline.config.mappings import (
    make_paths_absolute,
    merge,
    refuse_unused,
    set_dotted,
)
from beam_pipeline.config.plain_yaml import read_mapping, read_yaml
from transforms.errors import ConfigError, printable
from transforms.fields import convert, nearest

_PACKAGE: Final = Path(__file__).parents[1]
# In a checkout the files stand beside the package, in an installation within it.
_SHIPPED: Final = next(
    (
        path
        for path in (_PACKAGE / "configs", _PACKAGE.parent / "configs")
        if path.is_dir()
    ),
    _PACKAGE / "configs",
)


def shipped_configs() -> list[str]:
    """Returns the names of the configurations that come with the package."""
    return sorted(
        path.stem for path in _SHIPPED.glob("*.yaml") if "config" in read_mapping(path)
    )


def load_config(
    name: str, overrides: Mapping[str, Any], flags: Mapping[str, Any]
) -> BuildConfig:
    """Reads a configuration and applies what the command line says.

    Args:
        name: A shipped configuration's name, or the path of a YAML file.
        overrides: Values by dotted key, such as ``splits.train.subset.file``.
        flags: Values by field; None leaves a field as it is.

    Raises:
        ConfigError: There is no such file, or a key or value of it is wrong.
    """
    path = _find_config(name, Path.cwd())
    mapping = _read_with_base(path, seen=())
    given = {key: value for key, value in flags.items() if value is not None}
    try:
        return _convert(mapping, overrides, given, path)
    except ConfigError as error:
        message = str(error).removeprefix(f"{path}: ")
        for key in overrides:
            others = {name: overrides[name] for name in overrides if name != key}
            if _is_valid(mapping, others, given, path):
                raise ConfigError(_blaming(key, message)) from error
        raise


def _blaming(key: str, message: str) -> str:
    """Returns a message that begins with the assignment that is wrong."""
    if message.startswith("--set "):
        return message
    return f"--set {message}" if message.startswith(key) else f"--set {key}: {message}"


def _is_valid(
    mapping: Mapping[str, Any],
    overrides: Mapping[str, Any],
    flags: Mapping[str, Any],
    path: Path,
) -> bool:
    try:
        _convert(mapping, overrides, flags, path)
    except ConfigError:
        return False
    return True


def _convert(
    mapping: Mapping[str, Any],
    overrides: Mapping[str, Any],
    flags: Mapping[str, Any],
    path: Path,
) -> BuildConfig:
    """Returns the configuration of a file, with what changes it."""
    changed = copy.deepcopy(dict(mapping))
    for key, value in overrides.items():
        set_dotted(changed, key, value)
    changed |= flags
    refuse_unused(changed, str(path))
    config = convert(BuildConfig, changed, "", str(path))
    assert isinstance(config, BuildConfig)
    return config


def parse_assignment(text: str) -> tuple[str, Any]:
    """Returns the key and the YAML value of ``key=value``.

    Raises:
        ConfigError: There is no equals sign, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text}: expected key=value.")
    return key, read_yaml(value, f"--set {printable(text)}: the value")


def _find_config(name: str, directory: Path) -> Path:
    candidates = [
        _SHIPPED / f"{name}.yaml",
        directory / name,
        directory / f"{name}.yaml",
    ]
    for path in candidates:
        if os.path.isfile(path):  # the method raises for a name that is too long
            return path
    raise ConfigError(
        f"There is no configuration {printable(name)}: it is neither a file nor one of "
        f"those shipped. {nearest(name, shipped_configs())}"
    )


def _read_with_base(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path} is its own base.")
    mapping = read_mapping(path)
    base = mapping.pop("base", None)
    make_paths_absolute(mapping, path.parent)
    if base is None:
        return mapping
    parent = _read_with_base(_find_config(str(base), path.parent), (*seen, path))
    return merge(parent, mapping)
