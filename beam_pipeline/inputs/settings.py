"""What a build is given that decides what is in its dataset, as text by key.

It goes into the manifest, beside what is done to images and the names of the classes. A
later run compares it with what it is given itself. Nothing of it depends on where files
lie or when they were written, so that the same archives give the same manifest.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final

import pyarrow.compute as pc

from beam_pipeline.config import BuildConfig
from transforms.archives import Archive
from transforms.documents import Manifest
from transforms.planning import NOT_KEPT, LabelByName, Selection
from transforms.shards import ShardOutput
from transforms.storage import CHECKSUM, checksum_of

_UNSET: Final = "not set"


def config_settings(config: BuildConfig) -> dict[str, str]:
    """Returns what the configuration alone decides."""
    settings: dict[str, str] = {"statistics": config.statistics}
    for name, most in config.max_file_bytes.items():
        settings[f"formats.{name}.max_file_bytes"] = f"{most:,}"
        settings[f"formats.{name}.dimensions"] = str(config.dimensions).lower()
    for split in config.versions[config.version]:
        if split in config.num_shards:
            settings[f"num_shards.{split}"] = f"{config.num_shards[split]:,}"
        settings |= _recipe_settings(config, split)
    if config.max_examples_per_split is not None:
        settings["max_examples_per_split"] = f"{config.max_examples_per_split:,}"
    return settings


def _recipe_settings(config: BuildConfig, split: str) -> dict[str, str]:
    """Returns what the configuration states of a split's recipe, lists apart."""
    settings: dict[str, str] = {}
    subset, held = config.splits[split].subset, config.val_from_train
    if subset is not None:
        if subset.draw is not None:
            settings[f"subset.{split}.draw"] = subset.draw.in_words()
        if subset.first_per_class is not None:
            first = f"{subset.first_per_class:,}"
            settings[f"subset.{split}.first_per_class"] = first
        if subset.renumbers:
            settings[f"subset.{split}.labels"] = subset.labels
    if held is not None and split == held.name:
        settings[f"subset.{split}.from_train"] = held.draw.in_words()
    return settings


def input_settings(
    archives: Iterable[Archive], selections: Mapping[str, Selection]
) -> dict[str, str]:
    """Returns what the files decide that are read.

    Args:
        archives: The archives.
        selections: What is wanted of each split.
    """
    settings = {}
    for archive in archives:
        kind = "overlay" if archive.layer else "archive"
        settings[f"splits.{archive.split}.{kind}"] = f"{archive.file.size:,} bytes"
    for split, selection in selections.items():
        if selection.subset is not None:
            settings[f"splits.{split}.subset"] = _digest(sorted(selection.subset.names))
        if selection.kept_classes is not None:
            kept = [
                str(i) for i, to in enumerate(selection.kept_classes) if to != NOT_KEPT
            ]
            settings[f"splits.{split}.subset.classes"] = _digest(kept)
        if selection.excluded is not None:
            names = sorted(selection.excluded.names)
            settings[f"splits.{split}.subset.exclude"] = _digest(names)
        if isinstance(selection.labeller, LabelByName):
            listed = selection.labeller.listed
            labels = pc.cast(listed["label"], "string").to_pylist()
            settings[f"splits.{split}.labels"] = _digest(
                [*listed["name"].to_pylist(), *labels]
            )
        else:
            settings[f"splits.{split}.labels"] = type(selection.labeller).__name__
    return settings


def setting_changes(
    manifest: Manifest, config: BuildConfig, output: ShardOutput, wanted: dict[str, str]
) -> list[str]:
    """Returns in what a finished dataset differs from the one that is asked for.

    Args:
        manifest: Of the dataset that is there.
        config: What is asked for.
        output: The same, as far as it is written.
        wanted: The settings as far as they are known, by key.
    """
    changes = []
    if manifest.class_names != output.schema.class_names:
        changes.append("class_names were others")
    for split, policy in manifest.images.items():
        if split in output.images:
            then, now = asdict(policy), asdict(output.images[split])
            changes += [
                f"splits.{split}.images.{key} was {then[key]}, now {now[key]}"
                for key in then
                if then[key] != now[key]
            ]
    changes += _checksum_changes(manifest, config)
    if not manifest.settings:
        return changes
    formats = tuple(f"formats.{name}." for name in manifest.formats)
    before = manifest.settings
    known = {k for k in wanted if not k.startswith("formats.") or k.startswith(formats)}
    # What could not be looked at now is not known to be another.
    known |= {
        key
        for key in before
        if not key.startswith("splits.")
        or f"splits.{key.split('.')[1]}.archive" in wanted
    }
    changes += [
        f"{key} was {before.get(key, _UNSET)}, now {wanted.get(key, _UNSET)}"
        for key in sorted(known)
        if before.get(key) != wanted.get(key)
    ]
    if not config.allow_missing:
        changes += [
            f"{split} was allowed to lack {number:,} images, and is not now"
            for split, counts in manifest.counts.items()
            if (number := counts.missing or counts.missing_members)
        ]
    return changes


def _checksum_changes(manifest: Manifest, config: BuildConfig) -> list[str]:
    """Returns that a hash was asked for, and the manifest has another one.

    The default asks for none: any hash that is there does as well.
    """
    if config.checksum == CHECKSUM:
        return []
    others = {checksum_of(digest) for digest in manifest.digests()} - {config.checksum}
    return [f"checksum was {other}, now {config.checksum}" for other in sorted(others)]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
