"""Finds and checks everything a build reads, before a worker starts.

What a user can get wrong is told here, at once and from the command line's own
process: a missing archive, a wrong list, a directory that can't be written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from beam_pipeline.config import LABEL_BY_LIST, NO_LABEL, BuildConfig, SplitConfig
from beam_pipeline.inputs.archives import find_archives
from beam_pipeline.inputs.checksums import refuse_mistaken
from beam_pipeline.inputs.settings import config_settings, input_settings
from transforms import storage
from transforms.archives import Archive
from transforms.documents import DatasetFacts
from transforms.errors import SubsetError
from transforms.formats import Places, Schema
from transforms.planning import (
    LabelByContainer,
    LabelFile,
    Labeller,
    Selection,
    SplitOptions,
    StatedNumbers,
    SubsetList,
    Unlabelled,
    labels_of_list,
    read_class_names,
    read_class_titles,
    read_label_file,
    read_subset_list,
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
            read_class_names(config.class_names),
            config.dimensions,
            config.image_extension,
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
        SubsetError: A subset list can't be had or is not the one described.
    """
    class_names = output.schema.class_names
    archives = find_archives(config, class_names)
    refuse_mistaken(
        (archive.file for found in archives.values() for archive in found),
        config.known_archives,
    )
    selections = {split: _select(config, split, class_names) for split in archives}
    every = tuple(archive for found in archives.values() for archive in found)
    return BuildInputs(
        archives=every,
        index_dir=config.index_dir,
        selections=selections,
        options={
            split: _plan_options(config, split, selection.subset)
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
    config: BuildConfig, split: str, subset: SubsetList | None
) -> SplitOptions:
    return SplitOptions(
        subset=subset,
        num_shards=config.num_shards.get(split),
        max_examples=config.max_examples_per_split,
        stated=StatedNumbers(
            config.splits[split].members, config.splits[split].examples
        ),
        allow_missing=config.allow_missing,
        max_file_bytes=config.max_file_bytes,
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
            description=_describe(config, selections),
            config_description=config.about.config_description.strip(),
            manual_download=config.about.manual_download.strip(),
        ),
        citation=storage.read_bytes(config.citation).decode("utf-8").strip(),
        schema=schema,
        download_size=sum(
            selection.subset.size
            for selection in selections.values()
            if selection.subset
        ),
        splits=tuple(selections),
        settings=settings,
        class_titles=read_class_titles(config.class_titles),
    )


def _describe(config: BuildConfig, splits: Iterable[str]) -> str:
    """Returns the dataset's description, with what is done to its images."""
    said = {split: config.image_policy(split).in_words() for split in splits}
    if len({*said.values()}) == 1:
        treatment = next(iter(said.values()))
    else:
        treatment = " ".join(f"In {split}: {text}" for split, text in said.items())
    return f"{config.about.description.strip()} {treatment}"


def _select(config: BuildConfig, split: str, class_names: tuple[str, ...]) -> Selection:
    subset = find_subset(config, split, class_names)
    labeller = make_labeller(config.splits[split], class_names, subset)
    return Selection(labeller, subset, class_names)


def find_subset(
    config: BuildConfig, split: str, class_names: tuple[str, ...]
) -> SubsetList | None:
    """Returns the list that a split is cut down to, if there is one.

    Args:
        config: What is asked for.
        split: The split's name.
        class_names: The name of class ``i`` at position ``i``.

    Raises:
        SubsetError: It can't be had, is not the one described, is malformed, or names
            another number of images than is stated.
        StorageError: It can't be read.
    """
    wanted = config.splits[split]
    if wanted.subset is None:
        return None
    found = read_subset_list(
        wanted.subset, config.manual_dir, config.cache_dir, class_names
    )
    if wanted.examples not in (None, len(found.names)):
        raise SubsetError(
            f"{found.source} names {len(found.names):,} images, and "
            f"splits.{split}.examples of the configuration states {wanted.examples:,}. "
            "It may be another list, or one that was cut off or edited. For a list of "
            f"your own, state its number as splits.{split}.examples, or null."
        )
    return found


def make_labeller(
    split: SplitConfig, class_names: tuple[str, ...], subset: SubsetList | None
) -> Labeller:
    """Returns what gives the images of a split their labels.

    Args:
        split: The split.
        class_names: The name of class ``i`` at position ``i``.
        subset: The list it is cut down to, which is needed where it has the labels.

    Raises:
        LabelError: A file of labels is malformed, or the list lacks one.
        StorageError: It can't be read.
    """
    if isinstance(split.labels, LabelFile):
        return read_label_file(split.labels, class_names, split.members)
    if split.labels == LABEL_BY_LIST and subset is not None:
        return labels_of_list(subset, class_names)
    if split.labels == NO_LABEL:
        return Unlabelled()
    return LabelByContainer(class_names)
