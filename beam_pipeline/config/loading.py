"""YAML and flags into one frozen, checked value.

A config file is a mapping whose keys are the fields of ``BuildConfig``. Its key
``base`` names another one, shipped or beside it, whose keys it overrides one by one.
Flags override files. An unknown key is refused, with the nearest known one: a typo must
not build another dataset than the one asked for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beam_pipeline.config.config import BuildConfig
from beam_pipeline.config.mappings import make_paths_absolute, merge, set_dotted
from beam_pipeline.config.plain_yaml import read_mapping
from beam_pipeline.config.shipped import find_config
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
    path = find_config(name, Path.cwd())
    mapping = _read_with_base(path, seen=())
    for key, value in overrides.items():
        set_dotted(mapping, key, value)
    mapping.update({key: value for key, value in flags.items() if value is not None})
    config = convert(BuildConfig, mapping, "", str(path))
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
    return merge(parent, mapping)
