"""The documents of a finished dataset, written after its last shard.

``dataset_info.json`` is the last of them: a directory that has it is complete. The
documents are TFDS's own, byte for byte (``core/dataset_info.py``,
``core/features``), so that ``tfds.load`` takes the directory for one it built.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam

from transforms import storage
from transforms.errors import StorageError
from transforms.examples import FEATURES
from transforms.formats import FORMATS, shard_name
from transforms.shards import DATASET_INFO, REPORTS, ShardOutput, ShardReport

_TFDS_FEATURES: Final = "tensorflow_datasets.core.features"
_FILE_TEMPLATE: Final = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What is said of a dataset besides what is counted.

    Attributes:
        name: The dataset's name.
        config: The configuration's name.
        version: ``major.minor.patch``.
        description: A few sentences on the dataset.
        config_description: A sentence on the configuration.
        homepage: Its web page.
        citation: BibTeX entries.
        release_notes: A note by version.
        module: The TFDS module that ``tfds.load`` would use for the name.
        default_config: The configuration that the bare name stands for.
        class_names: The name of class ``i`` at position ``i``.
        download_size: Bytes downloaded, which is the subset list's length.
        splits: The splits in the order they are listed.
    """

    name: str
    config: str
    version: str
    description: str
    config_description: str
    homepage: str
    citation: str
    release_notes: Mapping[str, str]
    module: str
    default_config: str
    class_names: tuple[str, ...]
    download_size: int
    splits: tuple[str, ...]


def write_metadata(
    facts: DatasetFacts, output: ShardOutput, reports: Iterable[ShardReport]
) -> None:
    """Writes the documents that make a directory of shards a dataset.

    Args:
        facts: What is said of the dataset.
        output: Where its shards are.
        reports: One per shard, in any order.

    Raises:
        StorageError: A document can't be written, or a shard has no report.
    """
    by_split = _complete_splits(facts, reports)
    directory = output.directory
    config_dir = storage.join(
        directory.rsplit("/", 2)[0], ".config"
    )  # beside the configurations, as TFDS has it
    storage.make_directory(config_dir)
    default = {"default_config_name": facts.default_config}
    storage.publish_bytes(
        storage.join(config_dir, "metadata.json"), json.dumps(default).encode()
    )
    _remove_strangers(output, by_split)
    storage.publish_bytes(
        storage.join(directory, "label.labels.txt"),
        "".join(f"{name}\n" for name in facts.class_names).encode(),
    )
    storage.publish_bytes(
        storage.join(directory, "features.json"),
        json.dumps(features_document(facts), indent=4, sort_keys=True).encode(),
    )
    storage.publish_bytes(
        storage.join(directory, DATASET_INFO),
        json.dumps(
            info_document(facts, output, by_split), indent=2, sort_keys=True
        ).encode(),
    )
    storage.remove_tree(storage.join(directory, REPORTS))


def is_complete(directory: str) -> bool:
    """Returns whether a directory holds a finished dataset."""
    return storage.exists(storage.join(directory, DATASET_INFO))


def features_document(facts: DatasetFacts) -> dict[str, Any]:
    """Returns what ``features.json`` holds."""
    details: dict[str, dict[str, Any]] = {
        "text": {"text": {}},
        "image": {
            "image": {
                "dtype": "uint8",
                "shape": {"dimensions": ["-1", "-1", "3"]},
            }
        },
        "label": {"classLabel": {"numClasses": str(len(facts.class_names))}},
    }
    return {
        "pythonClassName": f"{_TFDS_FEATURES}.features_dict.FeaturesDict",
        "featuresDict": {
            "features": {
                feature.name: {
                    "pythonClassName": f"{_TFDS_FEATURES}.{feature.tfds_class}",
                    **details[feature.kind],
                }
                for feature in FEATURES
            }
        },
    }


def info_document(
    facts: DatasetFacts,
    output: ShardOutput,
    by_split: Mapping[str, list[ShardReport]],
) -> dict[str, Any]:
    """Returns what ``dataset_info.json`` holds; 64-bit numbers are strings there."""
    main_format, *others = (FORMATS[name].suffix for name in output.formats)
    document = {
        "citation": facts.citation,
        "configDescription": facts.config_description,
        "configName": facts.config,
        "description": facts.description,
        "downloadSize": str(facts.download_size),
        "fileFormat": main_format,
        "location": {"urls": [facts.homepage]},
        "moduleName": facts.module,
        "name": facts.name,
        "releaseNotes": dict(facts.release_notes),
        "splits": [
            {
                "filepathTemplate": _FILE_TEMPLATE,
                "name": split,
                "numBytes": str(sum(report.example_bytes for report in reports)),
                "shardLengths": [str(report.examples) for report in reports],
            }
            for split, reports in by_split.items()
        ],
        "supervisedKeys": {
            "tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}
        },
        "version": facts.version,
    }
    if others:
        document["alternativeFileFormats"] = others
    return {key: value for key, value in document.items() if value}


def _complete_splits(
    facts: DatasetFacts, reports: Iterable[ShardReport]
) -> dict[str, list[ShardReport]]:
    """Returns each split's reports in order; a shard without one is an error."""
    by_split: dict[str, list[ShardReport]] = {split: [] for split in facts.splits}
    for report in sorted(reports, key=lambda report: report.index):
        by_split[report.split].append(report)
    for split, found in by_split.items():
        indices = [report.index for report in found]
        if not found or indices != list(range(found[0].count)):
            raise StorageError(
                f"The {split} split is not complete: of "
                f"{found[0].count if found else 'an unknown number of'} shards, "
                f"{indices} were reported. Rerun; the shards that are there are kept."
            )
    return by_split


def _remove_strangers(
    output: ShardOutput, by_split: Mapping[str, list[ShardReport]]
) -> None:
    """Removes what dead runs left: unpublished files, shards of another plan."""
    ours = {
        shard_name(output.dataset, report.split, name, report.index, report.count)
        for reports in by_split.values()
        for report in reports
        for name in output.formats
    }
    for name in storage.list_names(output.directory):
        if name in ours:
            continue
        if storage.is_unfinished(name) or name.startswith(f"{output.dataset}-"):
            storage.remove(storage.join(output.directory, name))


@dataclass
class WriteMetadata(beam.PTransform):  # type: ignore[misc]
    """Writes the documents of the dataset when every shard is there.

    Attributes:
        facts: What is said of the dataset.
        output: Where its shards are.
    """

    facts: DatasetFacts
    output: ShardOutput

    def expand(self, reports: beam.PCollection[ShardReport]) -> beam.PCollection[str]:
        """Gathers the reports; gives the directory of the dataset."""
        return (
            reports
            | "KeyByDataset" >> beam.Map(self._key_by_dataset)
            | "GroupReports" >> beam.GroupByKey()
            | "Write" >> beam.Map(self._write)
        )

    def _key_by_dataset(self, report: ShardReport) -> tuple[str, ShardReport]:
        return self.output.directory, report

    def _write(self, group: tuple[str, Iterable[ShardReport]]) -> str:
        directory, reports = group
        write_metadata(self.facts, self.output, reports)
        return directory
