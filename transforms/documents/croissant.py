"""Croissant 1.1: a dataset's description that machines load it by.

One ``croissant.json`` in a folder of Parquet files describes every configuration: a set
of files, and a set of records with a field for each column (source: the Croissant 1.1
specification, http://mlcommons.org/croissant/1.1). No field refers to another record
set: the reference library would join the tables, and so hold all images in memory,
where now it goes file by file.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from transforms.documents.card import description_of
from transforms.documents.facts import DatasetFacts
from transforms.formats import KINDS, ConfigFacts, Feature

FILE_NAME: Final = "croissant.json"

# The specification's own, whole: readers warn of any other.
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant_documents(
    facts: DatasetFacts, configs: Sequence[ConfigFacts]
) -> Mapping[str, bytes]:
    """Returns ``croissant.json``, by its path beneath the folder.

    Args:
        facts: What is said of the dataset.
        configs: Its finished configurations, each in the subfolder of its name.
    """
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        **description_of(facts),
        "citeAs": facts.citation,
        "distribution": [_file_set(config) for config in configs],
        "recordSet": [
            _splits(configs),
            _classes(facts.schema.class_names),
            *(_records(facts, config) for config in configs),
        ],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return {FILE_NAME: f"{text}\n".encode()}


def _file_set(config: ConfigFacts) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{config.name}-files",
        "name": f"{config.name}-files",
        "description": f"Parquet files of {config.name}.",
        "encodingFormat": "application/x-parquet",
        "includes": f"{config.name}/*.parquet",
    }


def _splits(configs: Sequence[ConfigFacts]) -> dict[str, Any]:
    names = dict.fromkeys(split.name for config in configs for split in config.splits)
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits of every configuration.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": "splits/name",
                "name": "name",
                "description": "Name of the split.",
                "dataType": "sc:Text",
            }
        ],
        "data": [{"splits/name": name} for name in names],
    }


def _classes(class_names: Sequence[str]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The name of the class that each label stands for.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/label"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": "classes/label",
                "name": "label",
                "description": "Label of the class.",
                "dataType": "sc:Integer",
            },
            {
                "@type": "cr:Field",
                "@id": "classes/name",
                "name": "name",
                "description": "Name of the class.",
                "dataType": "sc:Text",
            },
        ],
        "data": [
            {"classes/label": label, "classes/name": name}
            for label, name in enumerate(class_names)
        ],
    }


def _records(facts: DatasetFacts, config: ConfigFacts) -> dict[str, Any]:
    names = "|".join(re.escape(split.name) for split in config.splits)
    path = f"{re.escape(config.name)}/({names})-.*\\.parquet$"
    split = {
        "@type": "cr:Field",
        "@id": f"{config.name}/split",
        "name": "split",
        "description": "Split of the record.",
        "dataType": ["sc:Text", "cr:Split"],
        "source": {
            "fileSet": {"@id": f"{config.name}-files"},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": path},
        },
    }
    return {
        "@type": "cr:RecordSet",
        "@id": config.name,
        "name": config.name,
        "description": config.description,
        "field": [split, *(_field(config, f) for f in facts.schema.columns)],
    }


def _field(config: ConfigFacts, feature: Feature) -> dict[str, Any]:
    kind = KINDS[feature.kind]
    source: dict[str, Any] = {
        "fileSet": {"@id": f"{config.name}-files"},
        "extract": {"column": feature.name},
    }
    if kind.croissant_transform:
        source["transform"] = dict(kind.croissant_transform)
    return {
        "@type": "cr:Field",
        "@id": f"{config.name}/{feature.name}",
        "name": feature.name,
        "description": feature.documentation,
        "dataType": kind.croissant,
        **({"repeated": True} if kind.repeated else {}),
        "source": source,
    }
