"""Finds what a dataset is held against when it is verified, besides its documents.

That is what its configuration says of labels, and, where the archives are named, the
archives themselves. Which policy the images went through is the manifest's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from beam_pipeline.config import (
    BuildConfig,
    load_config,
    shipped_config_of,
)
from beam_pipeline.inputs.build import (
    BuildInputs,
    find_inputs,
    find_output,
)
from beam_pipeline.inputs.numbers import check_numbers
from beam_pipeline.inputs.options import VerifyOptions
from beam_pipeline.inputs.selections import absent_labels, expected_labeller
from transforms.errors import ConfigError
from transforms.formats import find_data_dir, full_name
from transforms.images import ImagePolicy
from transforms.planning import Labeller, StatedNumbers
from transforms.shards import ShardOutput
from transforms.verification import (
    Expectations,
    Findings,
    FindingsBuilder,
    Holding,
    ImageCheck,
    ShardFile,
    take_inventory,
)


@dataclass(frozen=True, slots=True)
class VerifyInputs:
    """What the steps of a verification are given.

    Attributes:
        holdings: What the documents say.
        demands: What else records are held against, by configuration.
        images: How closely images are looked at.
        archives: How the archives are read; None where they are not.
        findings: What is wrong with the documents, or contradicts the configuration.
        remarks: What could not be verified, in sentences.
    """

    holdings: tuple[Holding, ...]
    demands: Mapping[str, Expectations]
    images: ImageCheck
    archives: BuildInputs | None
    findings: Findings
    remarks: tuple[str, ...]

    @property
    def files(self) -> list[ShardFile]:
        """All files, in the order of the documents."""
        return [f for h in self.holdings for split in h.splits for f in split.files]


def find_demands(options: VerifyOptions) -> VerifyInputs:
    """Returns what the files of a dataset are held against.

    Args:
        options: What is asked for.

    Raises:
        ConfigError: The configuration is wrong, or not the dataset's.
        ArchiveError: An archive is not there.
        LabelError: A file of class names or labels is malformed.
        SubsetError: A subset list cannot be found or is not the one described.
        StorageError: A file can't be read.
    """
    inventory = take_inventory(options.directory)
    holdings = list(inventory.holdings)
    if len(holdings) > 1 and (options.config or options.with_archives):
        raise ConfigError(
            f"{options.directory} holds {len(holdings)} configurations. Name the "
            "folder of one of them to hold it against a configuration or the archives."
        )
    findings = FindingsBuilder()
    findings.include([inventory.findings])
    remarks = []
    demands = {}
    archives = None
    for number, holding in enumerate(holdings):
        remarks += _unhashed(holding)
        config = _find_config(holding, options)
        if config is None:
            remarks.append(
                f"{holding.title}: labels are held against file names alone, for no "
                "configuration of the dataset is known; --config names it."
            )
            demands[holding.config] = Expectations({}, {}, archived=False)
            continue
        holdings[number] = holding = _in_order(holding, config)
        output = find_output(config)
        class_names = output.schema.class_names
        _check_holding(holding, config, class_names, findings)
        remarks += check_numbers(holding, config, findings)
        if options.with_archives:
            archives = _find_archives(holding, config, output)
            labellers = {k: each.labeller for k, each in archives.selections.items()}
            listed = _listed(holding, config, archives)
        else:
            labellers, listed = _labellers(holding, config, class_names, remarks), {}
        archived = options.with_archives
        demands[holding.config] = Expectations(labellers, listed, archived=archived)
    if options.images == "none":
        remarks.append("No image was looked at.")
    if not options.with_archives:
        remarks.append("Images were not held against archives; --manual_dir does that.")
    return VerifyInputs(
        tuple(holdings),
        demands,
        options.images,
        archives,
        findings.result(),
        tuple(remarks),
    )


def _in_order(holding: Holding, config: BuildConfig) -> Holding:
    """Returns a dataset whose order is the configuration's to say, not a manifest's."""
    return holding if holding.hashed else holding.ordered_by(config.order)


def _unhashed(holding: Holding) -> list[str]:
    """Returns a sentence where the hash of some of a dataset's files is not known."""
    if not holding.hashed:
        return [
            f"{holding.title}: there is no manifest.json, so no hash of a file is "
            "known."
        ]
    if not holding.documented:
        return [
            f"{holding.title}: manifest.json is of an earlier version, so no hash of "
            "a document is known."
        ]
    return []


def _find_config(holding: Holding, options: VerifyOptions) -> BuildConfig | None:
    """Returns the configuration of a dataset, if it is known."""
    name = options.config or shipped_config_of(holding.dataset, holding.config)
    if name is None:
        if options.with_archives:
            raise ConfigError(
                f"There is no shipped configuration {holding.title}: name with "
                "--config the one that the dataset was built with."
            )
        return None
    flags = {
        **options.flags,
        "version": holding.version,
        # A dataset is read, not built: none of these matters, and some may not fit.
        "formats": ["tfrecord"],
        "dimensions": False,
        "max_file_bytes": {},
        "num_shards": {},
    }
    if options.flags.get("data_dir") is None:
        flags["data_dir"] = find_data_dir(
            options.directory, holding.dataset, holding.config, holding.version
        )
    config = load_config(name, options.overrides, flags)
    if (config.name, config.config) != (holding.dataset, holding.config):
        if options.config is None and not options.with_archives:
            return None
        raise ConfigError(
            f"{name} describes {config.full_name}, and "
            f"{options.directory} holds {full_name(holding.dataset, holding.config)}. "
            "Name with --config the configuration that it was built with."
        )
    return config


def _check_holding(
    holding: Holding,
    config: BuildConfig,
    class_names: tuple[str, ...],
    findings: FindingsBuilder,
) -> None:
    """Holds what a dataset says of itself against its configuration."""
    source = holding.splits[0].source if holding.splits else "manifest.json"
    if holding.class_names != class_names:
        findings.add(
            source,
            "label",
            f"Its {len(holding.class_names):,} classes are not those of "
            f"{config.class_names}.",
        )
    there = {split.name for split in holding.splits}
    for name in config.versions[config.version]:
        if name not in there and not config.splits[name].optional:
            findings.add(source, "count", f"It lacks the {name} split.")


def _labellers(
    holding: Holding,
    config: BuildConfig,
    class_names: tuple[str, ...],
    remarks: list[str],
) -> dict[str, Labeller]:
    """Returns what labels each split, and remarks on lists that are not at hand."""
    labellers = {}
    there = {split.name for split in holding.splits} & config.splits.keys()
    for name in sorted(there):
        packed = absent_labels(config, name)
        if packed is None:
            labellers[name] = expected_labeller(config, name, class_names)
        else:
            remarks.append(
                f"{holding.title}: the labels of {name} were not held against the "
                f"published ones, which lie in {packed}; --manual_dir names its folder."
            )
    return labellers


def _listed(
    holding: Holding, config: BuildConfig, archives: BuildInputs
) -> dict[str, frozenset[str]]:
    """Returns the names that no split may lack, as far as it is cut to a list."""
    if config.allow_missing:
        return {}
    return {
        split: frozenset(selection.subset.names)
        for split, selection in archives.selections.items()
        if selection.subset is not None
        and archives.options[split].max_examples is None
        and not (split in holding.counts and holding.counts[split].missing)
    }


def _find_archives(
    holding: Holding, config: BuildConfig, output: ShardOutput
) -> BuildInputs:
    """Returns how the archives are read to be compared with a dataset."""
    # What a list names and the archives lack is reported with all other problems.
    inputs = find_inputs(replace(config, allow_missing=True), output)
    there = {split.name for split in holding.splits}
    images: dict[str, ImagePolicy] = {
        split.name: split.files[0].images for split in holding.splits if split.files
    }
    missing = sorted(there - inputs.selections.keys())
    if missing:
        raise ConfigError(
            f"The configuration has no {' and no '.join(missing)} split, or its "
            f"archive is not in {config.manual_dir}."
        )
    return replace(
        inputs,
        # The dataset is held against the numbers that are stated, not the archives.
        options={
            split: replace(
                options,
                stated=StatedNumbers(),
                max_examples=holding.counts[split].limit
                if split in holding.counts
                else options.max_examples,
            )
            for split, options in inputs.options.items()
        },
        archives=tuple(a for a in inputs.archives if a.split in there),
        output=replace(inputs.output, images=images),
    )
