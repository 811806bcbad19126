"""The configuration of a build: YAML files and flags as one frozen value."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from beam_pipeline.config.config import (
        LABEL_BY_CONTAINER,
        LABEL_BY_INDEX,
        LABEL_BY_LIST,
        NO_LABEL,
        BuildConfig,
        KnownArchive,
        SplitConfig,
    )
    from beam_pipeline.config.loading import load_config
    from beam_pipeline.config.mappings import parse_assignment
    from beam_pipeline.config.shipped import (
        class_list,
        shipped_class_lists,
        shipped_config_of,
        shipped_configs,
    )
    from beam_pipeline.config.subsets import HELD_FROM, HeldOutConfig, SubsetConfig
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "HELD_FROM",
    "LABEL_BY_CONTAINER",
    "LABEL_BY_INDEX",
    "LABEL_BY_LIST",
    "NO_LABEL",
    "BuildConfig",
    "HeldOutConfig",
    "KnownArchive",
    "SplitConfig",
    "SubsetConfig",
    "class_list",
    "load_config",
    "parse_assignment",
    "shipped_class_lists",
    "shipped_config_of",
    "shipped_configs",
]
