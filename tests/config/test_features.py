"""The features of records, as a configuration names them."""

import pytest

from beam_pipeline.config import load_config
from beam_pipeline.config.features import FeatureConfig, make_features
from transforms.errors import ConfigError
from transforms.formats.records import DOCUMENTATION, FEATURES, Feature

SUPERVISED = ("image", "label")


def test_without_any_they_are_those_of_imagenet() -> None:
    assert make_features({}, SUPERVISED) == FEATURES


def test_a_kind_alone_or_a_mapping_makes_a_feature() -> None:
    image = FeatureConfig(kind="image", encoding="jpeg", shape=(256, 256, 3))
    several = FeatureConfig(kind="label_list", documentation="All of them.")
    named = {"photo": image, "label": "label", "all": several}
    assert make_features(named, ("photo", "all")) == (
        Feature("photo", "image", DOCUMENTATION["image"], "jpeg", (256, 256, 3)),
        Feature("label", "label", DOCUMENTATION["label"]),
        Feature("all", "label_list", "All of them."),
    )


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            {"image": "image"},
            "features has 0 of the kind label: expected one. Records have an image and "
            "a label, and may have a text and labels.",
        ),
        (
            {"image": "image", "label": "label", "a": "text", "b": "text"},
            "features has 2 of the kind text: expected one. Records have an image and "
            "a label, and may have a text and labels.",
        ),
        (
            {"image": "imag", "label": "label"},
            "Unknown kind of the feature image imag. Did you mean image?",
        ),
        (
            {"image": FeatureConfig(kind="image", shape=(3,)), "label": "label"},
            "features.image.shape should be a height, a width and a number of "
            "channels, not 1 numbers.",
        ),
        (
            {"image": "image", "class": "label"},
            "Unknown supervised feature label. Known are: class, image.",
        ),
    ],
)
def test_features_that_records_cannot_have_are_refused(
    named: dict[str, str | FeatureConfig], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_features(named, SUPERVISED)
    assert str(caught.value) == message


def test_the_full_set_says_that_its_images_are_jpegs() -> None:
    config = load_config("imagenet2012", {}, {})
    assert (config.full_name, config.version) == ("imagenet2012", "5.1.0")
    assert [(f.name, f.kind, f.encoding) for f in config.record_features] == [
        ("file_name", "text", ""),
        ("image", "image", "jpeg"),
        ("label", "label", ""),
    ]
