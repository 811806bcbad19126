"""Finds and checks everything a build reads, before a worker starts.

What a user can get wrong is told here, at once and from the command line's own
process: a missing archive, a wrong list, a directory that can't be written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from beam_pipeline.config import LABEL_BY_CONTAINER, NO_LABEL, BuildConfig, SplitConfig
from beam_pipeline.settings import config_settings, input_settings
from transforms import storage
from transforms.archives import Archive
from transforms.completeness import StatedNumbers
from transforms.errors import ArchiveError, SubsetError
from transforms.examples import Schema
from transforms.facts import DatasetFacts
from transforms.labels import (
    LabelByContainer,
    Labeller,
    Unlabelled,
    read_class_names,
    read_validation_labels,
)
from transforms.layout import SplitOptions
from transforms.output import ShardOutput
from transforms.subsets import Selection, SubsetList, read_subset_list

_DOWNLOAD_PAGE = "https://image-net.org/download-images"


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


def find_output(config: BuildConfig) -> ShardOutput:
    """Returns where a build writes, and what.

    Raises:
        LabelError: The file of class names is malformed.
        StorageError: It can't be read.
    """
    return ShardOutput(
        data_dir=config.data_dir,
        dataset=config.name,
        config=config.config,
        version=config.version,
        formats=config.formats,
        schema=Schema(
            read_class_names(config.class_names),
            config.dimensions,
            config.image_extension,
        ),
        images={split: config.image_policy(split) for split in config.splits},
        pixels=config.statistics == "full",
        overwrite=config.overwrite,
    )


def find_inputs(config: BuildConfig, output: ShardOutput) -> BuildInputs:
    """Returns what a build reads and writes.

    Args:
        config: What is asked for.
        output: What of it is to be written, and where.

    Raises:
        ArchiveError: An archive is not there.
        LabelError: A file of class names or labels is malformed.
        StorageError: A file can't be read.
        SubsetError: A subset list can't be had or is not the one described.
    """
    archives = {
        split: found
        for split in config.versions[config.version]
        if (found := _find_archives(config, split, config.splits[split]))
    }
    class_names = output.schema.class_names
    selections = {
        split: Selection(
            labeller=make_labeller(config.splits[split], class_names),
            subset=_read_subset(config, split),
        )
        for split in archives
    }
    every = tuple(archive for found in archives.values() for archive in found)
    return BuildInputs(
        archives=every,
        index_dir=config.index_dir,
        selections=selections,
        options={
            split: SplitOptions(
                subset=selection.subset,
                num_shards=config.num_shards.get(split),
                max_examples=config.max_examples_per_split,
                stated=StatedNumbers(
                    config.splits[split].members, config.splits[split].examples
                ),
                allow_missing=config.allow_missing,
                max_file_bytes=config.max_file_bytes,
            )
            for split, selection in selections.items()
        },
        output=output,
        facts=DatasetFacts(
            name=config.name,
            title=config.title,
            config=config.config,
            version=config.version,
            description=_describe(config, archives),
            config_description=config.config_description.strip(),
            homepage=config.homepage,
            citation=storage.read_bytes(config.citation).decode("utf-8").strip(),
            license=config.license,
            creators=config.creators,
            published=config.published,
            manual_download=config.manual_download.strip(),
            release_notes=config.release_notes,
            module=config.module,
            default_config=config.default_config or config.config,
            schema=output.schema,
            download_size=sum(
                selection.subset.size
                for selection in selections.values()
                if selection.subset
            ),
            splits=tuple(archives),
            settings=config_settings(config) | input_settings(every, selections),
        ),
        max_rejects=config.max_rejects,
    )


def _read_subset(config: BuildConfig, split: str) -> SubsetList | None:
    """Returns a split's list, if it has one, of as many names as are stated."""
    wanted = config.splits[split]
    if wanted.subset is None:
        return None
    found = read_subset_list(wanted.subset, config.manual_dir, config.cache_dir)
    if wanted.examples not in (None, len(found.names)):
        raise SubsetError(
            f"{found.source} names {len(found.names):,} images, and "
            f"splits.{split}.examples of the configuration states {wanted.examples:,}. "
            "It may be another list, or one that was cut off or edited. For a list of "
            f"your own, state its number as splits.{split}.examples, or null."
        )
    return found


def _describe(config: BuildConfig, splits: Iterable[str]) -> str:
    """Returns the dataset's description, with what is done to its images."""
    said = {split: config.image_policy(split).in_words() for split in splits}
    if len({*said.values()}) == 1:
        treatment = next(iter(said.values()))
    else:
        treatment = " ".join(f"In {split}: {text}" for split, text in said.items())
    return f"{config.description.strip()} {treatment}"


def _find_archives(
    config: BuildConfig, split: str, wanted: SplitConfig
) -> list[Archive]:
    base = _first_there(config.manual_dir, wanted.archives)
    if base is None:
        if wanted.optional:
            return []
        raise ArchiveError(
            f"The archive of the {split} split is missing: there is no "
            f"{' or '.join(wanted.archives)} in {config.manual_dir}. Get it from "
            f"{_DOWNLOAD_PAGE} (you need to register), or say with --manual_dir where "
            "it is."
        )
    overlay = _first_there(config.manual_dir, wanted.overlays)
    return [
        Archive(split, storage.file_info(uri), wanted.layout, layer)
        for layer, uri in enumerate((base, overlay))
        if uri is not None
    ]


def _first_there(directory: str, names: tuple[str, ...]) -> str | None:
    paths = (storage.join(directory, name) for name in names)
    return next((path for path in paths if storage.exists(path)), None)


def make_labeller(split: SplitConfig, class_names: tuple[str, ...]) -> Labeller:
    """Returns what gives the images of a split their labels.

    Raises:
        LabelError: A file of labels is malformed.
        StorageError: It can't be read.
    """
    if split.labels == LABEL_BY_CONTAINER:
        return LabelByContainer(class_names)
    if split.labels == NO_LABEL:
        return Unlabelled()
    return read_validation_labels(split.labels, class_names)
