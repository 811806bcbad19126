"""The documents of a directory as TFDS has it, byte for byte.

``tfds.load`` takes the directory for one that TFDS built. Formats and sources:
``core/dataset_info.py`` and ``core/features`` of tensorflow-datasets 4.9.10.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from transforms.documents.facts import DatasetFacts
from transforms.formats import SplitFacts, tfds_feature

_FEATURES_MODULE: Final = "tensorflow_datasets.core.features"
_FILE_TEMPLATE: Final = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"


def default_config_document(facts: DatasetFacts) -> bytes:
    """Returns what ``.config/metadata.json``, beside the configurations, holds."""
    return json.dumps({"default_config_name": facts.default_config}).encode()


def labels_documents(facts: DatasetFacts) -> dict[str, bytes]:
    """Returns ``label.labels.txt``, or one of each feature whose values are classes."""
    names = "".join(f"{name}\n" for name in facts.schema.class_names).encode()
    return {f"{each.name}.labels.txt": names for each in facts.schema.labelled}


def features_document(facts: DatasetFacts) -> bytes:
    """Returns what ``features.json`` holds."""
    document = {
        "pythonClassName": f"{_FEATURES_MODULE}.features_dict.FeaturesDict",
        "featuresDict": {
            "features": {
                each.name: tfds_feature(each, each.kind, facts.schema.class_names)
                for each in facts.schema.features
            }
        },
    }
    return json.dumps(document, indent=4, sort_keys=True).encode()


def info_document(
    facts: DatasetFacts, formats: Sequence[str], splits: Sequence[SplitFacts]
) -> bytes:
    """Returns what ``dataset_info.json`` holds; 64-bit numbers are strings there.

    Args:
        facts: What is said of the dataset.
        formats: The formats that are there, the one that loaders take by default first.
        splits: What was counted, the same in each format.
    """
    main_format, *others = formats
    document = {
        "citation": facts.citation,
        "configDescription": facts.about.config_description,
        "configName": facts.config,
        "description": facts.about.description,
        "downloadSize": str(facts.download_size or ""),
        "fileFormat": main_format,
        "alternativeFileFormats": others,
        "location": facts.about.homepage and {"urls": [facts.about.homepage]},
        "moduleName": facts.about.module,
        "name": facts.name,
        "releaseNotes": dict(facts.about.release_notes),
        "splits": split_documents(splits),
        "supervisedKeys": {
            "tuple": {"items": [{"featureKey": key} for key in facts.schema.supervised]}
        },
        "version": facts.version,
    }
    there = {key: value for key, value in document.items() if value}
    return json.dumps(there, indent=2, sort_keys=True).encode()


def split_documents(splits: Sequence[SplitFacts]) -> list[dict[str, Any]]:
    """Returns what ``dataset_info.json`` holds of each split."""
    return [
        {
            "filepathTemplate": _FILE_TEMPLATE,
            "name": split.name,
            "numBytes": str(split.example_bytes),
            "shardLengths": [str(file.examples) for file in split.files],
        }
        for split in splits
    ]
