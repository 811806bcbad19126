"""Croissant: the whole document of a small dataset. Loading it is tested elsewhere."""

import json
import re
from dataclasses import replace
from typing import Any

from tests.documents.test_card import FACTS, ONE, TEN
from transforms.documents.croissant import croissant_documents
from transforms.documents.facts import DatasetFacts
from transforms.formats.listing import ConfigFacts


def document(facts: DatasetFacts, *configs: ConfigFacts) -> dict[str, Any]:
    documents = croissant_documents(facts, configs)
    assert list(documents) == ["croissant.json"]
    assert documents["croissant.json"].endswith(b"\n}\n")
    parsed = json.loads(documents["croissant.json"])
    assert isinstance(parsed, dict)
    return parsed


def column(
    config: str, name: str, description: str, data_type: object, **transform: object
) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{config}/{name}",
        "name": name,
        "description": description,
        "dataType": data_type,
        "source": {
            "fileSet": {"@id": f"{config}-files"},
            "extract": {"column": name},
            **transform,
        },
    }


def test_document_is_whole() -> None:
    found = document(FACTS, ONE)
    del found["@context"]
    assert found == {
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": "imagenet2012_subset",
        "description": "A part of ImageNet for learning from few labels.",
        "url": "http://image-net.org/",
        "version": "5.0.0",
        "license": "https://image-net.org/download.php",
        "creator": [
            {"@type": "Person", "name": "Ting Chen"},
            {"@type": "Person", "name": "Simon Kornblith"},
        ],
        "keywords": ["imagenet2012_subset", "images", "image classification"],
        "datePublished": "2020-02-13",
        "citeAs": "@article{ILSVRC15,\n  year={2015}\n}\n",
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": "1pct-files",
                "name": "1pct-files",
                "description": "Parquet files of 1pct.",
                "encodingFormat": "application/x-parquet",
                "includes": "1pct/*.parquet",
            }
        ],
        "recordSet": [
            {
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
                "data": [{"splits/name": "train"}, {"splits/name": "validation"}],
            },
            {
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
                    {"classes/label": 0, "classes/name": "n01440764"},
                    {"classes/label": 1, "classes/name": "n01443537"},
                    {"classes/label": 2, "classes/name": "n01484850"},
                ],
            },
            {
                "@type": "cr:RecordSet",
                "@id": "1pct",
                "name": "1pct",
                "description": "1pct of total ImageNet training set.",
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": "1pct/split",
                        "name": "split",
                        "description": "Split of the record.",
                        "dataType": ["sc:Text", "cr:Split"],
                        "source": {
                            "fileSet": {"@id": "1pct-files"},
                            "extract": {"fileProperty": "fullpath"},
                            "transform": {
                                "regex": r"1pct/(train|validation)-.*\.parquet$"
                            },
                        },
                    },
                    column(
                        "1pct",
                        "file_name",
                        "Name of the image's file in its archive; unique within a "
                        "split.",
                        "sc:Text",
                    ),
                    column(
                        "1pct",
                        "image",
                        "The encoded image.",
                        "sc:ImageObject",
                        transform={"jsonPath": "bytes"},
                    ),
                    column(
                        "1pct",
                        "label",
                        "Position of the class's WordNet id in the sorted list of "
                        "ids; -1 for none.",
                        ["sc:Integer", "cr:Label"],
                    ),
                ],
            },
        ],
    }


def test_context_is_the_standard_one() -> None:
    context = document(FACTS, ONE)["@context"]
    named = {key: value for key, value in context.items() if value != f"cr:{key}"}
    assert named == {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "description": {"@container": "@language"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "name": {"@container": "@language"},
        "rai": "http://mlcommons.org/croissant/RAI/",
        "sc": "https://schema.org/",
    }
    assert " ".join(key for key in context if key not in named) == (
        "arrayShape citeAs column containedIn equivalentProperty extract field "
        "fileObject fileProperty fileSet format includes isArray isLiveDataset "
        "jsonPath key md5 parentField path recordSet references regex repeated "
        "replace samplingRate separator source subField transform"
    )


def test_every_configuration_has_its_files_and_its_records() -> None:
    test = replace(ONE.splits[0], name="test")
    found = document(FACTS, ONE, replace(TEN, splits=(*TEN.splits, test)))
    assert [files["includes"] for files in found["distribution"]] == [
        *("1pct/*.parquet", "10pct/*.parquet")
    ]
    splits, _, one, ten = found["recordSet"]
    assert [record["splits/name"] for record in splits["data"]] == [
        *("train", "validation", "test")
    ]
    assert (one["@id"], ten["@id"]) == ("1pct", "10pct")
    sources = [field["source"]["fileSet"]["@id"] for field in ten["field"]]
    assert sources == ["10pct-files"] * 4


def test_ids_are_unique() -> None:
    found = document(FACTS, ONE, TEN)
    things = [*found["distribution"], *found["recordSet"]]
    things += [field for records in found["recordSet"] for field in records["field"]]
    ids = [thing["@id"] for thing in things]
    assert len(set(ids)) == len(ids) == 2 + 4 + 1 + 2 + 2 * 4


def test_split_is_read_from_the_path() -> None:
    odd = replace(ONE, name="a.b-1")
    regex = document(FACTS, odd)["recordSet"][2]["field"][0]["source"]["transform"]
    match = re.match(regex["regex"], "a.b-1/train-00000-of-00002.parquet")
    assert match is not None
    assert match.groups() == ("train",)
    assert not re.match(regex["regex"], "a-b-1/train-00000-of-00002.parquet")
    assert not re.match(regex["regex"], "a.b-1/other-00000-of-00002.parquet")


def test_dimensions_are_integers() -> None:
    facts = replace(FACTS, schema=replace(FACTS.schema, dimensions=True))
    fields = document(facts, ONE)["recordSet"][2]["field"]
    assert [(field["name"], field["dataType"]) for field in fields[-2:]] == [
        ("width", "sc:Integer"),
        ("height", "sc:Integer"),
    ]
