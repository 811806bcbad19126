"""Finds formats that are finished already, whole or damaged, or of another build."""

from collections.abc import Sequence
from dataclasses import replace

from beam_pipeline.config import BuildConfig
from beam_pipeline.console.summary import loader_line_of
from beam_pipeline.inputs import (
    BuildInputs,
    archive_changes,
    config_settings,
    find_inputs,
    find_output,
    setting_changes,
    sweep_shared,
)
from transforms import storage
from transforms.archives import Archive
from transforms.documents import Manifest, decode_manifest, refuted_files
from transforms.errors import ArchiveError, StorageError, sample
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
    """Leaves out the formats in which the dataset is there, whole, and says so.

    Files are compared with the manifest by their lengths, and with ``repair`` by their
    hashes. A format that lacks one is built again in place: with the same settings its
    bytes are the same.

    Args:
        config: What is asked for.
        output: The same, as far as it is written.

    Raises:
        StorageError: What is there was built with other settings.
        LabelError: A file of labels is malformed.
        SubsetError: A subset list cannot be found or is not the one described.
    """
    damaged = set()
    there = {name: output.places.finished_formats(name) for name in output.formats}
    if not any(there.values()):
        return output
    wanted, archives, reason = _wanted(config, output)
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
        if refuted := _refuted(config, output, name, manifest):
            damaged.add(name)
            print(
                f"{output.places.directory(name)}: {len(refuted):,} files are not as "
                f"manifest.json says: {sample(refuted, 3)}. {name} is built again."
            )
            continue
        # A run that was killed in its last moments left them.
        storage.remove_tree(output.places.reports(name))
        sweep_shared(output, config.index_dir)
        print(
            f"{output.places.directory(name)} is complete as {name} and left as it is; "
            f"{_checked_or_not(config, manifest)}, --overwrite builds it again."
        )
        if manifest is None or not manifest.settings:
            print("With which list and which numbers it was built is not known.")
        elif reason:
            print(f"Its list and its archives were not compared: {reason}")
        else:
            _tell_of_changes(
                archive_changes(output.places, name, config.index_dir, archives)
            )
        print(loader_line_of(config, output, name))
    formats = tuple(
        name for name in output.formats if name not in there[name] or name in damaged
    )
    return replace(output, formats=formats)


def _checked_or_not(config: BuildConfig, manifest: Manifest | None) -> str:
    if config.repair and manifest is not None:
        return "every file was read and has the hash of manifest.json"
    return "--repair rereads it and mends it"


def _tell_of_changes(changes: list[str]) -> None:
    if changes:
        print(
            f"Since it was built, archives have changed: {'; '.join(changes)}. "
            "verify --manual_dir compares the dataset with them as they are, "
            "--overwrite builds it from them."
        )


def _wanted(
    config: BuildConfig, output: ShardOutput
) -> tuple[dict[str, str], Sequence[Archive], str]:
    """Returns the settings, the archives, and why these were not looked at, if so."""
    try:
        inputs = find_inputs(config, output)
    except ArchiveError as error:  # a finished dataset needs none
        return config_settings(config), (), str(error)
    return dict(inputs.facts.settings), inputs.archives, ""


def _find_manifest(output: ShardOutput, format_name: str) -> Manifest | None:
    uri = output.places.manifest(format_name)
    if not storage.exists(uri):  # TFDS built it
        return None
    return decode_manifest(storage.read_bytes(uri), uri)


def _refuted(
    config: BuildConfig, output: ShardOutput, name: str, manifest: Manifest | None
) -> list[str]:
    """Returns the files of a format that its manifest refutes; none without one."""
    if manifest is None:
        return []
    directory = output.places.directory(name)
    return refuted_files(manifest, directory, name, hashes=config.repair)
