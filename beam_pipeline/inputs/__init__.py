"""What a command works on: archives, lists, labels and earlier runs."""

from typing import TYPE_CHECKING

from transforms.doors import lazy

if TYPE_CHECKING:
    from beam_pipeline.inputs.archives import describe_archives
    from beam_pipeline.inputs.build import (
        BuildInputs,
        find_inputs,
        find_output,
        name_places,
    )
    from beam_pipeline.inputs.built_from import archive_changes
    from beam_pipeline.inputs.checksums import verify_archives
    from beam_pipeline.inputs.earlier_runs import (
        noted_build,
        published_shards,
        sweep_leftovers,
        sweep_own,
        sweep_shared,
    )
    from beam_pipeline.inputs.options import VerifyOptions
    from beam_pipeline.inputs.settings import config_settings, setting_changes
    from beam_pipeline.inputs.verification import (
        VerifyInputs,
        find_demands,
    )
else:
    __getattr__ = lazy(__name__)

__all__ = [
    "BuildInputs",
    "VerifyInputs",
    "VerifyOptions",
    "archive_changes",
    "config_settings",
    "describe_archives",
    "find_demands",
    "find_inputs",
    "find_output",
    "name_places",
    "noted_build",
    "published_shards",
    "setting_changes",
    "sweep_leftovers",
    "sweep_own",
    "sweep_shared",
    "verify_archives",
]
