"""Finds and checks everything a build reads, before a worker starts.

What a user can get wrong is told here, at once and from the command line's own
process: a missing archive, a wrong list, a directory that can't be written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from beam_pipeline.config import HELD_FROM, BuildConfig
from beam_pipeline.inputs.archives import find_archives
from beam_pipeline.inputs.checksums import refuse_mistaken
from beam_pipeline.inputs.selections import dataset_classes, select
from beam_pipeline.inputs.settings import config_settings, input_settings
from transforms import storage
from transforms.archives import Archive
from transforms.documents import DatasetFacts
from transforms.formats import Places, Schema
from transforms.planning import (
    Selection,
    SplitOptions,
    StatedNumbers,
    read_class_names,
    read_class_titles,
)
from transforms.shards import ShardOutput
from transforms.storage import is_absolute


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """What the steps of the pipeline are given.

    Attributes:
        archives: The archives to read.
        index_dir: Directory of their saved indexes.
        selections: What is wanted of each split.
        options: How each split is planned.
        output: Where shards go and what they are.
        facts: What is said of the dataset.
        max_rejects: Most images that may be left out; below 1, a share of them.
    """

    archives: tuple[Archive, ...]
    index_dir: str
    selections: Mapping[str, Selection]
    options: Mapping[str, SplitOptions]
    output: ShardOutput
    facts: DatasetFacts
    max_rejects: float


def name_places(config: BuildConfig) -> dict[str, str]:
    """Returns the directories of a build by flag, and archives that lie elsewhere."""
    elsewhere = {
        f"set splits.{split}.{key}={path}:": path
        for split in config.versions[config.version]
        for key in ("archives", "overlays")
        for path in getattr(config.splits[split], key)
        if is_absolute(path)
    }
    names = ("data_dir", "manual_dir", "index_dir")
    return {name: getattr(config, name) for name in names} | elsewhere


def find_output(config: BuildConfig) -> ShardOutput:
    """Returns where a build writes, and what.

    Raises:
        LabelError: The file of class names is malformed.
        StorageError: It can't be read.
    """
    return ShardOutput(
        places=Places(config.data_dir, config.name, config.config, config.version),
        formats=config.formats,
        schema=Schema(
            dataset_classes(config),
            config.dimensions,
            config.image_extension,
            config.record_features,
            config.supervised,
            config.order,
        ),
        images={split: config.image_policy(split) for split in config.splits},
        pixels=config.statistics == "full",
        checksum=config.checksum,
        overwrite=config.overwrite,
        checks_space=not config.ignore_free_space,
    )


def find_inputs(config: BuildConfig, output: ShardOutput) -> BuildInputs:
    """Returns what a build reads and writes.

    Args:
        config: What is asked for.
        output: What of it is to be written, and where.

    Raises:
        ArchiveError: An archive is not there, or another one of its name.
        LabelError: A file of class names or labels is malformed.
        StorageError: A file can't be read.
        SubsetError: A subset list cannot be found or is not the one described.
    """
    archives = find_archives(config, read_class_names(config.class_names))
    refuse_mistaken(
        (archive.file for found in archives.values() for archive in found),
        config.known_archives,
    )
    class_names = output.schema.class_names
    selections = {split: select(config, split, class_names) for split in archives}
    every = tuple(archive for found in archives.values() for archive in found)
    return BuildInputs(
        archives=every,
        index_dir=config.index_dir,
        selections=selections,
        options={
            split: _plan_options(config, split, selection, output.schema)
            for split, selection in selections.items()
        },
        output=output,
        facts=_find_facts(
            config,
            output.schema,
            selections,
            config_settings(config) | input_settings(every, selections),
        ),
        max_rejects=config.max_rejects,
    )


def _plan_options(
    config: BuildConfig, split: str, selection: Selection, schema: Schema
) -> SplitOptions:
    return SplitOptions(
        subset=selection.subset,
        num_shards=config.num_shards.get(split),
        max_examples=config.max_examples_per_split,
        stated=StatedNumbers(
            config.splits[split].members, config.splits[split].examples
        ),
        allow_missing=config.allow_missing,
        max_file_bytes=config.max_file_bytes,
        excluded=selection.excluded,
        features=schema.features,
        order=schema.order,
    )


def _find_facts(
    config: BuildConfig,
    schema: Schema,
    selections: Mapping[str, Selection],
    settings: Mapping[str, str],
) -> DatasetFacts:
    return DatasetFacts(
        name=config.name,
        config=config.config,
        version=config.version,
        about=replace(
            config.about,
            title=config.about.title or config.name,
            description=_describe(config, selections),
            config_description=config.about.config_description.strip(),
            manual_download=config.about.manual_download.strip(),
        ),
        citation=storage.read_bytes(config.citation).decode("utf-8").strip()
        if config.citation
        else "",
        schema=schema,
        download_size=config.download_size
        if config.download_size is not None
        else sum(each.subset.size for each in selections.values() if each.subset),
        splits=tuple(selections),
        settings=settings,
        class_titles=read_class_titles(config.class_titles),
        listed=tuple(split for split in selections if _is_cut(config, split)),
    )


def _is_cut(config: BuildConfig, split: str) -> bool:
    """Returns whether a split is cut down by a recipe, and not by a list alone."""
    subset, held = config.splits[split].subset, config.val_from_train
    drawn = held is not None and split in (held.name, HELD_FROM)
    return drawn or (subset is not None and subset.cuts)


def _describe(config: BuildConfig, splits: Iterable[str]) -> str:
    """Returns the dataset's description, with what is drawn of it and done to it."""
    said = {split: config.image_policy(split).in_words() for split in splits}
    if len({*said.values()}) == 1:
        treatment = next(iter(said.values()))
    else:
        treatment = " ".join(f"In {split}: {text}" for split, text in said.items())
    drawn = [f" {said}" for split in splits for said in _cut_in_words(config, split)]
    return f"{config.about.description.strip()}{''.join(drawn)} {treatment}"


def _cut_in_words(config: BuildConfig, split: str) -> list[str]:
    """Returns a sentence on what a split is cut down to by a recipe, if it is."""
    said = []
    subset = config.splits[split].subset
    if subset is not None and subset.cuts:
        said.append(f"The {split} split has {subset.in_words()}.")
    held = config.val_from_train
    if held is not None and split == held.name:
        said.append(
            f"The {split} split has {held.draw.in_words()}, which {HELD_FROM} lacks."
        )
    return said
