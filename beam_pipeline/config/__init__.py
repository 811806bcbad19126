"""The configuration of a build: YAML files and flags as one frozen value."""

from beam_pipeline.config.config import (
    LABEL_BY_CONTAINER,
    LABEL_BY_LIST,
    NO_LABEL,
    BuildConfig,
    KnownArchive,
    SplitConfig,
)
from beam_pipeline.config.loading import load_config, parse_assignment, shipped_configs

__all__ = [
    "LABEL_BY_CONTAINER",
    "LABEL_BY_LIST",
    "NO_LABEL",
    "BuildConfig",
    "KnownArchive",
    "SplitConfig",
    "load_config",
    "parse_assignment",
    "shipped_configs",
]
