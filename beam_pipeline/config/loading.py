"""YAML and flags into one frozen, checked value.

A config file is a mapping whose keys are the fields of ``BuildConfig``. Its key
``base`` names another one, shipped or beside it, whose keys it overrides one by one.
Flags override files. An unknown key is refused, with the nearest known one: a typo must
not build another dataset than the one asked for.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beam_pipeline.config.config import BuildConfig
from beam_pipeline.config.mappings import (
    forget_numbers,
    make_paths_absolute,
    merge,
    refuse_unused,
    set_dotted,
    spread_subset,
)
from beam_pipeline.config.plain_yaml import read_mapping
from beam_pipeline.config.shipped import find_built, find_config
from transforms.errors import ConfigError
from transforms.fields import convert


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
    path = find_built(name, Path.cwd())
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
    changes: dict[str, Any] = {}
    for key, value in overrides.items():
        set_dotted(changed, key, value)
        set_dotted(changes, key, value)
    forget_numbers(changed, changes)
    changed |= flags
    spread_subset(changed)
    refuse_unused(changed, str(path))
    config = convert(BuildConfig, changed, "", str(path))
    assert isinstance(config, BuildConfig)
    return config


def _read_with_base(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in seen:
        raise ConfigError(f"{path} is its own base.")
    mapping = read_mapping(path)
    base = mapping.pop("base", None)
    make_paths_absolute(mapping, path.parent)
    if base is None:
        return mapping
    parent = _read_with_base(find_config(str(base), path.parent), (*seen, path))
    merged = merge(parent, mapping)
    forget_numbers(merged, mapping)
    return merged
