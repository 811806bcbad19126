"""The hub folder's README and the manifests it is made from."""

from dataclasses import replace

import pytest
import yaml

from tests.documents.test_card import FACTS, FIGURES, LOADERS, ONE, TEN, saying
from transforms.documents.card import card_markdown
from transforms.documents.facts import DatasetFacts, License
from transforms.documents.hub import default_config, hub_readme
from transforms.formats.listing import ConfigFacts, SplitFacts

HEAD = """\
---
pretty_name: ImageNet 2012 subset
license: other
license_name: imagenet-terms
license_link: https://image-net.org/download.php
task_categories:
- image-classification
tags:
- imagenet2012-subset
- images
- image-classification
size_categories:
- n<1K
dataset_info:
- config_name: 1pct
  features:
  - name: file_name
    dtype: string
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': n01440764
          '1': n01443537
          '2': n01484850
  - name: width
    dtype: int32
  - name: height
    dtype: int32
  splits:
  - name: train
    num_bytes: 15000
    num_examples: 15
  - name: validation
    num_bytes: 3000
    num_examples: 3
  download_size: 18180
  dataset_size: 18000
configs:
- config_name: 1pct
  default: true
  data_files:
  - split: train
    path: 1pct/train-*.parquet
  - split: validation
    path: 1pct/validation-*.parquet
---

"""


def head(
    facts: DatasetFacts, *configs: ConfigFacts, typed: bool = False
) -> dict[str, object]:
    readme = hub_readme(facts, configs, "*.tar", LOADERS, FIGURES, typed)
    _, written, _ = readme.split("---\n", 2)
    document = yaml.safe_load(written)
    assert isinstance(document, dict)
    return document


def test_readme_is_a_head_and_the_card() -> None:
    facts = replace(FACTS, schema=replace(FACTS.schema, dimensions=True))
    readme = hub_readme(facts, [ONE], "*.parquet", LOADERS, FIGURES, True)
    assert readme == HEAD + card_markdown(facts, [ONE], LOADERS, FIGURES, for_hub=True)


def test_head_lists_every_configuration() -> None:
    document = head(FACTS, TEN, ONE, typed=True)
    assert document["configs"] == [
        {
            "config_name": "10pct",
            "data_files": [
                {"split": "train", "path": "10pct/train-*.tar"},
                {"split": "validation", "path": "10pct/validation-*.tar"},
            ],
        },
        {
            "config_name": "1pct",
            "default": True,
            "data_files": [
                {"split": "train", "path": "1pct/train-*.tar"},
                {"split": "validation", "path": "1pct/validation-*.tar"},
            ],
        },
    ]
    infos = document["dataset_info"]
    assert isinstance(infos, list)
    assert [info["config_name"] for info in infos] == ["10pct", "1pct"]
    assert infos[0]["features"] == infos[1]["features"]
    assert infos[0]["splits"][1] == {
        "name": "validation",
        "num_bytes": 150_000_000,
        "num_examples": 150_000,
    }
    assert infos[0]["download_size"] == 301_234 * 1010
    assert infos[0]["dataset_size"] == 301_234 * 1000


def test_head_of_files_without_columns_has_no_types() -> None:
    assert list(head(FACTS, ONE)) == [
        "pretty_name",
        "license",
        "license_name",
        "license_link",
        "task_categories",
        "tags",
        "size_categories",
        "configs",
    ]


def test_texts_in_the_head_survive_yaml() -> None:
    title = "yes: a 'title' # with \"all\" & ümläuts, " + "long " * 40 + "—"
    facts = replace(
        saying(title=title),
        schema=replace(FACTS.schema, class_names=("no", "1", "- a: b")),
    )
    lines = hub_readme(facts, [ONE], "*.parquet", {}, {}, True).splitlines()
    assert "ümläuts" in lines[1]
    assert lines[2] == "license: other"
    document = head(facts, ONE, typed=True)
    assert document["pretty_name"] == title
    infos = document["dataset_info"]
    assert isinstance(infos, list)
    assert infos[0]["features"][2]["dtype"] == {
        "class_label": {"names": {"0": "no", "1": "1", "2": "- a: b"}}
    }


def test_default_is_the_first_where_the_default_is_not_built() -> None:
    assert default_config(FACTS, [TEN, ONE]) == "1pct"
    assert default_config(FACTS, [TEN]) == "10pct"
    listed = head(FACTS, TEN)["configs"]
    assert isinstance(listed, list)
    assert [config["default"] for config in listed] == [True]


@pytest.mark.parametrize(
    ("examples", "category"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (62_811, "10K<n<100K"),
        (178_116, "100K<n<1M"),
        (1_431_167, "1M<n<10M"),
        (10_000_000, "10M<n<100M"),
        (100_000_000, "100M<n<1B"),
    ],
)
def test_size_category_is_that_of_the_largest(examples: int, category: str) -> None:
    halves = [examples // 2, examples - examples // 2]
    splits = tuple(SplitFacts(f"s{n}", n, 0, ()) for n in halves)
    small = replace(ONE, name="small", splits=(SplitFacts("train", 0, 0, ()),))
    document = head(FACTS, small, replace(ONE, splits=splits))
    assert document["size_categories"] == [category]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("ImageNet terms", "imagenet-terms"),
        ("CC BY-NC 4.0", "cc-by-nc-4.0"),
        ("(Terms & Conditions)", "terms-conditions"),
    ],
)
def test_name_of_the_license_is_a_slug(name: str, slug: str) -> None:
    facts = saying(license=License(name, "https://example.org"))
    assert head(facts, ONE)["license_name"] == slug


def test_terms_are_what_the_hub_asks_people_to_accept() -> None:
    license_ = License("ours", "https://a.b/", "Look,\ndo not touch.\n")
    document = head(saying(license=license_), ONE)
    assert document["extra_gated_prompt"] == "Look, do not touch."
    assert document["extra_gated_fields"] == {
        "I have read and accepted the terms at https://a.b/": "checkbox",
        "I use the images as these terms allow": "checkbox",
    }
