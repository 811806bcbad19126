"""Configs as YAML gives them, before they are checked: merged and changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from beam_pipeline.config.plain_yaml import read_yaml
from beam_pipeline.config.subsets import CUTS, HELD_FROM
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
            # A list in an archive is looked for where that is.
            beside = ("map",) if labels.get("within") else ("file", "map")
            owners += [(labels, key) for key in beside]
        owners += _lists_beside(subset, directory)
    owners += _lists_beside(mapping.get("subset"), directory)
    for owner, key in owners:
        value = owner.get(key)
        if isinstance(value, str) and value and storage.is_local(value):
            owner[key] = str(directory / value)


def _lists_beside(subset: Any, directory: Path) -> list[tuple[dict[str, Any], str]]:
    """Returns the lists that lie beside a config; others are looked for elsewhere."""
    if not isinstance(subset, dict):
        return []
    keys = ("file", "exclude", "classes")
    return [(subset, key) for key in keys if _lies_in(directory, subset.get(key))]


def _lies_in(directory: Path, name: Any) -> bool:
    return isinstance(name, str) and "\0" not in name and (directory / name).is_file()


# Mappings that a config gives as a whole, whatever its base says.
_WHOLE: Final = frozenset({"versions", "release_notes", "features"})


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Returns a config's mapping with another one's values, key by key."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and key not in _WHOLE:
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
        if mapping.get(parent) is None:
            mapping[parent] = {}
        below = mapping[parent]
        if not isinstance(below, dict):
            raise ConfigError(f"--set {key}: {parent} has no keys of its own.")
        mapping = below
    mapping[last] = value


def spread_subset(mapping: dict[str, Any]) -> None:
    """Gives each split of the version the keys of ``subset`` that it lacks."""
    shared = mapping.pop("subset", None)
    if shared is None:
        return
    if not isinstance(shared, dict):
        raise ConfigError("subset should hold keys and values, for all splits.")
    splits, versions = mapping.get("splits"), mapping.get("versions")
    if not isinstance(splits, dict) or not isinstance(versions, dict):
        return  # what they should be is said elsewhere
    for name in versions.get(str(mapping.get("version"))) or ():
        split = splits.get(name)
        if isinstance(split, dict) and isinstance(split.get("subset") or {}, dict):
            split["subset"] = {**shared, **(split.get("subset") or {})}


def forget_numbers(mapping: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Forgets how many examples were stated of splits that are cut down further.

    Args:
        mapping: A config that was changed.
        changes: The part of it that changes are made by, as a config has it.
    """
    splits, changed = mapping.get("splits"), changes.get("splits")
    if not isinstance(splits, dict):
        return
    changed = changed if isinstance(changed, dict) else {}
    for name, split in splits.items():
        ours = changed.get(name)
        ours = ours if isinstance(ours, dict) else {}
        subsets = (ours.get("subset"), changes.get("subset"))
        cut = any(
            isinstance(subset, dict) and subset.get(key) is not None
            for subset in subsets
            for key in CUTS
        )
        held = name == HELD_FROM and changes.get("val_from_train") is not None
        if (cut or held) and isinstance(split, dict) and "examples" not in ours:
            split["examples"] = None


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
