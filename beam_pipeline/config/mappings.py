"""Configs as YAML gives them, before they are checked: merged and changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beam_pipeline.config.plain_yaml import read_yaml
from transforms import storage
from transforms.errors import ConfigError, printable
from transforms.fields import nearest


def make_paths_absolute(mapping: dict[str, Any], directory: Path) -> None:
    """Makes the files that a config names relative to where the config stands."""
    owners = [(mapping, key) for key in ("class_names", "class_titles", "citation")]
    splits = mapping.get("splits")
    for split in splits.values() if isinstance(splits, dict) else ():
        if not isinstance(split, dict):
            continue
        labels, subset = split.get("labels"), split.get("subset")
        if isinstance(labels, dict):
            owners += [(labels, "file"), (labels, "map")]
        if isinstance(subset, dict) and _lies_in(directory, subset.get("file")):
            owners.append((subset, "file"))  # else it is looked for in manual_dir
    for owner, key in owners:
        value = owner.get(key)
        if isinstance(value, str) and value and storage.is_local(value):
            owner[key] = str(directory / value)


def _lies_in(directory: Path, name: Any) -> bool:
    return isinstance(name, str) and "\0" not in name and (directory / name).is_file()


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


def refuse_unused(mapping: Mapping[str, Any], source: str) -> None:
    """Refuses a split that is described in part and that no version has: a typo.

    Args:
        mapping: A config.
        source: Its file, for the message.

    Raises:
        ConfigError: There is such a split.
    """
    splits, versions = mapping.get("splits"), mapping.get("versions")
    if not isinstance(splits, dict) or not isinstance(versions, dict):
        return  # what they should be is said elsewhere
    used = [
        name for each in versions.values() if isinstance(each, list) for name in each
    ]
    for name, split in splits.items():
        if name not in used and isinstance(split, dict) and "labels" not in split:
            raise ConfigError(
                f"{source}: splits.{printable(name)} is a split of no version. "
                f"{nearest(str(name), list(map(str, used)))}"
            )


def parse_assignment(text: str) -> tuple[str, Any]:
    """Returns the key and the YAML value of ``key=value``.

    Raises:
        ConfigError: There is no equals sign, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text}: expected key=value.")
    return key, read_yaml(value, f"--set {printable(text)}: the value")
