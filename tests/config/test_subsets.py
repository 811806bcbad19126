"""Recipes of subsets in a configuration: what they mean, and what is refused."""

import hashlib
from typing import Any

import pytest

from beam_pipeline.config import class_list, load_config, shipped_class_lists
from beam_pipeline.config.subsets import HeldOutConfig, SubsetConfig
from transforms.errors import ConfigError
from transforms.planning.labels import read_class_names
from transforms.planning.recipes.draw import Draw

# As published; see docs/subsets.md.
LISTS = {
    "imagenet100-cmc": (
        100,
        "79f3f1552ccc478ce24bd934b4573625db584ddc1f4643ae23c994a94cb11397",
    ),
    "imagenet100-sorted": (
        100,
        "b332dbd149be58bd06982a583959d80f93d796938a70c0db0146a9e4fc9d661f",
    ),
    "imagenette": (
        10,
        "bbf5739ac32da1a75c7279e5d0df6b14017de2a5f5e99a3ddba915ede171741b",
    ),
    "imagewoof": (
        10,
        "e0df343b334d68d2301c65f2c90bd60529d335360bd52130aff755513706bb34",
    ),
}


def test_shipped_lists_of_classes_are_those_that_were_published() -> None:
    assert shipped_class_lists() == [*LISTS]
    every = read_class_names(load_config("1pct", {}, {}).class_names)
    for name, (number, sha256) in LISTS.items():
        path = class_list(name)
        assert path is not None
        with open(path, "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == sha256
        classes = read_class_names(path)
        assert len(classes) == number
        assert {*classes} <= {*every}
    assert class_list("imagenet100") is None


def test_a_recipe_goes_on_from_the_list_and_forgets_its_number() -> None:
    config = load_config("demo", {"splits.train.subset.per_class": 5}, {})
    train = config.splits["train"]
    assert train.subset == SubsetConfig(file=DEMO_LIST, per_class=5)
    assert train.subset.draw == Draw(per_class=5)
    assert (train.examples, train.expected_examples) == (None, None)
    assert config.splits["validation"].examples == 200
    # Unless it is stated together with the recipe.
    both = {"splits.train.subset": {"per_class": 5}, "splits.train.examples": 100}
    assert load_config("demo", both, {}).splits["train"].examples == 100


DEMO_LIST = "demo.txt"


@pytest.mark.parametrize(
    "overrides",
    [
        {"subset.fraction": 0.5},
        {"val_from_train.per_class": 1},
        {"splits.train.subset.exclude": "bad.txt"},
        {"splits.train.subset.classes": ["n01440764"]},
    ],
)
def test_whatever_cuts_a_split_forgets_its_number(overrides: dict[str, Any]) -> None:
    assert load_config("demo", overrides, {}).splits["train"].examples is None


def test_a_list_of_ones_own_keeps_the_number_that_is_stated() -> None:
    overrides = {"splits.train.subset.file": "mine.txt"}
    assert load_config("demo", overrides, {}).splits["train"].examples == 300


def test_a_subset_of_all_splits_goes_into_each_that_lacks_it() -> None:
    overrides = {
        "subset.classes": "imagenette",
        "subset.labels": "renumber",
        "subset.seed": 3,
        "subset.per_class": 9,
        "splits.train.subset.per_class": 5,
    }
    splits = load_config("demo", overrides, {}).splits
    shared = SubsetConfig(classes="imagenette", labels="renumber", seed=3, per_class=9)
    assert splits["validation"].subset == shared
    assert splits["train"].subset == SubsetConfig(
        file=DEMO_LIST, classes="imagenette", labels="renumber", seed=3, per_class=5
    )
    assert splits["test"].subset is None  # it is not in the version


def test_a_split_is_held_out_of_the_training_images() -> None:
    overrides = {
        "val_from_train": {"per_class": 10, "name": "held"},
        "splits.train.subset.fraction": 0.1,
    }
    config = load_config("demo", overrides, {})
    assert config.val_from_train == HeldOutConfig(name="held", per_class=10)
    assert config.versions["5.0.0"] == ("train", "held", "validation")
    train, held = config.splits["train"], config.splits["held"]
    assert train.subset == SubsetConfig(file=DEMO_LIST, fraction=0.1)
    assert held.subset == SubsetConfig(file=DEMO_LIST)
    assert (held.labels, held.names, held.members) == ("container", "n*_*", 600)


def test_an_empty_subset_is_none() -> None:
    config = load_config("demo", {"splits.train.subset": {"file": None}}, {})
    assert config.splits["train"].subset is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"splits.train.subset.fraction": 0}, "fraction is 0.0: expected more than 0"),
        ({"splits.train.subset.fraction": 2}, "fraction is 2.0: expected more than 0"),
        ({"splits.train.subset.per_class": 0}, "per_class is 0: expected 1 or more"),
        (
            {"splits.train.subset": {"per_class": 1, "fraction": 0.1}},
            "A draw takes either per_class or fraction",
        ),
        ({"splits.train.subset.seed": 1}, "subset.seed is of a draw"),
        (
            {
                "splits.train.subset.per_class": 1,
                "splits.train.subset.first_per_class": 1,
            },
            "subset.first_per_class takes the first images in the order of the list",
        ),
        (
            {"splits.validation.subset.first_per_class": 1},
            "subset.first_per_class is of a list: name it with file.",
        ),
        (
            {"splits.validation.subset.sha256": "00"},
            "subset.sha256 is of a list: name it with file.",
        ),
        (
            {"subset.format": "by_class"},
            "subset.format is of a list: name it with file.",
        ),
        (
            {"splits.train.subset.labels": "renumber"},
            "subset.labels is renumber: name classes to number.",
        ),
        ({"splits.train.subset.labels": "both"}, "Unknown splits.train.subset.labels"),
        ({"splits.train.subset.classes": []}, "subset.classes is empty"),
        (
            {"splits.test.subset.per_class": 1},
            "labels is none, so subset.per_class has no classes to go by.",
        ),
        ({"subset": "imagenette"}, "subset should hold keys and values"),
        (
            {"val_from_train": {"per_class": 1, "name": "validation"}},
            "val_from_train.name is validation, and there is a split of that name.",
        ),
        ({"val_from_train.name": "x"}, "A draw takes either per_class or fraction"),
        (
            {"val_from_train": {"per_class": 1, "name": "../x"}},
            "val_from_train.name is '../x': expected letters",
        ),
        (
            {"val_from_train.per_class": 1, "versions": {"5.0.0": ["validation"]}},
            "val_from_train: there is no split train in version 5.0.0, but validation.",
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("demo", overrides, {})
    assert message in str(caught.value)
