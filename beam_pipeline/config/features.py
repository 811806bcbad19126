"""The features of records, as a configuration names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from transforms.errors import ConfigError, printable
from transforms.fields import require_known
from transforms.formats import DOCUMENTATION, FEATURES, Feature

_NEEDED: Final = ("image", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """One feature; a configuration may give its kind alone.

    Attributes:
        kind: What it holds: ``text``, ``image``, ``label`` or ``label_list``.
        encoding: What TFDS is told that images are encoded as; empty for nothing.
        shape: Height, width and channels of all images; empty for any.
        documentation: A sentence on it; empty for the one that fits the kind.
    """

    kind: str
    encoding: str = ""
    shape: tuple[int, ...] = ()
    documentation: str = ""


def make_features(
    named: Mapping[str, str | FeatureConfig], supervised: Sequence[str]
) -> tuple[Feature, ...]:
    """Returns the features of records, in order.

    Args:
        named: By name; empty for those that TFDS gives ImageNet.
        supervised: Names of those that loaders give as input and target.

    Raises:
        ConfigError: A kind is unknown, there twice or lacking, or a name is.
    """
    features = tuple(map(_make_feature, named, named.values())) or FEATURES
    kinds = [feature.kind for feature in features]
    for kind in dict.fromkeys((*_NEEDED, *kinds)):
        if kinds.count(kind) != 1:
            raise ConfigError(
                f"features has {kinds.count(kind)} of the kind {kind}: expected one. "
                "Records have an image and a label, and may have a text and labels."
            )
    for name in supervised:
        require_known("supervised feature", name, {each.name: 0 for each in features})
    return features


def _make_feature(name: str, given: str | FeatureConfig) -> Feature:
    config = FeatureConfig(kind=given) if isinstance(given, str) else given
    require_known(f"kind of the feature {printable(name)}", config.kind, DOCUMENTATION)
    if len(config.shape) not in (0, 3):
        raise ConfigError(
            f"features.{printable(name)}.shape should be a height, a width and a "
            f"number of channels, not {len(config.shape)} numbers."
        )
    return Feature(
        name,
        config.kind,
        config.documentation or DOCUMENTATION[config.kind],
        config.encoding,
        config.shape,
    )
