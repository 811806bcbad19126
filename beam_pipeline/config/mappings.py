"""Configs as YAML gives them, before they are checked: merged and changed."""

from pathlib import Path
from typing import Any

from beam_pipeline.config.plain_yaml import read_yaml
from transforms import storage
from transforms.errors import ConfigError, printable


def make_paths_absolute(mapping: dict[str, Any], directory: Path) -> None:
    """Makes the files that a config names relative to where the config stands."""
    owners = [(mapping, "class_names"), (mapping, "citation")]
    splits = mapping.get("splits")
    for split in splits.values() if isinstance(splits, dict) else ():
        labels = split.get("labels") if isinstance(split, dict) else None
        if isinstance(labels, dict):
            owners += [(labels, "file"), (labels, "map")]
    for owner, key in owners:
        value = owner.get(key)
        if isinstance(value, str) and storage.is_local(value):
            owner[key] = str(directory / value)


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Returns a config's mapping with another one's values, key by key."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = merge(below, value)
        merged[key] = value
    return merged


def set_dotted(mapping: dict[str, Any], key: str, value: Any) -> None:
    """Sets a value by its dotted key, ``splits.train.subset.file``.

    Raises:
        ConfigError: Something on the way is no mapping.
    """
    *parents, last = key.split(".")
    for parent in parents:
        below = mapping.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {key}: {parent} has no keys of its own.")
        mapping = below
    mapping[last] = value


def parse_assignment(text: str) -> tuple[str, Any]:
    """Returns the key and the YAML value of ``key=value``.

    Raises:
        ConfigError: There is no equals sign, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text}: expected key=value.")
    return key, read_yaml(value, f"--set {printable(text)}: the value")
