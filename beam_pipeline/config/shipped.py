"""The configurations that come with the package, and where others are looked for."""

import os
from pathlib import Path
from typing import Final

from beam_pipeline.config.plain_yaml import read_mapping
from transforms.errors import ConfigError, printable
from transforms.fields import nearest

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


_CLASS_LISTS: Final = _SHIPPED / "imagenet2012" / "classes"


def shipped_class_lists() -> list[str]:
    """Returns the names of the lists of classes that come with the package."""
    return sorted(path.stem for path in _CLASS_LISTS.glob("*.txt"))


def class_list(name: str) -> str | None:
    """Returns the file of a shipped list of classes; None where there is none."""
    if name not in shipped_class_lists():
        return None
    return str(_CLASS_LISTS / f"{name}.txt")


def shipped_configs() -> list[str]:
    """Returns the names of the configurations that come with the package."""
    return sorted(
        path.relative_to(_SHIPPED).with_suffix("").as_posix()
        for path in _SHIPPED.rglob("*.yaml")
        if "config" in read_mapping(path)
    )


def shipped_config_of(dataset: str, config: str) -> str | None:
    """Returns the name of the shipped configuration that may be that of a dataset.

    Args:
        dataset: The dataset's name.
        config: The configuration's name; empty where the dataset has but one.
    """
    names = (f"{dataset}/{config}", config) if config else (dataset,)
    known = shipped_configs()
    return next((name for name in names if name in known), None)


def find_config(name: str, directory: Path) -> Path:
    """Returns the file of a configuration.

    Args:
        name: A shipped configuration's name, perhaps after that of its dataset, or the
            path of a YAML file.
        directory: What a relative path is relative to.

    Raises:
        ConfigError: There is no such file.
    """
    candidates = [
        _SHIPPED / f"{name}.yaml",
        directory / name,
        directory / f"{name}.yaml",
    ]
    for path in candidates:
        if os.path.isfile(path):  # the method raises for a name that is too long
            return path
    dataset, _, config = name.partition("/")
    own = _SHIPPED / f"{config}.yaml"
    # As TFDS calls it: imagenet2012_subset/1pct.
    if os.path.isfile(own) and read_mapping(own).get("base") == dataset:
        return own
    raise _unknown(name)


def find_built(name: str, directory: Path) -> Path:
    """Returns the file of a configuration that can be built, and is no base alone.

    Args:
        name: As for ``find_config``.
        directory: Likewise.

    Raises:
        ConfigError: There is no such file.
    """
    path = find_config(name, directory)
    if path == _SHIPPED / f"{name}.yaml" and "config" not in read_mapping(path):
        raise _unknown(name)
    return path


def _unknown(name: str) -> ConfigError:
    known = shipped_configs()
    variants = [each for each in known if each.startswith(f"{name}/")]
    question = f"There are {', '.join(variants)}." if variants else nearest(name, known)
    return ConfigError(
        f"There is no configuration {printable(name)}: it is neither a file nor one of "
        f"those shipped. {question}"
    )
