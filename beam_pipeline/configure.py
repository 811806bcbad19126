"""What a command line asks for, as checked values."""

import argparse
from typing import Any, Final

from beam_pipeline.config import BuildConfig, load_config, parse_assignment
from beam_pipeline.inputs import VerifyOptions
from transforms.errors import ConfigError
from transforms.storage import absolute

# Flags that say where what is known of the archives lies.
_OF_ARCHIVES: Final = ("data_dir", "index_dir")
# Flags that say what a build was given that noted none of it.
_OF_BUILD: Final = ("max_examples_per_split", "allow_missing")


def configure(arguments: argparse.Namespace) -> BuildConfig:
    """Returns the configuration that a command line asks for.

    Raises:
        ConfigError: A flag is wrong, or the configuration is.
    """
    flags: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in (
            "version",
            "manual_dir",
            "data_dir",
            "index_dir",
            "max_examples_per_split",
            "overwrite",
            "repair",
            "ignore_free_space",
            "allow_missing",
            "max_rejects",
            "statistics",
            "checksum",
        )
    }
    if arguments.format:
        flags["formats"] = arguments.format.split(",")
    if arguments.num_shards:
        numbers = " ".join(arguments.num_shards).split()
        flags["num_shards"] = dict(map(_parse_shards, numbers))
    overrides = dict(map(parse_assignment, arguments.set))
    if arguments.verify_images:
        overrides["images.check"] = arguments.verify_images
    return load_config(arguments.config, overrides, flags)


def _parse_shards(text: str) -> tuple[str, int]:
    split, _, number = text.partition("=")
    if not number.isdecimal():
        raise ConfigError(
            f"--num_shards {text}: expected a split and a number, train=16."
        )
    return split, int(number)


def verify_options(arguments: argparse.Namespace) -> VerifyOptions:
    """Returns what the command line of ``verify`` asks for.

    Raises:
        ConfigError: A flag is wrong.
    """
    for name in _OF_ARCHIVES:
        if getattr(arguments, name) is not None and not arguments.manual_dir:
            raise ConfigError(f"--{name} has no effect without --manual_dir.")
    names = (*_OF_ARCHIVES, *_OF_BUILD, "manual_dir")
    flags = {name: getattr(arguments, name) for name in names}
    return VerifyOptions(
        directory=absolute(arguments.directory).rstrip("/"),
        images=arguments.images,
        config=arguments.config,
        overrides=dict(map(parse_assignment, arguments.set)),
        flags=flags,
        with_archives=bool(arguments.manual_dir),
    )
