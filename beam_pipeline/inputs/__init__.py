"""What a command works on: archives, lists, labels and earlier runs."""

from beam_pipeline.inputs.build import (
    BuildInputs,
    find_inputs,
    find_output,
    name_places,
)
from beam_pipeline.inputs.checksums import verify_archives
from beam_pipeline.inputs.earlier_runs import (
    noted_build,
    published_shards,
    sweep_leftovers,
    sweep_own,
)
from beam_pipeline.inputs.settings import config_settings, setting_changes
from beam_pipeline.inputs.verification import VerifyInputs, VerifyOptions, find_demands

__all__ = [
    "BuildInputs",
    "VerifyInputs",
    "VerifyOptions",
    "config_settings",
    "find_demands",
    "find_inputs",
    "find_output",
    "name_places",
    "noted_build",
    "published_shards",
    "setting_changes",
    "sweep_leftovers",
    "sweep_own",
    "verify_archives",
]
