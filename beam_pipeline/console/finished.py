"""Finds formats that are finished already, and refuses those of another build."""

from dataclasses import replace

from beam_pipeline.config import BuildConfig
from beam_pipeline.console.summary import loader_line_of
from beam_pipeline.inputs import (
    BuildInputs,
    config_settings,
    find_inputs,
    find_output,
    setting_changes,
)
from transforms import storage
from transforms.documents import Manifest, decode_manifest
from transforms.errors import ArchiveError, StorageError
from transforms.shards import ShardOutput


def find_unfinished(config: BuildConfig) -> BuildInputs | None:
    """Returns what a build reads and writes; None where all of it is finished.

    Raises:
        BuildError: What is there is another dataset, or a file that the build reads is
            missing or not the one described.
    """
    output = find_output(config)
    if not config.overwrite:
        output = _without_finished(config, output)
        if not output.formats:
            return None
    return find_inputs(config, output)


def _without_finished(config: BuildConfig, output: ShardOutput) -> ShardOutput:
    """Leaves out the formats in which the dataset is there, and says so.

    Args:
        config: What is asked for.
        output: The same, as far as it is written.

    Raises:
        StorageError: What is there was built with other settings.
        LabelError: A file of labels is malformed.
        SubsetError: A subset list cannot be found or is not the one described.
    """
    there = {name: output.places.finished_formats(name) for name in output.formats}
    if not any(there.values()):
        return output
    wanted, reason = _wanted_settings(config, output)
    for name in [name for name in output.formats if there[name]]:
        manifest = _find_manifest(output, name)
        changes = setting_changes(manifest, config, output, wanted) if manifest else []
        if changes:
            raise StorageError(
                f"{output.places.directory(name)} holds the dataset as "
                f"{' and '.join(there[name])}, built with other settings: "
                f"{'; '.join(changes)}. Rerun with the settings it was built with, or "
                "with --overwrite to replace it."
            )
        if name not in there[name]:
            continue
        # A run that was killed in its last moment left them.
        storage.remove_tree(output.places.reports(name))
        print(
            f"{output.places.directory(name)} is complete as {name} and left as it is; "
            "--overwrite builds it again."
        )
        if manifest is None or not manifest.settings:
            print("With which list and which numbers it was built is not known.")
        elif reason:
            print(f"Its list and its archives were not compared: {reason}")
        print(loader_line_of(config, output, name))
    formats = tuple(name for name in output.formats if name not in there[name])
    return replace(output, formats=formats)


def _wanted_settings(
    config: BuildConfig, output: ShardOutput
) -> tuple[dict[str, str], str]:
    """Returns the settings, and why those of files are not among them, if so."""
    try:
        return dict(find_inputs(config, output).facts.settings), ""
    except ArchiveError as error:  # a finished dataset needs none
        return config_settings(config), str(error)


def _find_manifest(output: ShardOutput, format_name: str) -> Manifest | None:
    uri = output.places.manifest(format_name)
    if not storage.exists(uri):  # TFDS built it
        return None
    return decode_manifest(storage.read_bytes(uri), uri)
