"""Which policies can be asked for."""

import pickle
from typing import Any

import pytest

from transforms.errors import ConfigError, ImageError
from transforms.images.policy import REASONS, ImagePolicy, RejectedImage


def test_without_a_word_images_are_repaired_alone() -> None:
    policy = ImagePolicy()
    assert (policy.policy, policy.check, policy.stripped) == (
        "repair",
        "header",
        frozenset(),
    )


@pytest.mark.parametrize(
    ("options", "encodings"),
    [
        ({"policy": "keep"}, ("jpeg", "png")),
        ({"policy": "repair"}, ("jpeg",)),
        ({"policy": "reencode", "encoding": "webp"}, ("webp",)),
        ({"policy": "resize", "exact": (8, 8), "encoding": "png"}, ("png",)),
    ],
)
def test_a_policy_says_how_images_are_encoded(
    options: dict[str, Any], encodings: tuple[str, ...]
) -> None:
    assert ImagePolicy(**options).encodings == encodings


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "keep", "exif": "strip", "xmp": "strip", "icc": "strip"},
        {"policy": "repair", "check": "decode", "max_pixels": 1},
        {"policy": "reencode", "quality": 100, "progressive": True, "optimize": True},
        {"policy": "reencode", "encoding": "webp", "quality": 1},
        {"policy": "reencode", "encoding": "png", "optimize": True},
        {"policy": "reencode", "orientation": "apply", "colour": "rgb"},
        {"policy": "resize", "shortest_side": 256, "subsampling": "4:4:4"},
        {"policy": "resize", "longest_side": 1, "enlarge": True},
        {"policy": "resize", "exact": (224, 224), "filter": "lanczos"},
    ],
)
def test_what_makes_sense_is_accepted(options: dict[str, Any]) -> None:
    policy = ImagePolicy(**options)
    assert {name: getattr(policy, name) for name in options} == options
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(ImagePolicy(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"policy": "shrink"},
            "images.policy is 'shrink', expected one of keep, repair, reencode, "
            "resize.",
        ),
        (
            {"exif": True},
            "images.exif is True, expected one of keep, strip.",
        ),
        (
            {"policy": "reencode", "quality": 0},
            "images.quality is 0, expected a whole number, 1 to 100.",
        ),
        (
            {"policy": "reencode", "quality": 101},
            "images.quality is 101, expected a whole number, 1 to 100.",
        ),
        (
            {"policy": "reencode", "quality": True},
            "images.quality is True, expected a whole number, 1 to 100.",
        ),
        (
            {"policy": "reencode", "quality": 90.0},
            "images.quality is 90.0, expected a whole number, 1 to 100.",
        ),
        (
            {"max_scans": 0},
            "images.max_scans is 0, expected a whole number, 1 or more.",
        ),
        (
            {"policy": "resize", "shortest_side": 0},
            "images.shortest_side is 0, expected a whole number, 1 or more.",
        ),
        (
            {"policy": "resize", "exact": (224,)},
            "images.exact is (224,), expected a width and a height, such as "
            "(224, 224).",
        ),
        (
            {"policy": "resize", "exact": 224},
            "images.exact is 224, expected a width and a height, such as (224, 224).",
        ),
        (
            {"policy": "resize", "exact": (224, -1)},
            "images.exact is -1, expected a whole number, 1 or more.",
        ),
        (
            {"policy": "resize"},
            "images.policy=resize needs one of images.shortest_side, "
            "images.longest_side and images.exact; 0 are given.",
        ),
        (
            {"policy": "resize", "shortest_side": 1, "exact": (1, 1)},
            "images.policy=resize needs one of images.shortest_side, "
            "images.longest_side and images.exact; 2 are given.",
        ),
        (
            {"policy": "reencode", "progressive": "no"},
            "images.progressive is 'no', expected true or false.",
        ),
        (
            {"shortest_side": 256},
            "images.shortest_side has no effect with images.policy=repair; it needs "
            "resize.",
        ),
        (
            {"policy": "keep", "encoding": "webp"},
            "images.encoding has no effect with images.policy=keep; it needs reencode "
            "or resize.",
        ),
        (
            {"orientation": "apply"},
            "images.orientation has no effect with images.policy=repair; it needs "
            "reencode or resize.",
        ),
        (
            {"policy": "reencode", "enlarge": True},
            "images.enlarge has no effect with images.policy=reencode; it needs "
            "resize.",
        ),
        (
            {"policy": "reencode", "encoding": "png", "quality": 95},
            "images.quality has no effect with images.encoding=png; it needs jpeg or "
            "webp.",
        ),
        (
            {"policy": "reencode", "encoding": "webp", "progressive": True},
            "images.progressive has no effect with images.encoding=webp; it needs "
            "jpeg.",
        ),
        (
            {"policy": "reencode", "encoding": "webp", "optimize": True},
            "images.optimize has no effect with images.encoding=webp; it needs jpeg "
            "or png.",
        ),
    ],
)
def test_what_makes_no_sense_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ImagePolicy(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("reason", REASONS)
def test_a_rejection_survives_pickling(reason: str) -> None:
    error = pickle.loads(pickle.dumps(RejectedImage(reason, "it has no bytes")))
    assert isinstance(error, ImageError)
    assert (type(error), error.reason, str(error)) == (
        RejectedImage,
        reason,
        "it has no bytes",
    )


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            ImagePolicy(policy="keep"),
            "Images keep the bytes they have in the archives.",
        ),
        (
            ImagePolicy(exif="strip", xmp="strip"),
            "Images keep the bytes they have in the archives, but that CMYK JPEGs and "
            "PNGs become RGB JPEGs, without EXIF, XMP.",
        ),
        (
            ImagePolicy(policy="reencode", encoding="png"),
            "Images are encoded as PNG.",
        ),
        (
            ImagePolicy(policy="resize", shortest_side=256),
            "Images are resized to a shortest side of 256 pixels (bicubic) and encoded "
            "as JPEG of quality 90.",
        ),
        (
            ImagePolicy(
                policy="resize", exact=(224, 200), filter="lanczos", quality=75
            ),
            "Images are resized to 224 x 200 pixels (lanczos) and encoded as JPEG of "
            "quality 75.",
        ),
    ],
)
def test_a_policy_is_told_in_words(policy: ImagePolicy, said: str) -> None:
    assert policy.in_words() == said
